"""What an admission plugin is, and the chain that runs them in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from typing import Any, ClassVar, Protocol, TypeAlias

from kcore.api.errors import Forbidden
from kcore.api.kind import Kind
from kcore.registry.admission.configuration import PluginConfiguration
from kcore.registry.request import Request
from kcore.registry.strategy import Environment, Strategies

__all__ = ["NOBODY", "Admission", "Chain", "Operation", "Plugin", "forbidden", "refused_name"]


class Operation(Enum):
    __hash__ = object.__hash__  # members are single: what Enum makes of their names costs every look-up a call

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CONNECT = "CONNECT"


_ROUNDS_MAX = 2

Step: TypeAlias = Callable[[Request, Operation, Any, Any], Awaitable[Any] | None]
Preparation: TypeAlias = Callable[[Request, Any], Awaitable[None] | None]


class Plugin:
    """One rule about who may store what. It sees a request for what it `handles`, and raises ApiError to refuse it.

    `obj` is the new object (None for deletions), `old` the one that stands (None for creations). The name of the class
    is the one by which users switch it on and off.
    """

    on_by_default: ClassVar[bool] = True
    configuration: ClassVar[PluginConfiguration | None] = None
    """What the plugin can be told; who has one is made with `settings`, too."""

    def __init__(self, env: Environment, strategies: Strategies) -> None:
        self.env = env
        self.strategies = strategies

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        """Asked once for each combination, never for each request."""
        raise NotImplementedError

    def prepare(self, req: Request, obj: Any) -> Awaitable[None] | None:
        """What a create has to wait for because it needs it, and others are about to make it."""
        return None

    def admit(self, req: Request, operation: Operation, obj: Any, old: Any) -> Awaitable[Any] | None:
        """Complete or refuse the object before it is validated; `obj` may be filled in place.

        Who has to ask others answers what to wait for: its result is the object from then on.
        """
        return None

    def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> Awaitable[None] | None:
        """Refuse the object in its final form."""
        return None


class Admission(Protocol):
    """Who is asked about a request: the chain, or somebody before it who shows it the object as it wants to see it."""

    async def admit(self, req: Request, operation: Operation, obj: Any, old: Any) -> Any:
        """The object as the plugins complete it: the one given, filled, or another."""

    async def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> None: ...


def forbidden(req: Request, obj: Any, why: str) -> Forbidden:
    """The refusal of an object."""
    return Forbidden.of(req.kind, refused_name(req, obj), why)


def refused_name(req: Request, obj: Any) -> str:
    """What an object is called in a refusal: it may have no name yet."""
    if req.name or obj is None:
        return req.name
    metadata = getattr(obj, "metadata", None)
    if metadata is None:
        return "Unknown/errorGettingName"
    return metadata.name or metadata.generate_name or "Unknown"


class Chain:
    """The plugins in order. Those that have nothing to do with a kind cost its requests nothing."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self._plugins = tuple(plugins)
        self._admitting: dict[tuple[Kind, Operation, str], tuple[Step, ...]] = {}
        self._preparing: dict[tuple[Kind, Operation, str], tuple[Preparation, ...]] = {}
        self._validating: dict[tuple[Kind, Operation, str], tuple[Step, ...]] = {}

    async def admit(self, req: Request, operation: Operation, obj: Any, old: Any) -> Any:
        req.reinvocation = None
        key = (req.kind, operation, req.subresource)
        steps = self._admitting.get(key)
        if steps is None:
            steps = self._admitting[key] = self._steps(key, "admit")
        for _ in range(_ROUNDS_MAX):
            for step in steps:
                pending = step(req, operation, obj, old)
                if pending is not None:
                    obj = await pending
            if req.reinvocation is None or not _begins_again(req):  # type: ignore[unreachable]  # by a plugin
                break
        return obj

    async def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        """Nothing is awaited after the last plugin that waits for others: what the later ones find still stands."""
        key = (req.kind, operation, req.subresource)
        steps = self._validating.get(key)
        if steps is None:
            steps = self._validating[key] = self._steps(key, "validate")
        for step in steps:
            pending = step(req, operation, obj, old)
            if pending is not None:
                await pending

    def preparations(self, req: Request) -> tuple[Preparation, ...]:
        """What a create waits for before it is admitted: for most kinds nothing."""
        key = (req.kind, Operation.CREATE, req.subresource)
        steps = self._preparing.get(key)
        if steps is None:
            steps = self._preparing[key] = self._steps(key, "prepare")
        return steps

    def _steps(self, key: tuple[Kind, Operation, str], method: str) -> tuple[Any, ...]:
        """The bound methods that a request runs: of plugins that handle it and say anything at this stage."""
        return tuple(
            getattr(plugin, method)
            for plugin in self._plugins
            if getattr(type(plugin), method) is not getattr(Plugin, method) and plugin.handles(*key)
        )


def _begins_again(req: Request) -> bool:
    """Whether a plugin wants a second round."""
    reinvocation = req.reinvocation
    if reinvocation is None or not reinvocation.wanted:
        return False
    reinvocation.again = True
    return True


NOBODY = Chain(())
"""For what is part of a request that admission has seen as a whole."""
