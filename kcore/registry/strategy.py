"""What is particular to a kind. The base class is the strategy of a kind with nothing particular.

Objects given to `default` and `prepare_*` are fresh and belong to the request: they are filled in place
(`kcore.api.schema.fill`). `old` is shared: nothing of it may be filled, not even after it was put into `new`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeAlias

import msgspec

from kcore.api.field import FieldError
from kcore.api.kind import Kind
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.names import dns1123_subdomain
from kcore.api.schema import fill
from kcore.api.scheme import Scheme
from kcore.kit.clock import Chance, Clock
from kcore.registry.access import Authorizer, BuiltInAccess
from kcore.registry.request import Request
from kcore.registry.service_account_tokens import ServiceAccountTokens
from kcore.registry.validation.addresses import Network
from kcore.registry.webhook_client import Unconnected, WebhookClient
from kcore.registry.webhook_figures import WebhookFigures
from kcore.store.store import Record, Store

__all__ = ["Environment", "Settle", "Strategies", "Strategy"]

Settle: TypeAlias = Callable[[bool], None]
"""Told whether the object was stored: keeps or gives back what was taken for it."""


class Environment(NamedTuple):
    """What a strategy or admission plugin may look at beyond its request."""

    store: Store
    scheme: Scheme
    clock: Clock
    chance: Chance
    webhook_figures: WebhookFigures
    service_cidr: str = "10.96.0.0/16"
    node_ports: tuple[int, int] = (30000, 32767)
    pod_loopback: Network | None = None
    """The loopback addresses that are pods of this machine: endpoints may name them."""
    authorizer: Authorizer = BuiltInAccess()
    tokens: ServiceAccountTokens | None = None
    webhooks: WebhookClient = Unconnected()


class Strategy:
    """The rules of one kind; one instance for each.

    A create runs: default, mutating admission, begin, prepare_for_create, validate, validating admission, commit,
    and at last what `begin` answered.
    An update runs the same way with the `_update` forms. Updates of a subresource whose body is the object
    itself (status, resize, approval, ...) run the `_status_update` forms; `req.subresource` tells which.
    """

    type: ClassVar[type[Any] | None] = None
    """The Struct whose kind this is for."""

    stored_as: ClassVar[Any] = None
    """The Struct as which objects are kept, where this kind is a view of another; see `to_stored`."""

    selectable: ClassVar[Mapping[str, Callable[[Any], str]]] = {}
    """Field selectors beyond metadata.name and metadata.namespace: name -> how to read it from an object."""

    indexed: ClassVar[tuple[str, ...]] = ()
    """Names out of `selectable` by which watches are narrowed without looking at each event."""

    generation: ClassVar[tuple[str, ...]] = ()
    """The attributes whose change raises metadata.generation, such as `("spec",)`; none: there is no generation."""

    name_rule: ClassVar[staticmethod[[str], list[str]]] = staticmethod(dns1123_subdomain)
    """What is wrong with a name, or with a generateName once its trailing dash is masked."""

    keeps_reports: ClassVar[bool] = False
    """Whether an update of the status fills no part of the one it is given, which may thus be shared."""

    create_on_update: ClassVar[bool] = False
    unconditional_update: ClassVar[bool] = True
    """Whether an update without resourceVersion overwrites whatever stands."""

    returns_deleted: ClassVar[bool] = False
    """Whether delete answers the deleted object where other kinds answer a Status."""

    alike: ClassVar[bool] = False
    """Whether objects are made from templates, by the thousand, so that it pays to keep equal parts once, and nothing
    beside them."""

    followed: ClassVar[bool] = True
    """Whether caches in this process have the kind's objects decoded anyway."""

    default_orphans: ClassVar[bool] = False
    """Whether deletion without a propagation policy leaves the dependents alone (ReplicationController)."""

    def __init__(self, kind: Kind, env: Environment) -> None:
        self.kind = kind
        self.env = env
        self._others = tuple(
            f for f in kind.type.__struct_fields__ if f not in ("kind", "api_version", "metadata", "status")
        )
        self._no_status = _default_of(kind.type, "status") if kind.subresource("status") else None

    def stored_kind(self) -> Kind | None:
        """As which kind objects are kept, where this one is a view of them."""
        return None if self.stored_as is None else self.env.scheme.of(self.stored_as)

    def to_stored(self, obj: Any) -> Any:
        """A view's object as it is kept; its metadata may be shared with `obj`, which is fresh."""
        return obj

    def from_stored(self, obj: Any) -> Any:
        """A kept object as the view shows it; the parts may be shared."""
        return obj

    def rewrites(self, record: Record) -> bool:
        """Whether an object that stands is stored otherwise than it would be today: an update without change counts."""
        return False

    def default(self, obj: Any) -> None:
        """Fill what the client left out: upstream's SetDefaults, run on every decoded body."""

    def receive(self, req: Request, obj: Any) -> None:
        """Look at a freshly decoded body, before anything else does: complete it, or raise ApiError."""
        self.default(obj)

    def prepare_for_create(self, req: Request, obj: Any) -> None:
        """Clear what clients may not set (status), start the generation."""
        if self._no_status:
            fill(obj, status=self._no_status())
        if self.generation:
            fill(obj.metadata, generation=1)

    def prepare_for_update(self, req: Request, new: Any, old: Any) -> None:
        """Keep what an update may not touch (status), raise the generation where the spec changed."""
        if self._no_status:
            fill(new, status=old.status)
        for name in self.generation:
            if getattr(new, name) != getattr(old, name):
                fill(new.metadata, generation=old.metadata.generation + 1)
                break

    def validate(self, req: Request, obj: Any) -> Sequence[FieldError]:
        """Broken rules of a new object; metadata is checked elsewhere, for every kind alike."""
        return ()

    def shape(self, obj: Any) -> bytes | None:
        """All that `validate` and `warnings` of a new object look at, where that repeats from object to object.

        An object of the shape of another that was found good, and without advice, is not looked at again. None: look.
        """
        return None

    def validate_update(self, req: Request, new: Any, old: Any) -> Sequence[FieldError]:
        """Broken rules of a changed object: those of `validate` and the immutable fields."""
        return self.validate(req, new)

    def prepare_for_status_update(self, req: Request, new: Any, old: Any) -> None:
        """Keep everything but the status (and metadata: kinds that guard labels here say so)."""
        for name in self._others:
            fill(new, **{name: getattr(old, name)})

    def validate_status_update(self, req: Request, new: Any, old: Any) -> Sequence[FieldError]:
        return ()

    def warnings(self, req: Request, obj: Any, old: Any = None) -> Sequence[str]:
        """Advice for the client, sent as Warning headers."""
        return ()

    def begin(self, req: Request, new: Any, old: Any | None) -> Settle | None:
        """Take what must be unique (cluster IPs, ports) for a create (`old` is None) or update, without awaiting.

        It runs before `prepare_*` and `validate`, as upstream's BeginCreate and BeginUpdate do, so that what it
        fills in is checked too, and may raise ApiError. The answer must be called exactly once: with True after
        the commit, with False when the object was not stored after all (invalid, refused, conflict, dry run).
        """
        return None

    def deleted(self, obj: Any) -> None:
        """The object is gone from the store: give back what `begin` took for it."""

    def grace_period(self, req: Request, obj: Any, options: DeleteOptions) -> int | None:
        """Seconds an object may take to go; None: it goes at once (unless finalizers hold it)."""
        return None

    def holds_deletion(self, obj: Any) -> bool:
        """Whether something beside metadata.finalizers keeps the object (Namespace: spec.finalizers)."""
        return False

    def begin_deletion(self, obj: Any) -> None:
        """In place, on the fresh copy that is stored with its first deletionTimestamp (Namespace: its phase)."""


Strategies: TypeAlias = Callable[[Kind], Strategy]
"""The strategy of each kind."""


def _default_of(type_: type[Any], name: str) -> Callable[[], Any] | None:
    """How to make the empty value of a field: its default, fresh where it is an object."""
    field = next((f for f in msgspec.structs.fields(type_) if f.name == name), None)
    if field is None:
        return None
    factory: Any = field.default_factory
    return (lambda: field.default) if factory is msgspec.NODEFAULT else factory
