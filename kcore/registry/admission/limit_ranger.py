"""What containers, pods and claims of a namespace may ask for, and what containers get that ask for nothing.

Pods are looked at when they are made or resized: nothing that counts here changes at any other time. Claims may
grow, and are looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kcore.api import quantity
from kcore.api.core_v1 import Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod, ResourceRequirements
from kcore.api.kind import Kind
from kcore.api.pod_resources import ResourceList, container_limits, container_requests
from kcore.api.schema import fill
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.mirror import Mirror
from kcore.registry.request import Request
from kcore.registry.strategy import Environment, Strategies

__all__ = ["LimitRanger", "complete", "violations"]

ANNOTATION = "kubernetes.io/limit-ranger"
_NOTHING = ResourceRequirements()


class LimitRanger(Plugin):
    def __init__(self, env: Environment, strategies: Strategies) -> None:
        super().__init__(env, strategies)
        self._all = Mirror(env.store, "limitranges/")

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        if kind.type is Pod:
            return (operation, subresource) in ((Operation.CREATE, ""), (Operation.UPDATE, "resize"))
        return kind.type is PersistentVolumeClaim and operation is not Operation.DELETE and not subresource

    def admit(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        if isinstance(obj, Pod):
            for limits in self._ranges(req.namespace):
                complete(obj, limits)

    def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        if old is not None and old.metadata.deletion_timestamp:
            return
        for limits in self._ranges(req.namespace):
            if words := list(dict.fromkeys(violations(obj, limits))):
                raise forbidden(req, obj, words[0] if len(words) == 1 else f"[{', '.join(words)}]")

    def _ranges(self, namespace: str) -> Sequence[LimitRange]:
        if self._all.stale:
            self._all.follow()
        if not self._all.records:  # as in most clusters
            return ()
        return [r.obj for r in self.env.store.range(f"limitranges/{namespace}/").records]


def complete(pod: Pod, limits: LimitRange) -> None:
    """Give containers the defaults of a range, and note on the pod which."""
    default_requests: dict[str, str] = {}
    default_limits: dict[str, str] = {}
    for item in limits.spec.limits or ():
        if item.type == "Container":
            default_requests |= item.default_request
            default_limits |= item.default
    notes: list[str] = []
    for word, containers in (("container", pod.spec.containers), ("init container", pod.spec.init_containers)):
        for container in containers:
            notes += _complete_container(container, word, default_requests, default_limits)
    if notes:
        note = f"LimitRanger plugin set: {'; '.join(notes)}"
        fill(pod.metadata, annotations={**pod.metadata.annotations, ANNOTATION: note})


def _complete_container(container: Container, word: str, requests: ResourceList, limits: ResourceList) -> Iterator[str]:
    resources = container.resources
    for field, given, defaults in (
        ("requests", resources.requests, requests),
        ("limits", resources.limits, limits),
    ):
        missing = sorted(defaults.keys() - given.keys())
        if missing:
            fill(resources, **{field: {**given, **{name: defaults[name] for name in missing}}})
            yield f"{', '.join(missing)} {field[:-1]} for {word} {container.name}"


def violations(obj: Pod | PersistentVolumeClaim, limits: LimitRange) -> Iterator[str]:
    """How an object breaks a range, in words."""
    for item in limits.spec.limits or ():
        if isinstance(obj, PersistentVolumeClaim):
            if item.type == "PersistentVolumeClaim":
                yield from _claim_violations(item, obj.spec.resources.requests)
        elif item.type == "Container":
            for container in (*obj.spec.containers, *obj.spec.init_containers):
                yield from _violations(item, container.resources.requests, container.resources.limits)
        elif item.type == "Pod":
            whole = obj.spec.resources or _NOTHING
            requests = container_requests(obj.spec) | _of_pods(whole.requests)
            yield from _violations(item, requests, container_limits(obj.spec) | _of_pods(whole.limits))


def _of_pods(amounts: ResourceList) -> dict[str, str]:
    """What a pod itself may say for all its containers, as far as ranges know of it. Its overhead does not count."""
    return {name: amounts[name] for name in ("cpu", "memory") if name in amounts}


def _claim_violations(item: LimitRangeItem, requests: ResourceList) -> Iterator[str]:
    """Claims have no limits: the maximum is held against what they request."""
    for name, least in sorted(item.min.items()):
        yield from _below(item.type, name, least, requests, {})
    for name, most in sorted(item.max.items()):
        given = requests.get(name)
        usage = f"maximum {name} usage per {item.type} is {most}"
        if given is None:
            yield f"{usage}.  No request is specified"
        elif quantity.compare(given, most) > 0:
            yield f"{usage}, but request is {given}"


def _violations(item: LimitRangeItem, requests: ResourceList, limits: ResourceList) -> Iterator[str]:
    for name, least in sorted(item.min.items()):
        yield from _below(item.type, name, least, requests, limits)
    for name, most in sorted(item.max.items()):
        yield from _above(item.type, name, most, requests, limits)
    for name, ratio in sorted(item.max_limit_request_ratio.items()):
        yield from _beyond_ratio(item.type, name, ratio, requests, limits)


def _below(type_: str, name: str, least: str, requests: ResourceList, limits: ResourceList) -> Iterator[str]:
    request, limit = requests.get(name), limits.get(name)
    usage = f"minimum {name} usage per {type_} is {least}"
    if request is None:
        yield f"{usage}.  No request is specified"
    elif quantity.compare(request, least) < 0:
        yield f"{usage}, but request is {request}"
    elif limit is not None and quantity.compare(limit, least) < 0:
        yield f"{usage}, but limit is {limit}"


def _above(type_: str, name: str, most: str, requests: ResourceList, limits: ResourceList) -> Iterator[str]:
    request, limit = requests.get(name), limits.get(name)
    usage = f"maximum {name} usage per {type_} is {most}"
    if limit is None:
        yield f"{usage}.  No limit is specified"
    elif quantity.compare(limit, most) > 0:
        yield f"{usage}, but limit is {limit}"
    elif request is not None and quantity.compare(request, most) > 0:
        yield f"{usage}, but request is {request}"


def _beyond_ratio(type_: str, name: str, ratio: str, requests: ResourceList, limits: ResourceList) -> Iterator[str]:
    request, limit = _amount(requests, name), _amount(limits, name)
    usage = f"{name} max limit to request ratio per {type_} is {ratio}"
    if not request:
        yield f"{usage}, but no request is specified or request is 0"
    elif not limit:
        yield f"{usage}, but no limit is specified or limit is 0"
    elif limit * 10**9 > quantity.parse(ratio).nanos * request:
        yield f"{usage}, but provided ratio is {limit / request:f}"


def _amount(amounts: Mapping[str, str], name: str) -> int:
    return quantity.parse(amounts[name]).nanos if name in amounts else 0
