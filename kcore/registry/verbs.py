"""The verbs of the API over one store: the pipeline that every request takes, from either door."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kcore.api.errors import NotFound
from kcore.api.kind import Kind
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.scheme import Scheme
from kcore.kit.clock import Chance, Clock, SystemClock
from kcore.registry.access import Authorizer, BuiltInAccess
from kcore.registry.request import Answer, ListOptions, ListPage, PatchType, Request
from kcore.registry.strategies import STRATEGIES
from kcore.registry.strategy import Environment, Strategy
from kcore.registry.watching import Watch
from kcore.store.store import Store

__all__ = ["Registry"]


class Registry:
    """All kinds of a scheme, kept in one store. Every verb raises `kcore.api.errors.ApiError`.

    Access is the caller's question (`registry.authorizer`), asked before the body is read.
    """

    def __init__(
        self,
        store: Store,
        scheme: Scheme,
        strategies: Iterable[type[Strategy]] = STRATEGIES,
        clock: Clock | None = None,
        chance: Chance | None = None,
        *,
        authorizer: Authorizer | None = None,
        service_cidr: str = "10.96.0.0/16",
    ) -> None:
        self.store = store
        self.scheme = scheme
        self.authorizer: Authorizer = authorizer or BuiltInAccess()
        self.env = Environment(store, scheme, clock or SystemClock(), chance or Chance(), service_cidr)
        self._particular = {s.type: s for s in strategies}
        self._strategies: dict[Kind, Strategy] = {}

    def strategy(self, kind: Kind) -> Strategy:
        """The one strategy of a kind."""
        found = self._strategies.get(kind)
        if found is None:
            found = self._strategies[kind] = self._particular.get(kind.type, Strategy)(kind, self.env)
        return found

    def get(self, req: Request) -> Answer:
        record = self.store.get(req.kind.key(req.namespace, req.name))
        if record is None:
            raise NotFound.of(req.kind, req.name)
        return record

    def list(self, req: Request, options: ListOptions) -> ListPage:
        raise NotImplementedError

    def watch(self, req: Request, options: ListOptions) -> Watch:
        raise NotImplementedError

    async def create(self, req: Request, obj: Any) -> Answer:
        """Store a new object; or, with `req.subresource`, do what its body (Binding, Eviction, ...) asks for."""
        raise NotImplementedError

    async def update(self, req: Request, obj: Any) -> Answer:
        raise NotImplementedError

    async def patch(self, req: Request, patch_type: PatchType, body: bytes) -> Answer:
        """`body` is the patch document as it came."""
        raise NotImplementedError

    async def delete(self, req: Request, options: DeleteOptions) -> Answer:
        raise NotImplementedError

    async def delete_collection(
        self, req: Request, delete_options: DeleteOptions, list_options: ListOptions
    ) -> ListPage:
        """Delete all objects that the list selects; answers them as they were."""
        raise NotImplementedError
