"""Keeps the scheme of a remote server's client in step with the kinds that are defined there.

In process there is no need: client and server have one scheme.
"""

from __future__ import annotations

import anyio
from anyio.abc import TaskStatus

from kcore.api.apiextensions_v1 import CustomResourceDefinition
from kcore.api.kind import Kind
from kcore.api.scheme import Scheme
from kcore.client.informer import Informers
from kcore.registry.custom.serving import kinds_of

__all__ = ["DefinedKinds"]


class DefinedKinds:
    """A service: started once all that is defined is in the scheme."""

    def __init__(self, scheme: Scheme, informers: Informers) -> None:
        self._scheme = scheme
        self._informer = informers.of(CustomResourceDefinition)
        self._kinds: dict[str, tuple[Kind, ...]] = {}

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        await self._informer.wait_synced()
        self._informer.add_handler(self._changed)
        task_status.started()
        await anyio.sleep_forever()

    def _changed(self, old: CustomResourceDefinition | None, new: CustomResourceDefinition | None) -> None:
        definition = new if new is not None else old
        assert definition is not None
        if old is not None and new is not None and _served(old) == _served(new):
            return
        kinds = _served(new) if new is not None else ()
        before = self._kinds.pop(definition.metadata.name, ())
        for kind in before:
            if kind not in kinds:
                self._scheme.remove(kind)
        for kind in kinds:
            self._scheme.add(kind)
        if kinds:
            self._kinds[definition.metadata.name] = kinds


def _served(definition: CustomResourceDefinition) -> tuple[Kind, ...]:
    conditions = definition.status.conditions or ()
    if any(c.type == "Established" and c.status == "True" for c in conditions):
        return tuple(kinds_of(definition))
    return ()
