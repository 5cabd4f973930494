"""Which devices satisfy claims on one node: structured parameters (KEP-4381), searched with backtracking.

Requests are satisfied in their order, each by the first devices that will do; where a later one then finds none, an
earlier one takes others. Alternatives (`firstAvailable`) are tried in their order. A device that allows it may be
given to several, as far as its capacity goes (`scheduler.device_capacity`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from kcore.api.core_v1 import Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from kcore.api.node_affinity import NAME_FIELD, selects_node
from kcore.api.quantity import int_value
from kcore.api.resource_v1 import (
    AllocationResult,
    Device,
    DeviceAllocationConfiguration,
    DeviceAllocationResult,
    DeviceClass,
    DeviceConstraint,
    DeviceRequest,
    DeviceRequestAllocationResult,
    DeviceSubRequest,
    DeviceTaint,
    DeviceToleration,
    ExactDeviceRequest,
    ResourceClaim,
    ResourceSlice,
)
from kcore.scheduler.device_capacity import Usage, consumption
from kcore.scheduler.device_selectors import attribute, matches

__all__ = ["AllocationError", "DeviceId", "Offer", "Shares", "allocate", "devices_of", "offers", "shares_of"]

MOST_DEVICES = 32
"""How many devices a claim can have."""

Asked = ExactDeviceRequest | DeviceSubRequest


class DeviceId(NamedTuple):
    driver: str
    pool: str
    device: str


Shares = Mapping[DeviceId, Sequence[Mapping[str, str]]]
"""What each user of a shared device has of its capacities."""


class AllocationError(ValueError):
    """A claim that no node can satisfy as it is."""


class Offer(NamedTuple):
    """A device that a node can use, with the slice that publishes it."""

    id: DeviceId
    device: Device
    slice: ResourceSlice
    complete: bool


class _Alternative(NamedTuple):
    """One way in which a request may be satisfied."""

    claim: int
    request: str
    name: str
    asked: Asked
    device_class: DeviceClass | None


class _Pick(NamedTuple):
    alternative: _Alternative
    offer: Offer
    share: Mapping[str, str] | None
    """What is taken of a device that others may use, too."""


def devices_of(claim: ResourceClaim) -> Iterator[DeviceId]:
    """What a claim has been given for itself; administrators' access takes nothing away."""
    allocation = claim.status.allocation
    for result in allocation.devices.results if allocation is not None else ():
        if not result.admin_access and not result.share_id:
            yield DeviceId(result.driver, result.pool, result.device)


def shares_of(claim: ResourceClaim) -> Iterator[tuple[DeviceId, Mapping[str, str]]]:
    """What a claim has been given of devices that it shares."""
    allocation = claim.status.allocation
    for result in allocation.devices.results if allocation is not None else ():
        if result.share_id:
            yield DeviceId(result.driver, result.pool, result.device), result.consumed_capacity


def offers(slices: Iterable[ResourceSlice], node: Node) -> list[Offer]:
    """All devices for a node, by the newest generation of each pool."""
    pools: dict[tuple[str, str], list[ResourceSlice]] = {}
    for one in slices:
        pools.setdefault((one.spec.driver, one.spec.pool.name), []).append(one)
    found = []
    for (driver, pool), published in pools.items():
        newest = max(one.spec.pool.generation for one in published)
        current = [one for one in published if one.spec.pool.generation == newest]
        complete = len(current) == current[0].spec.pool.resource_slice_count
        for one in current:
            reached = [device for device in one.spec.devices if _reaches(one, device, node)]
            found += [Offer(DeviceId(driver, pool, device.name), device, one, complete) for device in reached]
    return found


def _reaches(one: ResourceSlice, device: Device, node: Node) -> bool:
    where = device if one.spec.per_device_node_selection else one.spec
    if where.all_nodes or where.node_name == node.metadata.name:
        return True
    return where.node_selector is not None and selects_node(where.node_selector, node)


NOTHING_SHARED: Shares = MappingProxyType({})


def allocate(
    claims: Sequence[ResourceClaim],
    offered: Sequence[Offer],
    taken: Callable[[DeviceId], bool],
    classes: Mapping[str, DeviceClass],
    node: Node,
    shares: Shares = NOTHING_SHARED,
    new_id: Callable[[], str] = lambda: "",
) -> list[AllocationResult] | None:
    """An allocation for each claim, or None where the node has not enough. `new_id` names shares of devices. Raises
    AllocationError, SelectorError."""
    search = _Search(claims, offered, taken, shares, classes)
    picks = search.run()
    if picks is None:
        return None
    return [_result(claim, index, picks, node, new_id) for index, claim in enumerate(claims)]


