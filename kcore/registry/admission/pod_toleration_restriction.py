"""A namespace, or else the cluster, says which tolerations its pods get and which they may have.

By annotations of the namespace, `scheduler.alpha.kubernetes.io/defaultTolerations` and `.../tolerationsWhitelist`, as
JSON lists; or by the plugin's configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import field

from kcore.api.core_v1 import Pod, Toleration
from kcore.api.errors import ApiError
from kcore.api.kind import Kind
from kcore.api.qos import qos_class
from kcore.api.schema import LIST_ATOMIC, TypeMeta, fill
from kcore.registry.admission.configuration import PluginConfiguration
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request
from kcore.registry.strategy import Environment, Strategies

__all__ = ["PodTolerationRestriction", "includes", "merged"]

_DEFAULTS = "scheduler.alpha.kubernetes.io/defaultTolerations"
_ALLOWED = "scheduler.alpha.kubernetes.io/tolerationsWhitelist"
_MEMORY_PRESSURE = Toleration(key="node.kubernetes.io/memory-pressure", operator="Exists", effect="NoSchedule")


class Configuration(TypeMeta):
    """podtolerationrestriction.admission.k8s.io/v1alpha1 Configuration."""

    default: Annotated[tuple[Toleration, ...], LIST_ATOMIC] = ()
    allowed: Annotated[tuple[Toleration, ...], LIST_ATOMIC] = field(default=(), name="whitelist")


class PodTolerationRestriction(Plugin):
    on_by_default = False
    configuration = PluginConfiguration(
        "podtolerationrestriction.admission.k8s.io/v1alpha1", "Configuration", Configuration
    )

    def __init__(
        self,
        env: Environment,
        strategies: Strategies,
        settings: Configuration = Configuration(),  # noqa: B008
    ) -> None:
        super().__init__(env, strategies)
        self._settings = settings

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is Pod and operation in (Operation.CREATE, Operation.UPDATE) and not subresource

    def admit(self, req: Request, operation: Operation, obj: Pod, old: Any) -> None:
        if operation is Operation.CREATE:
            given = self._listed(req, _DEFAULTS)
            defaults = self._settings.default if given is None else given
            pressed = () if qos_class(obj.spec) == "BestEffort" else (_MEMORY_PRESSURE,)
            fill(obj.spec, tolerations=merged((*merged((*defaults, *obj.spec.tolerations)), *pressed)))
        self.validate(req, operation, obj, old)

    def validate(self, req: Request, operation: Operation, obj: Pod, old: Any) -> None:
        given = self._listed(req, _ALLOWED)
        scope, allowed = ("cluster", self._settings.allowed) if given is None else ("namespace", given)
        if allowed and not all(any(includes(a, t) for a in allowed) for t in obj.spec.tolerations):
            what = "pod tolerations (possibly merged with namespace default tolerations)"
            raise ApiError(f"{what} conflict with its {scope} whitelist", reason="")

    def _listed(self, req: Request, annotation: str) -> tuple[Toleration, ...] | None:
        record = self.env.store.head(f"namespaces/{req.namespace}")
        text = record.obj.metadata.annotations.get(annotation) if record is not None else None
        if text is None:
            return None
        try:
            return msgspec.json.decode(text or "[]", type=tuple[Toleration, ...])
        except (msgspec.DecodeError, RecursionError) as e:
            raise ApiError(f"{annotation} of namespace {req.namespace}: {e}", reason="") from None


def includes(wider: Toleration, narrower: Toleration) -> bool:
    """Whether whatever the second tolerates, the first does too."""
    if wider == narrower:
        return True
    every_key = not wider.key and wider.operator == "Exists"
    if wider.key != narrower.key and not every_key:
        return False
    if wider.effect and wider.effect != narrower.effect:
        return False
    if wider.effect == "NoExecute" and wider.toleration_seconds is not None:
        seconds = narrower.toleration_seconds
        if seconds is None or seconds > wider.toleration_seconds:
            return False
    if wider.operator in ("", "Equal"):
        return narrower.operator in ("", "Equal") and wider.value == narrower.value
    return wider.operator == "Exists"


def merged(tolerations: Sequence[Toleration]) -> tuple[Toleration, ...]:
    """Without those that another one includes; of equals the first stays."""
    kept: list[Toleration] = []
    for i, toleration in enumerate(tolerations):
        later = any(t != toleration and includes(t, toleration) for t in tolerations[i + 1 :])
        if not later and not any(includes(t, toleration) for t in kept):
            kept.append(toleration)
    return tuple(kept)
