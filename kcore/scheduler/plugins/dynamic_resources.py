"""Devices for pods: ResourceClaims are allocated where the pod goes (dynamic resource allocation).

Claims that have devices already bind the pod to nodes from which these can be used; for the others the devices of each
node are searched. The choice is assumed when a node has been chosen, and written, with the pod's reservation, before
the pod is bound; devices that have to be made ready are waited for then (`scheduler.device_binding`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

import anyio
from msgspec.structs import replace

from kcore.api.core_v1 import Node, Pod
from kcore.api.duration import seconds
from kcore.api.errors import ApiError
from kcore.api.node_affinity import selects_node
from kcore.api.object import Object
from kcore.api.resource_v1 import (
    AllocationResult,
    DeviceClass,
    ResourceClaim,
    ResourceClaimConsumerReference,
    ResourceSlice,
)
from kcore.api.timestamp import format_seconds
from kcore.client.client import Client
from kcore.client.events import EventRecorder
from kcore.client.informer import Informers, key_of
from kcore.kit.clock import Chance, Clock
from kcore.scheduler.assumptions import Assumptions
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.config.args import DynamicResourcesArgs
from kcore.scheduler.device_allocation import (
    AllocationError,
    DeviceId,
    Shares,
    allocate,
    devices_of,
    offers,
    shares_of,
)
from kcore.scheduler.device_binding import BINDING_SECONDS, failed_device, has_timed_out, is_ready
from kcore.scheduler.device_selectors import SelectorError
from kcore.scheduler.diagnosis import Diagnosis
from kcore.scheduler.framework import (
    SKIP,
    UNSHARED,
    Ask,
    ClusterEvent,
    Code,
    CycleState,
    Hint,
    PostFilterResult,
    PreFilterResult,
    Status,
    unresolvable,
    unschedulable,
)
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo

__all__ = ["DynamicResources"]

IN_USE = "resourceclaim in use"
ELSEWHERE = "resourceclaim not available on the node"
NOT_ENOUGH = "cannot allocate all claims"
MOST_CONSUMERS = 256
PROTECTION = "resource.kubernetes.io/delete-protection"
CHOSEN = "DynamicResources: what is chosen"


class _Claims(NamedTuple):
    """The claims of a pod, those of them that have no devices yet, those whose devices could not be made ready, and
    what there is for them."""

    all: Sequence[ResourceClaim]
    open: Sequence[ResourceClaim]
    lost: Sequence[ResourceClaim]
    stock: _Stock


class _Stock(NamedTuple):
    """All devices as of one moment: slices of single nodes and of several, what of them is taken, and the classes."""

    local: Mapping[str, Sequence[ResourceSlice]]
    shared: Sequence[ResourceSlice]
    taken: frozenset[DeviceId]
    shares: Shares
    classes: Mapping[str, DeviceClass]

    def allocate(
        self, claims: Sequence[ResourceClaim], node: Node, new_id: Callable[[], str] = lambda: ""
    ) -> list[AllocationResult] | None:
        """See `device_allocation.allocate`."""
        slices = (*self.local.get(node.metadata.name, ()), *self.shared)
        taken = self.taken.__contains__
        return allocate(claims, offers(slices, node), taken, self.classes, node, self.shares, new_id)


class DynamicResources:
    name = "DynamicResources"

    def __init__(
        self,
        informers: Informers,
        cache: SchedulerCache,
        client: Client,
        clock: Clock,
        chance: Chance,
        recorder: EventRecorder,
        args: DynamicResourcesArgs | None = None,
    ) -> None:
        timeout = args.binding_timeout if args is not None else None
        self._binding_seconds = seconds(timeout) if timeout else BINDING_SECONDS
        self._clock = clock
        self._recorder = recorder
        self._changed = anyio.Event()
        self._informer = informers.of(ResourceClaim)
        self._claims: Assumptions[ResourceClaim] = Assumptions(self._informer)
        self._classes = informers.of(DeviceClass)
        self._slices = informers.of(ResourceSlice)
        self._cache = cache
        self._client = client
        self._chance = chance
        self._informer.add_handler(self._claim_changed)
        self._pending: set[str] = set()
        """The uids of claims whose allocation is being written."""

    def sign(self, pod: PodInfo) -> Hashable:
        return UNSHARED if pod.pod.spec.resource_claims else None

    def pre_enqueue(self, pod: Pod) -> Status | None:
        found = self._of_pod(pod) if pod.spec.resource_claims else ()
        return unresolvable(found) if isinstance(found, str) else None

    def pre_filter(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> PreFilterResult | None:
        if not pod.pod.spec.resource_claims:
            return PreFilterResult(SKIP)
        claims = self._of_pod(pod.pod)
        if isinstance(claims, str):
            return PreFilterResult(unresolvable(claims))
        if not claims:
            return PreFilterResult(SKIP)
        for claim in claims:
            objection = self._objection(claim, pod.pod)
            if objection:
                return PreFilterResult(unresolvable(objection))
        unmet = [claim for claim in claims if claim.status.allocation is None]
        state[self.name] = _Claims(claims, unmet, [claim for claim in claims if self._is_lost(claim)], self._stock())
        return None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        claims: _Claims = state[self.name]
        assert node.node is not None
        if claims.lost:
            return unresolvable(ELSEWHERE)
        for claim in claims.all:
            allocation = claim.status.allocation
            selector = allocation.node_selector if allocation is not None else None
            if selector is not None and not selects_node(selector, node.node):
                return unschedulable(ELSEWHERE)
        try:
            enough = not claims.open or claims.stock.allocate(claims.open, node.node) is not None
        except (AllocationError, SelectorError) as error:
            return unresolvable(str(error))
        return None if enough else unschedulable(NOT_ENOUGH)

    def post_filter(self, state: CycleState, pod: PodInfo, diagnosis: Diagnosis, ask: Ask) -> PostFilterResult | None:
        """Take devices back that keep the pod from all nodes and that nobody uses."""
        claims = state.get(self.name)
        if not isinstance(claims, _Claims):
            return None
        uid = pod.uid
        idle = [
            claim
            for claim in claims.all
            if claim.status.allocation is not None
            and (claim.status.allocation.node_selector is not None or claim in claims.lost)
            and all(consumer.uid == uid for consumer in claim.status.reserved_for)
        ]
        if not idle or ELSEWHERE not in diagnosis.reasons():
            return None

        idle.sort(key=lambda claim: claim not in claims.lost)

        async def carry_out(client: Client) -> None:
            status = replace(idle[0].status, allocation=None, reserved_for=(), devices=())
            await client.update(replace(idle[0], status=status), subresource="status")

        return PostFilterResult("deallocation of ResourceClaim completed", carry_out=carry_out)

    def reserve(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None:
        claims = state.get(self.name)
        if not isinstance(claims, _Claims):
            return None
        node = self._cache[node_name].node
        assert node is not None
        allocations = self._stock().allocate(claims.open, node, self._chance.uid) if claims.open else []
        if allocations is None:
            return unschedulable(NOT_ENOUGH)
        given = {claim.metadata.uid: one for claim, one in zip(claims.open, allocations, strict=True)}
        chosen = [_reserved(claim, pod.pod, given.get(claim.metadata.uid)) for claim in claims.all]
        for claim in chosen:
            self._claims.assume(claim)
        self._pending.update(given)
        state[CHOSEN] = chosen
        return None

    def unreserve(self, state: CycleState, pod: PodInfo, node_name: str) -> None:
        for claim in state.get(CHOSEN, ()):
            self._pending.discard(claim.metadata.uid)
            self._claims.restore(key_of(claim))

    def needs_pre_bind(self, state: CycleState, pod: PodInfo, node_name: str) -> bool:
        return CHOSEN in state

    async def pre_bind(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None:
        written = []
        for claim in state[CHOSEN]:
            try:
                written.append(await self._write(claim))
            except ApiError as error:
                return Status(Code.ERROR, (error.message,))
            finally:
                self._pending.discard(claim.metadata.uid)
        waited = [claim for claim in written if not is_ready(claim)]
        return await self._wait_for_devices(waited, pod, node_name) if waited else None

    async def _wait_for_devices(self, claims: Sequence[ResourceClaim], pod: PodInfo, node_name: str) -> Status | None:
        """Let drivers make devices ready. What fails or takes too long is found again by the next attempt."""
        message = f"waiting for binding conditions for device on node {node_name}"
        self._recorder.event(pod.pod, "Normal", "BindingConditionsPending", message)
        with anyio.move_on_after(self._binding_seconds):
            while True:
                current = [self._newest(claim) for claim in claims]
                for claim in current:
                    if claim.status.allocation is None:
                        return Status(Code.ERROR, (f"claim {key_of(claim)} has lost its devices",))
                    if device := failed_device(claim):
                        return Status(Code.ERROR, (f"claim {key_of(claim)}: binding of device {device} failed",))
                if all(is_ready(claim) for claim in current):
                    return None
                await self._changed.wait()
        return Status(Code.ERROR, ("device binding timeout",))

    def _newest(self, written: ResourceClaim) -> ResourceClaim:
        """A claim as the cache has it, unless that has not seen yet what was written; without devices if it is gone."""
        known = self._informer.get(key_of(written))
        if known is None or known.metadata.uid != written.metadata.uid:
            return replace(written, status=replace(written.status, allocation=None))
        version = int(known.metadata.resource_version)
        return known if version >= int(written.metadata.resource_version) else written

    def _claim_changed(self, old: ResourceClaim | None, new: ResourceClaim | None) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def _is_lost(self, claim: ResourceClaim) -> bool:
        """Whether a claim has devices that will not become ready."""
        return bool(failed_device(claim)) or has_timed_out(claim, self._clock.now(), self._binding_seconds)

    async def _write(self, claim: ResourceClaim) -> ResourceClaim:
        """Write an allocation and a reservation. The finalizer comes first: what is in use does not vanish."""
        written = claim
        if PROTECTION not in claim.metadata.finalizers:
            metadata = replace(claim.metadata, finalizers=(*claim.metadata.finalizers, PROTECTION))
            written = await self._client.update(replace(claim, metadata=metadata))
        allocation, status = claim.status.allocation, claim.status
        if allocation is not None and allocation.allocation_timestamp is None:
            allocation = replace(allocation, allocation_timestamp=format_seconds(self._clock.now()))
            status = replace(status, allocation=allocation)
        return await self._client.update(replace(written, status=status), subresource="status")

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {
            ClusterEvent.RESOURCE_CLAIM: self._claim_helps,
            ClusterEvent.RESOURCE_SLICE | ClusterEvent.DEVICE_CLASS: None,
            ClusterEvent.NODE_ADDED | ClusterEvent.NODE_LABEL: None,
        }

    def _claim_helps(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        """Whether a claim is the pod's own, or has given devices back."""
        if not isinstance(new, ResourceClaim):
            return False
        before = old.status.allocation if isinstance(old, ResourceClaim) else None
        if before is not None and new.status.allocation is None:
            return True
        return key_of(new) in [key for key, _ in _claim_keys(pod.pod)] and (old is None or old != new)

    def _of_pod(self, pod: Pod) -> list[ResourceClaim] | str:
        """The claims of a pod, or what is wrong with them."""
        found = []
        for key, template in _claim_keys(pod):
            if not key:
                return f'pod "{key_of(pod)}": ResourceClaim not created yet'
            claim, name = self._claims.get(key), key.partition("/")[2]
            if claim is None:
                return f'resourceclaim.resource.k8s.io "{name}" not found'
            if claim.metadata.deletion_timestamp is not None:
                return f'resourceclaim "{name}" is being deleted'
            if template and all(owner.uid != pod.metadata.uid for owner in claim.metadata.owner_references):
                return f"ResourceClaim {key} was not created for pod {key_of(pod)} (pod is not owner)"
            found.append(claim)
        return found

    def _objection(self, claim: ResourceClaim, pod: Pod) -> str:
        """What keeps a claim from the pod on all nodes."""
        if claim.status.allocation is not None:
            users = [consumer.uid for consumer in claim.status.reserved_for]
            return IN_USE if pod.metadata.uid not in users and len(users) >= MOST_CONSUMERS else ""
        if claim.metadata.uid in self._pending:
            return f"resource claim {key_of(claim)} is in the process of being allocated"
        for request in claim.spec.devices.requests:
            asked = [request.exactly] if request.exactly is not None else request.first_available
            for one in asked:
                name = one.device_class_name if one is not None else ""
                if name and self._classes.get(name) is None:
                    return f"request {request.name}: device class {name} does not exist"
        return ""

    def _stock(self) -> _Stock:
        """What is taken includes what is still being written."""
        local: dict[str, list[ResourceSlice]] = {}
        shared = []
        for one in self._slices.values():
            if one.spec.node_name:
                local.setdefault(one.spec.node_name, []).append(one)
            else:
                shared.append(one)
        known = [self._claims.get(key_of(claim)) for claim in self._informer.values()]
        taken = frozenset(device for claim in known if claim is not None for device in devices_of(claim))
        shares: dict[DeviceId, list[Mapping[str, str]]] = {}
        for device, share in (one for claim in known if claim is not None for one in shares_of(claim)):
            shares.setdefault(device, []).append(share)
        return _Stock(local, shared, taken, shares, {found.metadata.name: found for found in self._classes.values()})


def _claim_keys(pod: Pod) -> Iterable[tuple[str, bool]]:
    """The keys of a pod's claims, and whether they are made from templates; no key: not made yet. A claim that turned
    out not to be needed does not count."""
    made = {status.name: status.resource_claim_name for status in pod.status.resource_claim_statuses}
    for claim in pod.spec.resource_claims:
        if claim.resource_claim_name:
            yield f"{pod.metadata.namespace}/{claim.resource_claim_name}", False
        elif claim.name not in made:
            yield "", True
        elif made[claim.name]:
            yield f"{pod.metadata.namespace}/{made[claim.name]}", True


def _reserved(claim: ResourceClaim, pod: Pod, allocation: AllocationResult | None) -> ResourceClaim:
    """A claim as it will be: with its devices, and reserved for the pod."""
    users = claim.status.reserved_for
    if all(user.uid != pod.metadata.uid for user in users):
        mine = ResourceClaimConsumerReference(resource="pods", name=pod.metadata.name, uid=pod.metadata.uid)
        users = (*users, mine)
    status = replace(claim.status, allocation=allocation or claim.status.allocation, reserved_for=users)
    return replace(claim, status=status)
