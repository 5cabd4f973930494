"""The vocabulary of plugins: the extension points of a scheduling cycle, in the order in which they are run.

    PreEnqueue -> (queue, by QueueSort) -> PreFilter -> Filter -> [PostFilter where nothing fits]
      -> PreScore -> Score + normalize -> Reserve -> Permit -> PreBind -> Bind -> PostBind

A plugin implements the Protocols it needs and nothing more. Filters and scores judge one node at a time; a plugin
that can judge all nodes at once over the columns says so as well (`*_columns`), and then both must agree.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Mapping
from enum import Enum, Flag, auto
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from kcore.api.core_v1 import Pod
from kcore.api.object import Object
from kcore.client.client import Client
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import Vector

if TYPE_CHECKING:
    from kcore.scheduler.diagnosis import Diagnosis

__all__ = [
    "MAX_NODE_SCORE",
    "POINTS",
    "SKIP",
    "UNSHARED",
    "Ask",
    "BindPlugin",
    "ClusterEvent",
    "Code",
    "ColumnFilterPlugin",
    "ColumnScorePlugin",
    "CycleState",
    "EventsToRegister",
    "FilterPlugin",
    "Hint",
    "NormalizePlugin",
    "PermitPlugin",
    "Plugin",
    "PodBlindPlugin",
    "PostBindPlugin",
    "PostFilterPlugin",
    "PostFilterResult",
    "PreBindPlugin",
    "PreEnqueuePlugin",
    "PreFilterPlugin",
    "PreFilterResult",
    "PreScorePlugin",
    "QueueSortPlugin",
    "Refusal",
    "ReservePlugin",
    "RoomPlugin",
    "ScorePlugin",
    "SignPlugin",
    "SpanningPlugin",
    "Status",
    "unresolvable",
    "unschedulable",
]

MAX_NODE_SCORE = 100


class Code(Enum):
    UNSCHEDULABLE = "Unschedulable"
    UNRESOLVABLE = "UnschedulableAndUnresolvable"  # and preemption could not help
    WAIT = "Wait"
    SKIP = "Skip"
    ERROR = "Error"


class Status(NamedTuple):
    """What a plugin says where it does not simply agree; agreement is None."""

    code: Code
    reasons: tuple[str, ...] = ()
    plugin: str = ""


UNSHARED: Hashable = object()
"""The signature of a pod whose results are its own: they hang on things outside the columns."""

SKIP = Status(Code.SKIP)
"""The plugin has no opinion on this pod: leave it out of the rest of the cycle."""


def unschedulable(*reasons: str) -> Status:
    return Status(Code.UNSCHEDULABLE, reasons)


def unresolvable(*reasons: str) -> Status:
    return Status(Code.UNRESOLVABLE, reasons)


CycleState = dict[str, Any]
"""What plugins keep from one extension point to the next, by plugin name."""


class ClusterEvent(Flag):
    """What can happen in the cluster that lets an unschedulable pod hope."""

    NODE_ADDED = auto()
    NODE_DELETED = auto()
    NODE_ALLOCATABLE = auto()
    NODE_LABEL = auto()
    NODE_TAINT = auto()
    NODE_UNSCHEDULABLE = auto()
    POD_ADDED = auto()  # on a node
    POD_UPDATED = auto()  # on a node: labels or demands
    POD_DELETED = auto()  # from a node
    POD_GATES = auto()  # of a waiting pod itself
    POD_WAITING = auto()  # a pod without a node has come
    CLAIM = auto()  # of storage: new or changed, as all below
    VOLUME = auto()
    STORAGE_CLASS = auto()
    CSI_NODE = auto()
    CSI_DRIVER = auto()
    CSI_CAPACITY = auto()
    DETACHED = auto()  # a VolumeAttachment is gone
    RESOURCE_CLAIM = auto()
    RESOURCE_SLICE = auto()
    DEVICE_CLASS = auto()
    NODE = NODE_ADDED | NODE_DELETED | NODE_ALLOCATABLE | NODE_LABEL | NODE_TAINT | NODE_UNSCHEDULABLE


Hint = Callable[[PodInfo, Object | None, Object | None], bool]
"""Takes the waiting pod and the change as (old, new); whether the plugin may now let the pod pass."""


class Ask(Protocol):
    """What the filters say of a pod on nodes as they might be."""

    @property
    def shared_as(self) -> Hashable | None:
        """Equal for pods that get equal answers about equal nodes; None: the answers are the pod's alone, or hang on
        other nodes, too."""

    @property
    def demand(self) -> Mapping[str, int] | None:
        """What the pod needs of a node, if of the node's pods nothing counts but the room that they leave."""

    def __call__(self, node: NodeInfo) -> Status | None:
        """The first refusal."""


class PreFilterResult(NamedTuple):
    """`nodes`: the only names worth looking at; None: all of them."""

    status: Status | None = None
    nodes: frozenset[str] | None = None


class Refusal(NamedTuple):
    """The rows that a filter refuses for one reason."""

    mask: Vector
    reason: str
    unresolvable: bool = False


class PostFilterResult(NamedTuple):
    """What was done about a pod that fits nowhere. `carry_out` is the part that talks to the API. `unfinished`: it is
    more work than may be done at a time, and goes on when the plugin is asked again after others had their turn."""

    message: str = ""
    nominated_node: str = ""
    victims: int = 0
    carry_out: Callable[[Client], Awaitable[None]] | None = None
    unfinished: bool = False


