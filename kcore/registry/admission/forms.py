"""The versions and groups in which one object can be seen, and how it gets from one into another.

Webhooks and policies name resources in the version that they know; a request may come in another (KEP-1393).
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kcore.api.decoding import DecodeError, decode_tree
from kcore.api.errors import InternalError
from kcore.api.kind import Kind
from kcore.api.schema import JSON, fill
from kcore.api.scheme import Scheme
from kcore.registry.custom.strategy import CustomResourceStrategy
from kcore.registry.metadata import check_namespace
from kcore.registry.request import Request
from kcore.registry.seen import as_seen
from kcore.registry.strategy import Strategies, Strategy
from kcore.store.store import Store

__all__ = ["Forms"]


class Forms:
    def __init__(self, scheme: Scheme, strategies: Strategies) -> None:
        self._scheme = scheme
        self._strategies = strategies
        self._stores: dict[Kind, tuple[Strategy, Store]] = {}

    def equivalents(self, kind: Kind) -> tuple[Kind, ...]:
        """The other kinds whose objects are the same stored ones."""
        home = self._home(kind)
        return tuple(other for other in self._scheme if other != kind and self._home(other) == home)

    def _home(self, kind: Kind) -> str:
        if kind.definition is not None:
            return kind.group_resource
        return (self._strategies(kind).stored_kind() or kind).group_resource

    def takes_asking(self, source: Kind, target: Kind) -> bool:
        """Whether only a webhook can convert from one kind to the other."""
        return source != target and target.definition is not None and self._custom(target).by_webhook

    def _custom(self, kind: Kind) -> CustomResourceStrategy:
        strategy = self._strategies(kind)
        assert isinstance(strategy, CustomResourceStrategy)
        return strategy

    async def ask_converted(self, obj: Any, target: Kind) -> Any:
        """The object as a kind shows it into which only a webhook converts. Raises ApiError."""
        return (await self._custom(target).converted((obj,)))[0]

    def convert(self, obj: Any, source: Kind, target: Kind) -> Any:
        """The object as another kind shows it; what both have is shared."""
        if source == target:
            return obj
        before, after = self._strategies(source), self._strategies(target)
        stored = obj if before.stored_kind() is None else before.to_stored(obj)
        return stored if after.stored_kind() is None else after.from_stored(stored)

    def store(self, store: Store, kind: Kind) -> Store:
        """The store as a kind sees it."""
        strategy = self._strategies(kind)
        known = self._stores.get(kind)
        if known is None or known[0] is not strategy:
            known = self._stores[kind] = strategy, as_seen(store, strategy)
        return known[1]

    def remade(self, req: Request, kind: Kind, type_: type[Any], tree: dict[str, JSON]) -> Any:
        """The object that a changed document says, complete as if a client had sent it. Raises ApiError."""
        try:
            obj = decode_tree(type_, tree).obj
        except DecodeError as e:
            raise InternalError.because(str(e)) from None
        fill(obj, kind="", api_version="")
        if type_ is kind.type:
            self._strategies(kind).receive(replace(req, kind=kind, field_validation="Ignore", warnings=[]), obj)
        check_namespace(req, obj.metadata)
        return obj
