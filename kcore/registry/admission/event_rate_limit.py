"""Events come at most so often: in all, from a namespace, from a user, or about one object from one source."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

from msgspec import field

from kcore.api import core_v1, events_v1
from kcore.api.errors import TooManyRequests
from kcore.api.field import FieldError, Path, invalid, not_supported
from kcore.api.kind import Kind
from kcore.api.meta_v1 import StatusDetails
from kcore.api.schema import LIST_ATOMIC, Int32, Struct, TypeMeta
from kcore.registry.admission.configuration import PluginConfiguration
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request
from kcore.registry.strategy import Environment, Strategies

__all__ = ["Bucket", "EventRateLimit", "configuration_errors"]

_CACHE = 4096


class Limit(Struct):
    type: str = ""
    qps: Int32 = 0
    burst: Int32 = 0
    cache_size: Int32 = 0


class Configuration(TypeMeta):
    """eventratelimit.admission.k8s.io/v1alpha1 Configuration."""

    limits: Annotated[tuple[Limit, ...], LIST_ATOMIC] = field(default=())


def configuration_errors(configuration: Configuration) -> Iterator[FieldError]:
    path = Path("limits")
    if not configuration.limits:
        yield invalid(path, "", "must not be empty")
    for i, limit in enumerate(configuration.limits):
        if limit.type not in _KEYS:
            yield not_supported(path @ i / "type", limit.type, tuple(_KEYS))
        for name in ("burst", "qps"):
            if getattr(limit, name) <= 0:
                yield invalid(path @ i / name, getattr(limit, name), "must be positive")
        if limit.cache_size < 0 and limit.type != "Server":
            yield invalid(path @ i / "cacheSize", limit.cache_size, "must not be negative")


class EventRateLimit(Plugin):
    on_by_default = False
    configuration = PluginConfiguration(
        "eventratelimit.admission.k8s.io/v1alpha1", "Configuration", Configuration, configuration_errors, needed=True
    )

    def __init__(self, env: Environment, strategies: Strategies, settings: Configuration | None = None) -> None:
        super().__init__(env, strategies)
        self._limits = [_Limiter(limit) for limit in (settings or Configuration()).limits]

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type in (core_v1.Event, events_v1.Event) and operation in (Operation.CREATE, Operation.UPDATE)

    def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        now = self.env.clock.now()
        refused = [words for limiter in self._limits if (words := limiter.refusal(req, obj, now))]
        if refused:
            raise TooManyRequests(refused[-1], StatusDetails(retry_after_seconds=1))


class Bucket:
    """Tokens that fill up at a rate, as many as fit."""

    __slots__ = ("_burst", "_qps", "_seen", "_tokens")

    def __init__(self, qps: float, burst: float, now: float) -> None:
        self._qps = qps
        self._burst = burst
        self._tokens = burst
        self._seen = now

    def take(self, now: float) -> bool:
        self._tokens = min(self._burst, self._tokens + (now - self._seen) * self._qps)
        self._seen = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class _Limiter:
    """The buckets of one limit, one for each key; those used longest ago are forgotten."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._key = _KEYS[limit.type]
        self._room = limit.cache_size or _CACHE
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def refusal(self, req: Request, event: Any, now: float) -> str:
        key = self._key(req, event)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._limit.qps, self._limit.burst, now)
            if len(self._buckets) > self._room:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return "" if bucket.take(now) else f"limit reached on type {self._limit.type} for key {key}"


def _source_and_object(req: Request, event: core_v1.Event | events_v1.Event) -> str:
    if isinstance(event, core_v1.Event):
        source, about = event.source, event.involved_object
    else:
        source, about = event.deprecated_source, event.regarding
    return "".join(
        (source.component, source.host, about.kind, about.namespace, about.name, about.uid, about.api_version)
    )


_KEYS: Mapping[str, Callable[[Request, Any], str]] = {
    "Server": lambda req, event: "",
    "Namespace": lambda req, event: req.namespace,
    "User": lambda req, event: req.user.name,
    "SourceAndObject": _source_and_object,
}
