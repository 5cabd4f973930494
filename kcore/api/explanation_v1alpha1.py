"""The types of scheduling.kcore.dev/v1alpha1: why a pod is where it is, or nowhere; worked out when asked for."""

from typing import Annotated

from msgspec import field

from kcore.api.core_v1 import PodTemplateSpec
from kcore.api.kind import Kind, Subresource
from kcore.api.object import Object
from kcore.api.schema import LIST_ATOMIC, Struct, empty

GROUP, VERSION = "scheduling.kcore.dev", "v1alpha1"


class PluginScore(Struct):
    """`score` is the plugin's own, `scaled` from 0 to 100; `weighted` is what it adds to the total."""

    plugin: str = field(default_factory=empty)
    score: int = 0
    scaled: int = 0
    weight: int = 0
    weighted: int = 0


class Victim(Struct):
    namespace: str = field(default_factory=empty)
    name: str = field(default_factory=empty)
    priority: int = 0


class NodeVerdict(Struct):
    """What the plugins say of one node. `victims` are those whom preemption would evict to make the pod fit there."""

    name: str = field(default_factory=empty)
    fits: bool = False
    refused_by: str = ""
    reasons: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    total: int | None = None
    scores: Annotated[tuple[PluginScore, ...], LIST_ATOMIC] = ()
    victims: Annotated[tuple[Victim, ...], LIST_ATOMIC] = ()
    pdb_violations: int = field(default=0, name="pdbViolations")


class PodExplanation(Object):
    """`template` is the pod in question where it does not exist: what is created asks where such a pod would go.

    `nodeName` is where the pod is, `candidates` where it could go now: the best nodes, of which one is taken by chance.
    """

    template: PodTemplateSpec | None = None
    scheduler_name: str = ""
    state: str = ""
    node_name: str = ""
    nominated_node_name: str = ""
    gated_by: str = ""
    message: str = ""
    candidates: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    preemption: str = ""
    """The node on which preemption would make room, or why it does not."""
    nodes: Annotated[tuple[NodeVerdict, ...], LIST_ATOMIC] = ()


PODS = Kind(
    GROUP,
    VERSION,
    "PodExplanation",
    "pods",
    PodExplanation,
    verbs=("create", "get"),
    subresources=(Subresource("explain", "PodExplanation", ("get",)),),
)
