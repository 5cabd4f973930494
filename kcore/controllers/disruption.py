"""The disruption controller: tells each PodDisruptionBudget how many of its pods may be disturbed now.

The eviction API takes disruptions out of that number and notes the pods; here they are put back once the pods are gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from kcore.api.apps_v1 import Deployment, ReplicaSet
from kcore.api.core_v1 import Pod
from kcore.api.kind import Kind, parse_api_version
from kcore.api.meta_v1 import OwnerReference
from kcore.api.object import CustomResource, Object
from kcore.api.policy_v1 import PodDisruptionBudget
from kcore.api.selectors import selector_from_struct
from kcore.api.timestamp import format_seconds, parse
from kcore.client.informer import Informer
from kcore.client.runner import Controller, MapFunction, Result, controller_of
from kcore.controllers.budget import CONFIRMATION, desired_healthy, failed_status, still_disrupted, wanted_status
from kcore.controllers.context import Context

__all__ = ["DisruptionController"]

BY_NAMESPACE = "namespace"


class _NoScale(Exception):
    """The expected number of pods can not be known; the message says why."""


class DisruptionController(Controller):
    name = "disruption-controller"
    root = PodDisruptionBudget

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._informers = context.informers
        self._recorder = context.events.recorder("controllermanager")
        self._pods = context.informers.of(Pod)
        self._pods.add_index(BY_NAMESPACE, lambda pod: (pod.metadata.namespace,))
        self._budgets = context.informers.of(PodDisruptionBudget)
        self._budgets.add_index(BY_NAMESPACE, lambda budget: (budget.metadata.namespace,))

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Pod: self._budgets_of}

    def reads(self) -> Iterable[type[Object]]:
        return (ReplicaSet, Deployment)

    def _budgets_of(self, old: Pod | None, new: Pod | None) -> Iterator[str]:
        for pod in (old, new):
            if pod is None:
                continue
            for budget in self._budgets.by_index(BY_NAMESPACE, pod.metadata.namespace):
                if selector_from_struct(budget.spec.selector).matches(pod.metadata.labels):
                    yield f"{budget.metadata.namespace}/{budget.metadata.name}"

    async def reconcile(self, key: str) -> Result | None:
        budget = self._budgets.get(key)
        if budget is None:
            return None
        pods = self._pods_of(budget)
        if not pods:
            self._recorder.event(budget, "Normal", "NoPods", "No matching pods found")
        now = self._clock.now()
        try:
            expected = await self._expected(budget, pods)
        except _NoScale as why:
            message = f"Failed to calculate the number of expected pods: {why}"
            self._recorder.event(budget, "Warning", "CalculateExpectedPodCountFailed", message)
            await self._write(budget, failed_status(budget, str(why), format_seconds(now)))
            return None
        disrupted, overdue = still_disrupted(budget, pods, now)
        for pod in overdue:
            message = f"Pod was expected by PDB {key} to be deleted but it wasn't"
            self._recorder.event(pod, "Warning", "NotDeleted", message)
        desired = desired_healthy(budget.spec, expected)
        await self._write(budget, wanted_status(budget, pods, expected, desired, disrupted, format_seconds(now)))
        if not disrupted:
            return None
        return Result(min(map(parse, disrupted.values())) + CONFIRMATION - now + 1)

    def _pods_of(self, budget: PodDisruptionBudget) -> Sequence[Pod]:
        selector = selector_from_struct(budget.spec.selector)
        pods = self._pods.by_index(BY_NAMESPACE, budget.metadata.namespace)
        return [pod for pod in pods if selector.matches(pod.metadata.labels)]

    async def _write(self, budget: PodDisruptionBudget, status: object) -> None:
        if status != budget.status:
            await self._client.update(replace(budget, status=status), subresource="status")

    async def _expected(self, budget: PodDisruptionBudget, pods: Sequence[Pod]) -> int:
        """How many pods there should be: those that are there, where only a plain number has to be available;
        otherwise what their controllers are scaled to."""
        if budget.spec.max_unavailable is None and not isinstance(budget.spec.min_available, str):
            return len(pods)
        seen: set[str] = set()
        scales: dict[str, int] = {}
        for pod in pods:
            owner = controller_of(pod.metadata)
            if owner is not None and owner.uid not in seen:
                seen.add(owner.uid)
                uid, replicas = await self._scale(owner, pod)
                scales[uid] = replicas
        return sum(scales.values())

    async def _scale(self, owner: OwnerReference, pod: Pod) -> tuple[str, int]:
        """Whose replicas count, and how many: a ReplicaSet's Deployment speaks for it."""
        controller = await self._find(owner, pod.metadata.namespace)
        if controller is None:
            raise _NoScale(f'found no controllers for pod "{pod.metadata.name}"')
        if isinstance(controller, ReplicaSet):
            above = controller_of(controller.metadata)
            deployment = await self._find(above, pod.metadata.namespace) if above is not None else None
            if isinstance(deployment, Deployment):
                controller = deployment
        return controller.metadata.uid, _replicas(controller)

    async def _find(self, owner: OwnerReference, namespace: str) -> Object | None:
        kind = self._kind(owner)
        if kind is None:
            return None
        if kind.subresource("scale") is None:
            raise _NoScale(f"{kind.group_resource} does not implement the scale subresource")
        informer: Informer[Object] = self._informers.of(kind)
        await informer.wait_synced()
        found = informer.get_object(namespace, owner.name)
        return found if found is not None and found.metadata.uid == owner.uid else None

    def _kind(self, owner: OwnerReference) -> Kind | None:
        return self._client.scheme.find_kind(*parse_api_version(owner.api_version), owner.kind)


def _replicas(controller: Object) -> int:
    if isinstance(controller, CustomResource):
        spec = controller.content.get("spec")
        replicas = spec.get("replicas") if isinstance(spec, dict) else None
    else:
        replicas = getattr(getattr(controller, "spec", None), "replicas", None)
    return replicas if isinstance(replicas, int) else 0
