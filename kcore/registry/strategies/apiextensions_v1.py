"""The apiextensions.k8s.io group, and the kinds that its definitions bring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from kcore.api.apiextensions_v1 import CustomResourceDefinition
from kcore.api.field import FieldError, quote
from kcore.api.schema import fill
from kcore.registry.advice.definitions import unknown_formats
from kcore.registry.custom.strategy import CustomResourceStrategy
from kcore.registry.defaults.apiextensions_v1 import default_definition
from kcore.registry.request import Request
from kcore.registry.strategy import Strategy
from kcore.registry.validation.definitions import validate_definition, validate_definition_update

__all__ = ["CLEANUP", "STRATEGIES"]

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that keeps a definition until its objects are gone."""


class CustomResourceDefinitionStrategy(Strategy):
    type = CustomResourceDefinition
    generation = ("spec",)
    returns_deleted = True
    unconditional_update = False

    def default(self, obj: Any) -> None:
        default_definition(obj)

    def prepare_for_create(self, req: Request, obj: Any) -> None:
        super().prepare_for_create(req, obj)
        _note_stored_versions(obj)

    def prepare_for_update(self, req: Request, new: Any, old: Any) -> None:
        super().prepare_for_update(req, new, old)
        fill(new, status=_copied(old.status))
        _note_stored_versions(new)

    def validate(self, req: Request, obj: Any) -> Sequence[FieldError]:
        return list(validate_definition(obj))

    def validate_update(self, req: Request, new: Any, old: Any) -> Sequence[FieldError]:
        return list(validate_definition_update(new, old))

    def warnings(self, req: Request, obj: Any, old: Any = None) -> Sequence[str]:
        known = {*unknown_formats(old)} if old is not None else set()
        return [f"unrecognized format {quote(name)}" for name in unknown_formats(obj) if name not in known]

    def holds_deletion(self, obj: Any) -> bool:
        return obj.metadata.deletion_timestamp is None

    def begin_deletion(self, obj: Any) -> None:
        """Upstream marks definitions itself, and that does not count as a change."""
        metadata = obj.metadata
        fill(metadata, finalizers=(*metadata.finalizers, CLEANUP), generation=metadata.generation - 1)


def _copied(status: Any) -> Any:
    return msgspec.structs.replace(status)


def _note_stored_versions(obj: CustomResourceDefinition) -> None:
    stored = obj.status.stored_versions or ()
    new = tuple(v.name for v in obj.spec.versions if v.storage and v.name not in stored)[:1]
    fill(obj.status, stored_versions=(*stored, *new) or None)


STRATEGIES = (CustomResourceDefinitionStrategy, CustomResourceStrategy)
