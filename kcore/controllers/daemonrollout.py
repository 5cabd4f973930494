"""Which daemon pods come and go: one on each node that should have one, and rollouts from template to template.

Without surge a rollout deletes old pods, as many as may be unavailable, and the nodes get new ones as any node that
lacks one does. With surge it puts a new pod beside the old one, on as many nodes as may have two, and deletes the old
one when the new one is available. Old pods that are not available anyway are replaced without asking.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kcore.api.apps_v1 import DaemonSet, DaemonSetStatus
from kcore.api.core_v1 import Node, Pod
from kcore.api.schema import IntOrString
from kcore.controllers.history import REVISION_LABEL
from kcore.controllers.placement import Placement, by_node
from kcore.controllers.pods import available_in, is_finished, is_ready

__all__ = ["Changes", "Daemons", "missing_and_surplus", "rollout", "status_of"]

TEMPLATE_GENERATION = "pod-template-generation"


@dataclass(slots=True)
class Changes:
    """What is to be done: nodes that get a pod, pods that go, and finished pods, which go for a reason to tell."""

    create: list[str] = field(default_factory=list)
    delete: list[Pod] = field(default_factory=list)
    finished: list[Pod] = field(default_factory=list)


@dataclass(slots=True)
class Daemons:
    """A DaemonSet's pods by node, and what it wants of each node. `hash` is that of its present template."""

    owner: DaemonSet
    hash: str
    generation: str
    now: float
    pods: Mapping[str, Sequence[Pod]]
    wanted: frozenset[str]
    bearable: frozenset[str]
    """Nodes that may keep a pod; a superset of `wanted`."""
    nodes: frozenset[str]

    def wait(self, pod: Pod) -> float | None:
        """Seconds until a ready pod has been so for long enough."""
        return available_in(pod, self.owner.spec.min_ready_seconds, self.now)

    def is_available(self, pod: Pod) -> bool:
        return self.wait(pod) == 0

    def is_updated(self, pod: Pod) -> bool:
        labels = pod.metadata.labels
        return labels.get(REVISION_LABEL) == self.hash or (
            self.generation != "" and labels.get(TEMPLATE_GENERATION) == self.generation
        )

    def old_and_new(self, node: str) -> tuple[Pod | None, Pod | None] | None:
        """The old and the new pod of a node; None: there are more, and some will have to go first."""
        alive = [pod for pod in self.pods.get(node, ()) if pod.metadata.deletion_timestamp is None]
        new = [pod for pod in alive if self.is_updated(pod)]
        old = [pod for pod in alive if not self.is_updated(pod)]
        if len(new) > 1 or len(old) > 1:
            return None
        return old[0] if old else None, new[0] if new else None

    @property
    def max_surge(self) -> int:
        rolling = self.owner.spec.update_strategy.rolling_update
        return self._share(rolling.max_surge) if rolling is not None else 0

    @property
    def max_unavailable(self) -> int:
        """At least one where no surge is allowed, or nothing could move."""
        rolling = self.owner.spec.update_strategy.rolling_update
        limit = self._share(rolling.max_unavailable) if rolling is not None else 0
        return 1 if limit == 0 and self.max_surge == 0 else limit

    def _share(self, value: IntOrString | None) -> int:
        if isinstance(value, str):
            return math.ceil(int(value.removesuffix("%")) * len(self.wanted) / 100)
        return value or 0


def daemons(
    owner: DaemonSet, hash_: str, generation: str, now: float, pods: Iterable[Pod], nodes: Iterable[Node]
) -> Daemons:
    placement = Placement(owner)
    wanted, bearable, names = set(), set(), set()
    for node in nodes:
        name = node.metadata.name
        names.add(name)
        if placement.runs_on(node):
            wanted.add(name)
            bearable.add(name)
        elif placement.stays_on(node):
            bearable.add(name)
    return Daemons(
        owner, hash_, generation, now, by_node(pods), frozenset(wanted), frozenset(bearable), frozenset(names)
    )


