"""The annotations by which Deployments and their ReplicaSets keep history; `kubectl rollout` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kcore.api.apps_v1 import Deployment, ReplicaSet
from kcore.api.object import Object

__all__ = [
    "DESIRED_REPLICAS",
    "MAX_REPLICAS",
    "REVISION",
    "annotations_for",
    "last_revision",
    "replicas_annotations",
    "revision_of",
]

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
}
MAX_HISTORY_LENGTH = 2000


def revision_of(obj: Object) -> int:
    """The revision that an object is annotated with; 0: none that can be read."""
    text = obj.metadata.annotations.get(REVISION, "")
    try:
        return int(text) if text else 0
    except ValueError:
        return 0


def last_revision(replica_sets: Iterable[ReplicaSet]) -> int:
    return max((revision_of(rs) for rs in replica_sets), default=0)


def replicas_annotations(desired: int, maximum: int) -> dict[str, str]:
    """What a ReplicaSet remembers of its Deployment's size, for scaling in proportion later."""
    return {DESIRED_REPLICAS: str(desired), MAX_REPLICAS: str(maximum)}


def annotations_for(
    deployment: Deployment, standing: Mapping[str, str], revision: int, *, limit: int = MAX_HISTORY_LENGTH
) -> dict[str, str]:
    """A new ReplicaSet's annotations: the Deployment's, its revision, and which revisions it was before."""
    annotations = dict(standing)
    annotations.update((k, v) for k, v in deployment.metadata.annotations.items() if k not in NOT_COPIED)
    old = annotations.get(REVISION)
    if old is not None and not old.isdecimal():
        return annotations
    if int(old or 0) < revision:
        annotations[REVISION] = str(revision)
        if old is not None:
            annotations[REVISION_HISTORY] = _append(annotations.get(REVISION_HISTORY, ""), old, limit)
    return annotations


def _append(history: str, revision: str, limit: int) -> str:
    """The history with one more entry; the oldest are dropped where it would grow too long."""
    entries = [*history.split(","), revision] if history else [revision]
    while len(entries) > 1 and len(",".join(entries)) > limit:
        del entries[0]
    return ",".join(entries)
