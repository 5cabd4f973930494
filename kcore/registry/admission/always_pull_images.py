"""Every container asks the registry for its image, so that nobody runs a private one that happens to be on the node."""

from __future__ import annotations

from typing import Any

from kcore.api.core_v1 import Pod
from kcore.api.errors import Invalid
from kcore.api.field import Path, not_supported
from kcore.api.kind import Kind
from kcore.api.schema import fill
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request

__all__ = ["AlwaysPullImages"]

_LISTS = (("initContainers", "init_containers"), ("containers", "containers"))


class AlwaysPullImages(Plugin):
    on_by_default = False

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        writes = operation in (Operation.CREATE, Operation.UPDATE)
        return kind.type is Pod and writes and subresource in ("", "ephemeralcontainers")

    def admit(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        spec = obj.spec
        for container in (*spec.init_containers, *spec.containers, *spec.ephemeral_containers):
            fill(container, image_pull_policy="Always")

    def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        errors = [
            not_supported(Path("spec") / wire @ i / "imagePullPolicy", container.image_pull_policy, ("Always",))
            for wire, attribute in _LISTS
            for i, container in enumerate(getattr(obj.spec, attribute))
            if container.image_pull_policy != "Always"
        ]
        if errors:
            raise Invalid.of(req.kind, obj.metadata.name, errors)