class _Search:
    """The state of one search: what has been picked so far."""

    def __init__(
        self,
        claims: Sequence[ResourceClaim],
        offered: Sequence[Offer],
        taken: Callable[[DeviceId], bool],
        shares: Shares,
        classes: Mapping[str, DeviceClass],
    ) -> None:
        self._claims = claims
        self._classes = classes
        self._offered = offered
        self._taken = taken
        self._picks: list[_Pick] = []
        self._picked: set[DeviceId] = set()
        self._usage = {device: Usage(users) for device, users in shares.items()}
        self._matching: dict[int, list[Offer]] = {}
        self._requests = [
            (index, request) for index, claim in enumerate(claims) for request in claim.spec.devices.requests
        ]
        self._counters = _Counters(offered, lambda device: taken(device) or device in shares)

    def run(self) -> list[_Pick] | None:
        return self._picks if self._satisfy(0) else None

    def _satisfy(self, number: int) -> bool:
        """Satisfy this request and all that follow."""
        if number == len(self._requests):
            return True
        claim, request = self._requests[number]
        return any(self._take(alternative, number) for alternative in self._alternatives(claim, request))

    def _alternatives(self, claim: int, request: DeviceRequest) -> Iterator[_Alternative]:
        asked: Sequence[tuple[str, Asked]] = [(f"{request.name}/{sub.name}", sub) for sub in request.first_available]
        for name, one in [(request.name, request.exactly)] if request.exactly is not None else asked:
            assert one is not None
            found = self._classes.get(one.device_class_name)
            if found is None and one.device_class_name:
                raise AllocationError(f"request {name}: device class {one.device_class_name} does not exist")
            yield _Alternative(claim, request.name, name, one, found)

    def _take(self, alternative: _Alternative, number: int) -> bool:
        matching = self._find(alternative)
        if alternative.asked.allocation_mode == "All":
            if not matching or not all(offer.complete for offer in matching):
                return False
            return self._take_all(alternative, matching, number)
        return self._take_some(alternative, matching, alternative.asked.count or 1, 0, number)

    def _take_all(self, alternative: _Alternative, matching: Sequence[Offer], number: int) -> bool:
        before = len(self._picks)
        if all(self._pick(alternative, offer) for offer in matching) and self._satisfy(number + 1):
            return True
        self._undo(before)
        return False

    def _take_some(
        self, alternative: _Alternative, matching: Sequence[Offer], count: int, start: int, number: int
    ) -> bool:
        """So many of the devices from `start` on, then the rest of the requests. A shared one can be had again."""
        if not count:
            return self._satisfy(number + 1)
        shared = any(offer.device.allow_multiple_allocations for offer in matching)
        for index in range(start, len(matching) if shared else len(matching) - count + 1):
            before = len(self._picks)
            if self._pick(alternative, matching[index]):
                following = index if matching[index].device.allow_multiple_allocations else index + 1
                if self._take_some(alternative, matching, count - 1, following, number):
                    return True
                self._undo(before)
        return False

    def _find(self, alternative: _Alternative) -> list[Offer]:
        """The devices that match; which of them are free changes as the search goes on."""
        asked, found = alternative.asked, alternative.device_class
        if id(asked) not in self._matching:
            selectors = (*(found.spec.selectors if found is not None else ()), *asked.selectors)
            self._matching[id(asked)] = [
                offer
                for offer in self._offered
                if _tolerated(offer.device.taints, asked.tolerations)
                and (asked.capacity is None or consumption(asked.capacity, offer.device) is not None)
                and matches(selectors, offer.id.driver, offer.device)
            ]
        return self._matching[id(asked)]

    def _pick(self, alternative: _Alternative, offer: Offer) -> bool:
        """Pick one device, if there is room on it and no constraint objects."""
        admin, share = _is_admin(alternative.asked), None
        if not admin and offer.device.allow_multiple_allocations:
            share = consumption(alternative.asked.capacity, offer.device)
            if share is None:
                return False
        usage = self._usage.get(offer.id) or Usage()
        if not admin and (offer.id in self._picked or self._taken(offer.id)):
            return False
        if not admin and not (usage.has_room(offer.device, share) if share is not None else not usage.users):
            return False
        pick = _Pick(alternative, offer, share)
        mine = [one for one in self._picks if one.alternative.claim == alternative.claim]
        if len(mine) >= MOST_DEVICES or not self._allowed([*mine, pick], alternative.claim):
            return False
        if not admin and not usage.users and not self._counters.take(offer, 1):
            return False
        if share is not None:
            usage.add(share)
            self._usage[offer.id] = usage
        elif not admin:
            self._picked.add(offer.id)
        self._picks.append(pick)
        return True

    def _undo(self, count: int) -> None:
        while len(self._picks) > count:
            pick = self._picks.pop()
            if _is_admin(pick.alternative.asked):
                continue
            if pick.share is not None:
                self._usage[pick.offer.id].add(pick.share, -1)
            else:
                self._picked.discard(pick.offer.id)
            if pick.share is None or not self._usage[pick.offer.id].users:
                self._counters.take(pick.offer, -1)

    def _allowed(self, picks: Sequence[_Pick], claim: int) -> bool:
        constraints = self._claims[claim].spec.devices.constraints
        return all(_holds(constraint, picks) for constraint in constraints)


