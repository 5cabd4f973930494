"""What a namespace demands of its pods: a level and a version for each of enforce, audit and warn."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from operator import methodcaller
from typing import NamedTuple

from kcore.api.core_v1 import PodSpec
from kcore.api.field import FieldError, Path, invalid
from kcore.registry.security.checks import BASELINE, OVERRIDDEN, RESTRICTED, Violation

__all__ = ["LEVELS", "PRIVILEGED", "Demand", "Policy", "is_version", "policy_of", "violations"]

PREFIX = "pod-security.kubernetes.io/"
LEVELS = ("privileged", "baseline", "restricted")
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]*)").fullmatch
_LABELS = Path("metadata") / "labels"


_is_about_security = methodcaller("startswith", PREFIX)


def is_version(text: str) -> bool:
    return text == "latest" or _VERSION(text) is not None


class Demand(NamedTuple):
    level: str = "privileged"
    version: str = "latest"

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"


PRIVILEGED = Demand()


class Policy(NamedTuple):
    enforce: Demand = PRIVILEGED
    audit: Demand = PRIVILEGED
    warn: Demand = PRIVILEGED
    errors: tuple[FieldError, ...] = ()


UNDEMANDING = Policy()


def policy_of(labels: Mapping[str, str], defaults: Policy = UNDEMANDING) -> Policy:
    """The policy of a namespace. A level that can not be read is the strictest where it counts, and none elsewhere.

    What is enforced is warned of, too, unless the namespace says otherwise: workloads are not held to it, only pods.
    """
    if not any(map(_is_about_security, labels)):
        return defaults
    errors: list[FieldError] = []
    enforce = _demand(labels, "enforce", "restricted", defaults.enforce, errors)
    audit = _demand(labels, "audit", "privileged", defaults.audit, errors)
    warn = _demand(labels, "warn", "privileged", defaults.warn, errors)
    if PREFIX + "warn" not in labels and PREFIX + "enforce" in labels and enforce.level != "privileged":
        warn = enforce
    return Policy(enforce, audit, warn, tuple(errors))


def _demand(labels: Mapping[str, str], mode: str, fallback: str, default: Demand, errors: list[FieldError]) -> Demand:
    level, version = labels.get(PREFIX + mode), labels.get(f"{PREFIX}{mode}-version")
    if level is None:
        level = default.level
    elif level not in LEVELS:
        errors.append(invalid(_LABELS.key(PREFIX + mode), level, f"must be one of {', '.join(LEVELS)}"))
        level = fallback
    if version is None:
        version = default.version
    elif not is_version(version):
        errors.append(invalid(_LABELS.key(f"{PREFIX}{mode}-version"), version, 'must be "latest" or "v1.x"'))
        version = "latest"
    return Demand(level, version)


def violations(demand: Demand, annotations: Mapping[str, str], spec: PodSpec) -> Sequence[Violation]:
    """What of a pod a level does not allow, in upstream's order."""
    if demand.level == "privileged":
        return ()
    checks = list(BASELINE.items())
    if demand.level == "restricted":
        checks = [(name, check) for name, check in checks if name not in OVERRIDDEN] + list(RESTRICTED.items())
    return [found for _, check in checks if (found := check(annotations, spec)) is not None]