@runtime_checkable
class Plugin(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str: ...


@runtime_checkable
class EventsToRegister(Plugin, Protocol):
    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        """Which events may make a pod schedulable that this plugin has refused; None: always."""


@runtime_checkable
class PreEnqueuePlugin(Plugin, Protocol):
    def pre_enqueue(self, pod: Pod) -> Status | None:
        """Whether a pod may wait for a node at all."""


@runtime_checkable
class QueueSortPlugin(Plugin, Protocol):
    def sort_key(self, pod: PodInfo, since: float) -> tuple[Any, ...]:
        """Pods are tried in the order of these; `since` is when the pod came to the queue."""


@runtime_checkable
class SignPlugin(Plugin, Protocol):
    def sign(self, pod: PodInfo) -> Hashable:
        """All that this plugin's filter and score look at in a pod. Pods with equal signatures share results, unless
        one is UNSHARED."""


@runtime_checkable
class PreFilterPlugin(Plugin, Protocol):
    def pre_filter(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> PreFilterResult | None: ...


@runtime_checkable
class PodBlindPlugin(Plugin, Protocol):
    """A filter that does not look at the pods of a node: preemption need not ask it again as pods leave."""

    looks_at_pods: Literal[False]


@runtime_checkable
class RoomPlugin(Plugin, Protocol):
    """A filter that looks at nothing of a node's pods but the room that they leave."""

    def demand(self, pod: PodInfo) -> Mapping[str, int]:
        """How much of which resource there must be room for."""


@runtime_checkable
class FilterPlugin(Plugin, Protocol):
    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None: ...


@runtime_checkable
class ColumnFilterPlugin(FilterPlugin, Protocol):
    def filter_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Iterable[Refusal]:
        """The same as `filter`, for all rows at once. A row may be refused for several reasons."""


@runtime_checkable
class PostFilterPlugin(Plugin, Protocol):
    def post_filter(self, state: CycleState, pod: PodInfo, diagnosis: Diagnosis, ask: Ask) -> PostFilterResult | None:
        """Do something about a pod that fits nowhere."""


@runtime_checkable
class PreScorePlugin(Plugin, Protocol):
    def pre_score(self, state: CycleState, pod: PodInfo, columns: NodeColumns, feasible: Vector) -> Status | None: ...


@runtime_checkable
class ScorePlugin(Plugin, Protocol):
    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int: ...


@runtime_checkable
class ColumnScorePlugin(ScorePlugin, Protocol):
    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector: ...


@runtime_checkable
class NormalizePlugin(ScorePlugin, Protocol):
    def normalize(self, scores: Vector, feasible: Vector, columns: NodeColumns) -> Vector:
        """Scores from 0 to 100, given those of all feasible rows."""


@runtime_checkable
class SpanningPlugin(Plugin, Protocol):
    """A plugin whose opinion of one node depends on others, such as on the pods there.

    Whenever rows change it is told, and its `pre_score`, `filter_columns` and `score_columns` are asked anew about
    all rows; so it must have these forms. Its `filter` counts what is on the node that it is given, whatever the
    state says of that row: preemption asks about nodes as they might be.
    """

    def follow(self, state: CycleState, pod: PodInfo, columns: NodeColumns, rows: Collection[int]) -> None:
        """Mend what `pre_filter` and `pre_score` have kept in the state: these rows have changed."""


@runtime_checkable
class ReservePlugin(Plugin, Protocol):
    def reserve(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None: ...

    def unreserve(self, state: CycleState, pod: PodInfo, node_name: str) -> None:
        """Undo `reserve`; called even where `reserve` itself has failed."""


@runtime_checkable
class PermitPlugin(Plugin, Protocol):
    def permit(self, state: CycleState, pod: PodInfo, node_name: str) -> tuple[Status | None, float]:
        """Agree, refuse, or WAIT for so many seconds."""


@runtime_checkable
class PreBindPlugin(Plugin, Protocol):
    def needs_pre_bind(self, state: CycleState, pod: PodInfo, node_name: str) -> bool:
        """Whether there is something to do, which may take its time; asked after Reserve."""

    async def pre_bind(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None: ...


@runtime_checkable
class BindPlugin(Plugin, Protocol):
    async def bind(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None:
        """Bind the pod, or SKIP to leave it to the next plugin."""


@runtime_checkable
class PostBindPlugin(Plugin, Protocol):
    async def post_bind(self, state: CycleState, pod: PodInfo, node_name: str) -> None: ...


POINTS: Mapping[str, type[Plugin]] = {
    "pre_enqueue": PreEnqueuePlugin,
    "queue_sort": QueueSortPlugin,
    "pre_filter": PreFilterPlugin,
    "filter": FilterPlugin,
    "post_filter": PostFilterPlugin,
    "pre_score": PreScorePlugin,
    "score": ScorePlugin,
    "reserve": ReservePlugin,
    "permit": PermitPlugin,
    "pre_bind": PreBindPlugin,
    "bind": BindPlugin,
    "post_bind": PostBindPlugin,
}
"""All extension points, and what a plugin must be to serve them."""


def normalize(scores: Vector, feasible: Vector, columns: NodeColumns, *, reverse: bool = False) -> Vector:
    """Scale scores so that the largest becomes 100; `reverse`: so that it becomes 0 (upstream's default)."""
    backend = columns.backend
    largest = backend.maximum(backend.where(feasible, scores, 0))
    if largest == 0:
        return scores * 0 + (MAX_NODE_SCORE if reverse else 0)
    scaled = scores * MAX_NODE_SCORE // largest
    return MAX_NODE_SCORE - scaled if reverse else scaled