class _Counters:
    """What is left of the counters that devices of a pool share (KEP-4815)."""

    def __init__(self, offered: Sequence[Offer], taken: Callable[[DeviceId], bool]) -> None:
        self._left: dict[tuple[str, str, str, str], int] = {}
        seen = set()
        for offer in offered:
            if id(offer.slice) not in seen:
                seen.add(id(offer.slice))
                for shared in offer.slice.spec.shared_counters:
                    for name, counter in shared.counters.items():
                        key = (offer.id.driver, offer.id.pool, shared.name, name)
                        self._left[key] = int_value(counter.value)
        for offer in offered:
            if offer.device.consumes_counters and taken(offer.id):
                self.take(offer, 1)

    def take(self, offer: Offer, sign: int) -> bool:
        """Use up what a device needs, or give it back; False: there was not enough, and nothing was taken."""
        wanted = {
            (offer.id.driver, offer.id.pool, consumption.counter_set, name): int_value(counter.value)
            for consumption in offer.device.consumes_counters
            for name, counter in consumption.counters.items()
        }
        if sign > 0 and any(self._left.get(key, 0) < amount for key, amount in wanted.items()):
            return False
        for key, amount in wanted.items():
            self._left[key] = self._left.get(key, 0) - sign * amount
        return True


def _holds(constraint: DeviceConstraint, picks: Sequence[_Pick]) -> bool:
    """Whether the devices of the requests that a constraint is about have the same value, or all different ones."""
    about = [
        pick
        for pick in picks
        if not constraint.requests
        or pick.alternative.request in constraint.requests
        or pick.alternative.name in constraint.requests
    ]
    name = constraint.match_attribute or constraint.distinct_attribute
    values = [attribute(pick.offer.id.driver, pick.offer.device, name) for pick in about]
    if None in values:
        return False
    if constraint.match_attribute:
        return all(value == values[0] for value in values)
    return all(value not in values[:index] for index, value in enumerate(values))


def _is_admin(asked: Asked) -> bool:
    return isinstance(asked, ExactDeviceRequest) and bool(asked.admin_access)


def _tolerated(taints: Iterable[DeviceTaint], tolerations: Sequence[DeviceToleration]) -> bool:
    """Whether every taint that keeps claims away is tolerated."""
    return all(
        any(_tolerates(toleration, taint) for toleration in tolerations)
        for taint in taints
        if taint.effect in ("NoSchedule", "NoExecute")
    )


def _tolerates(toleration: DeviceToleration, taint: DeviceTaint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    return toleration.operator == "Exists" or (bool(toleration.key) and toleration.value == taint.value)


def _result(
    claim: ResourceClaim, index: int, picks: Sequence[_Pick], node: Node, new_id: Callable[[], str]
) -> AllocationResult:
    mine = [pick for pick in picks if pick.alternative.claim == index]
    results = [
        DeviceRequestAllocationResult(
            request=pick.alternative.name,
            driver=pick.offer.id.driver,
            pool=pick.offer.id.pool,
            device=pick.offer.id.device,
            admin_access=True if _is_admin(pick.alternative.asked) else None,
            tolerations=pick.alternative.asked.tolerations,
            consumed_capacity=pick.share or {},
            share_id=new_id() if pick.share is not None else "",
            binding_conditions=pick.offer.device.binding_conditions,
            binding_failure_conditions=pick.offer.device.binding_failure_conditions,
        )
        for pick in mine
    ]
    devices = DeviceAllocationResult(results=tuple(results), config=tuple(_configuration(claim, mine)))
    return AllocationResult(devices=devices, node_selector=_where(mine, node))


def _configuration(claim: ResourceClaim, picks: Sequence[_Pick]) -> Iterator[DeviceAllocationConfiguration]:
    """What drivers are told: first by the classes of the requests, then by the claim itself."""
    told = set()
    for pick in picks:
        found = pick.alternative.device_class
        if found is not None and pick.alternative.name not in told:
            told.add(pick.alternative.name)
            for config in found.spec.config:
                requests = (pick.alternative.name,)
                yield DeviceAllocationConfiguration(source="FromClass", requests=requests, opaque=config.opaque)
    names = {name for pick in picks for name in (pick.alternative.name, pick.alternative.request)}
    for given in claim.spec.devices.config:
        if not given.requests or not names.isdisjoint(given.requests):
            yield DeviceAllocationConfiguration(source="FromClaim", requests=given.requests, opaque=given.opaque)


def _where(picks: Sequence[_Pick], node: Node) -> NodeSelector | None:
    """From which nodes the devices can be used; None: from all."""
    expressions: list[NodeSelectorRequirement] = []
    for pick in picks:
        one, device = pick.offer.slice.spec, pick.offer.device
        where = device if one.per_device_node_selection else one
        if where.node_name or device.binds_to_node:
            name = NodeSelectorRequirement(key=NAME_FIELD, operator="In", values=(node.metadata.name,))
            return NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=(name,)),))
        for term in where.node_selector.node_selector_terms if where.node_selector is not None else ():
            expressions += [e for e in term.match_expressions if e not in expressions]
    if not expressions:
        return None
    return NodeSelector(node_selector_terms=(NodeSelectorTerm(match_expressions=tuple(expressions)),))
