"""What all verbs share: the strategies, the admission chain, and the way to the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kcore.api import explanation_v1alpha1, metrics_v1beta1
from kcore.api.core_v1 import ComponentStatus
from kcore.api.errors import ApiError, BadRequest, InternalError, Invalid, NotFound, RequestEntityTooLarge
from kcore.api.field import FieldError, quote
from kcore.api.kind import Kind
from kcore.api.meta_v1 import StatusDetails
from kcore.api.names import path_segment_name
from kcore.api.object import encode_object
from kcore.api.timestamp import format_seconds
from kcore.kit.recent import keep
from kcore.registry.admission import Chain, MakePlugin
from kcore.registry.components import component_statuses
from kcore.registry.converting import NotConverted, converted
from kcore.registry.managed_fields import SCALE_KIND, Managers
from kcore.registry.measured import Explainer, MeasuredStore, Usage
from kcore.registry.request import Request
from kcore.registry.seen import as_seen
from kcore.registry.strategy import Environment, Settle, Strategy
from kcore.store.store import Op, Record, RecordTooLarge, Store, StoreUnavailable

__all__ = ["Pipeline", "Sound", "absent", "durable", "refuse", "rehearsed", "settled"]


_SOUND_MAX = 1024


class Sound:
    """Shapes of objects that were found good: the last thousand or so."""

    def __init__(self) -> None:
        self._shapes: dict[bytes, None] = {}

    def knows(self, shape: bytes) -> bool:
        return shape in self._shapes

    def remember(self, shape: bytes) -> None:
        keep(self._shapes, shape, None, _SOUND_MAX)


class Pipeline:
    def __init__(self, env: Environment, strategies: Iterable[type[Strategy]], plugins: Iterable[MakePlugin]) -> None:
        self.env = env
        self.sound = Sound()
        self.explainer: Explainer | None = None
        self.admission = Chain(plugin(env, self.strategy) for plugin in plugins)
        self._particular = {s.type: s for s in strategies}
        self._strategies: dict[Kind, Strategy] = {}
        self._stores: dict[Kind, Store] = {}
        self._managers: dict[tuple[Kind, str], Managers] = {}

    def strategy(self, kind: Kind) -> Strategy:
        """The one strategy of a kind."""
        kind = self._current(kind)
        found = self._strategies.get(kind)
        if found is None or found.kind is not kind:
            found = self._strategies[kind] = self._particular.get(kind.type, Strategy)(kind, self.env)
            self._stores.pop(kind, None)
        return found

    def _current(self, kind: Kind) -> Kind:
        """A custom kind as it is defined now, which may have changed since it was looked up."""
        if kind.definition is None:
            return kind
        return self.env.scheme.find(kind.group, kind.version, kind.plural) or kind

    def store(self, kind: Kind) -> Store:
        """The store, as a kind sees it."""
        found = self._stores.get(kind)
        if found is None:
            strategy = self.strategy(kind)
            found = self._stores[kind] = as_seen(self.env.store, strategy)
        return found

    async def head(self, kind: Kind, key: str) -> Record | None:
        """What stands, as the kind sees it: the base of read-modify-write."""
        store = self.store(kind)
        try:
            return store.head(key)
        except NotConverted as missing:
            return await converted(lambda: store.head(key), missing)

    def serve_usage(self, usage: Usage) -> None:
        """Serve metrics.k8s.io, with what `usage` says."""
        for kind in (metrics_v1beta1.NODES, metrics_v1beta1.PODS):
            self.env.scheme.add(kind)
            self.strategy(kind)
            objects = usage.pods if kind is metrics_v1beta1.PODS else usage.nodes
            self._stores[kind] = MeasuredStore(self.env.store, kind, objects)

    def serve_components(self, here: Mapping[str, bool]) -> None:
        """Have componentstatuses tell of the parts of a control plane, and whether they are in this process."""
        kind = self.env.scheme.of(ComponentStatus)
        self.strategy(kind)
        self._stores[kind] = MeasuredStore(self.env.store, kind, lambda: component_statuses(here))

    def serve_explanations(self, explainer: Explainer) -> None:
        """Serve scheduling.kcore.dev, with what `explainer` says."""
        self.explainer = explainer
        kind = explanation_v1alpha1.PODS
        self.env.scheme.add(kind)
        self.strategy(kind)
        self._stores[kind] = MeasuredStore(self.env.store, kind, tuple, explainer.explain)

    def managers(self, req: Request) -> Managers:
        """Who tracks the owners of what the request writes."""
        kind = SCALE_KIND if req.subresource == "scale" else self._current(req.kind)
        key = (kind, req.subresource)
        found = self._managers.get(key)
        if found is None or found.kind is not kind:
            found = self._managers[key] = Managers(kind, req.subresource)
        return found

    def timestamp(self) -> str:
        return format_seconds(self.env.clock.now())

    async def commit(self, kind: Kind, op: Op, *charges: Op) -> Record:
        """Store one change, and with it what else it costs; durable when this returns. Raises RevisionMismatch."""
        try:
            return (await self.store(kind).commit(op, *charges))[0]
        except RecordTooLarge:
            # Clients know these words; upstream says them with a 500.
            raise RequestEntityTooLarge("etcdserver: request is too large") from None
        except StoreUnavailable as e:
            raise InternalError.because(str(e)) from e


def rehearsed(key: str, obj: Any) -> Record:
    """What a dry run answers: the object as it would be stored, at no revision."""
    return Record(key, 0, obj, encode_object(obj))


class settled:  # noqa: N801  # reads as a phrase: `with settled(...)`
    """Tells `settle` at the end whether the object was stored.

    A request cancelled while its commit is on its way to disk counts as stored: the commit will not be undone.
    """

    __slots__ = ("_req", "_settle")

    def __init__(self, settle: Settle | None, req: Request) -> None:
        self._settle = settle
        self._req = req

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._settle is not None:
            self._settle(not isinstance(error, Exception) and not self._req.dry_run)


def durable(pipe: Pipeline, req: Request, record: Record) -> bool:
    """Whether a record that was read as the head may be answered at once: it is on disk."""
    try:
        standing = pipe.store(req.kind).get(record.key)
    except NotConverted:
        return False  # what stands is not what was read
    return standing is not None and standing.revision == record.revision


def absent(req: Request) -> ApiError:
    """Nothing stands at the address; perhaps because nothing can."""
    if words := path_segment_name(req.name):
        return BadRequest(f"Name parameter invalid: {quote(req.name)}: {'; '.join(words)}")
    if req.kind.type is ComponentStatus:  # which upstream names in the singular here
        details = StatusDetails(name=req.name, kind="componentstatus")
        return NotFound(f"componentstatus {quote(req.name)} not found", details)
    return NotFound.of(req.kind, req.name)


def refuse(req: Request, name: str, errors: Iterable[FieldError]) -> None:
    """Raise Invalid where there are errors."""
    listed = list(errors)
    if listed:
        raise Invalid.of(req.kind, name, listed)