def missing_and_surplus(daemons: Daemons) -> Changes:
    """What brings one pod to each node that should have one, and none to the others."""
    changes = Changes(create=sorted(name for name in daemons.wanted if name not in daemons.pods))
    for node, pods in daemons.pods.items():
        alive = [pod for pod in pods if pod.metadata.deletion_timestamp is None]
        if node not in daemons.nodes:
            # What runs on a node that is gone is the pod garbage collector's; what waits for it waits in vain.
            changes.delete += [pod for pod in pods if not pod.spec.node_name]
        elif node not in daemons.bearable:
            changes.delete += alive
        else:
            changes.finished += [pod for pod in alive if is_finished(pod)]
            changes.delete += _redundant(daemons, [pod for pod in alive if not is_finished(pod)])
    return changes


def _redundant(daemons: Daemons, running: Sequence[Pod]) -> list[Pod]:
    """All but the oldest; but while a rollout surges, an available old pod may stand beside a new one that is not."""
    if len(running) <= 1 or daemons.max_surge == 0:
        return list(running[1:])
    new = next((pod for pod in running if daemons.is_updated(pod)), None)
    old = next((pod for pod in running if not daemons.is_updated(pod)), None)
    redundant = [pod for pod in running if pod is not new and pod is not old]
    if new is not None and old is not None and (not is_ready(old) or daemons.is_available(new)):
        redundant.append(old)
    return redundant


def rollout(daemons: Daemons) -> Changes:
    """The next step from the old template to the new one."""
    if daemons.owner.spec.update_strategy.type != "RollingUpdate":
        return Changes()
    return _surge(daemons) if daemons.max_surge else _replace(daemons)


def _replace(daemons: Daemons) -> Changes:
    unavailable = 0
    allowed: list[Pod] = []
    candidates: list[Pod] = []
    for node in sorted(daemons.wanted | daemons.pods.keys()):
        both = daemons.old_and_new(node)
        if both is None or (both[0] is None) == (both[1] is None):
            unavailable += 1  # a pod is missing, or one has to go first
            continue
        old, new = both
        if new is not None:
            unavailable += not daemons.is_available(new)
        elif old is not None and not daemons.is_available(old):
            unavailable += 1
            allowed.append(old)
        elif old is not None:
            candidates.append(old)
    return Changes(delete=allowed + candidates[: max(0, daemons.max_unavailable - unavailable)])


def _surge(daemons: Daemons) -> Changes:
    surging = 0
    changes = Changes()
    candidates: list[str] = []
    for node in sorted(daemons.wanted | daemons.pods.keys()):
        both = daemons.old_and_new(node)
        if both is None:
            surging += 1
            continue
        old, new = both
        if old is None:
            continue  # it gets a new pod as any node that lacks one
        if new is not None:
            if daemons.is_available(new):
                changes.delete.append(old)
            else:
                surging += 1
        elif daemons.is_available(old):
            candidates.append(node)
        else:
            changes.create.append(node)
    changes.create += candidates[: max(0, daemons.max_surge - surging)]
    return changes


def status_of(daemons: Daemons, collisions: int | None) -> DaemonSetStatus:
    """What is there. Of several pods on a node the oldest counts."""
    first = [pods[0] for node, pods in daemons.pods.items() if node in daemons.wanted]
    available = sum(daemons.is_available(pod) for pod in first)
    return DaemonSetStatus(
        conditions=daemons.owner.status.conditions,
        collision_count=collisions,
        observed_generation=daemons.owner.metadata.generation,
        desired_number_scheduled=len(daemons.wanted),
        current_number_scheduled=len(first),
        number_misscheduled=sum(node in daemons.nodes and node not in daemons.wanted for node in daemons.pods),
        number_ready=sum(is_ready(pod) for pod in first),
        number_available=available,
        number_unavailable=len(daemons.wanted) - available,
        updated_number_scheduled=sum(daemons.is_updated(pod) for pod in first),
    )
