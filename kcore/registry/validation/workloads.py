"""What the workload controllers have in common: a selector that must select the template's pods, and counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kcore.api.core_v1 import PodTemplateSpec
from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, required
from kcore.api.meta_v1 import LabelSelector
from kcore.api.selectors import Selector, SelectorError, selector_from_struct
from kcore.registry.validation.labels import validate_label_selector
from kcore.registry.validation.pods import validate_pod_template_spec
from kcore.registry.validation.values import non_negative

__all__ = [
    "is_empty",
    "labels_mismatch",
    "validate_counts",
    "validate_endless_template",
    "validate_selector",
    "validate_selector_and_template",
]

_MISMATCH = "`selector` does not match template `labels`"


def is_empty(selector: LabelSelector) -> bool:
    return not selector.match_labels and not selector.match_expressions


def validate_selector(selector: LabelSelector | None, path: Path, of: str) -> Iterator[FieldError]:
    """`of`: what an empty selector is said to be invalid for."""
    if selector is None:
        yield required(path)
        return
    yield from validate_label_selector(selector, path)
    if is_empty(selector):
        yield invalid(path, selector, f"empty selector is invalid for {of}")


def validate_selector_and_template(
    selector: LabelSelector | None, template: PodTemplateSpec, path: Path, of: str = "deployment"
) -> Iterator[FieldError]:
    """Those of Deployments and ReplicaSets. `path` is that of the spec."""
    yield from validate_selector(selector, path / "selector", of)
    try:
        compiled = selector_from_struct(selector)
    except SelectorError:
        yield invalid(path / "selector", selector, "invalid label selector")
        return
    yield from labels_mismatch(compiled, template.metadata.labels, path / "template" / "metadata" / "labels")
    yield from validate_pod_template_spec(template, path / "template")
    yield from validate_endless_template(template, path / "template", "ReplicaSet")


def labels_mismatch(selector: Selector, labels: Mapping[str, str], path: Path) -> Iterator[FieldError]:
    if not selector.empty and not selector.matches(labels):
        yield invalid(path, dict(labels) or None, _MISMATCH)


def validate_endless_template(template: PodTemplateSpec, path: Path, of: str) -> Iterator[FieldError]:
    """Pods that are replaced when they end may not end by themselves."""
    policy = template.spec.restart_policy
    if policy != "Always":
        yield not_supported(path / "spec" / "restartPolicy", policy, ("Always",))
    if template.spec.active_deadline_seconds is not None:
        words = f"activeDeadlineSeconds in {of} is not Supported"
        yield forbidden(path / "spec" / "activeDeadlineSeconds", words)


def validate_counts(status: Any, path: Path, names: Mapping[str, str]) -> Iterator[FieldError]:
    """Counts in a status, wire name to attribute."""
    for name, attribute in names.items():
        value = getattr(status, attribute)
        if value is not None:
            yield from non_negative(path / name, value)
