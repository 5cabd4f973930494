"""How a Deployment gets from old pods to new ones: the arithmetic of rolling updates, without any I/O.

The sizes of a Deployment's ReplicaSets move under two bounds: never more than `replicas + maxSurge` pods, never fewer
than `replicas - maxUnavailable` available ones. Each step raises the new ReplicaSet as far as the first bound allows,
or else lowers the old ones as far as the second does (pods that never became available first). Between steps the
ReplicaSets report back, and the next step follows from what they report:

    replicas 10, maxSurge 3, maxUnavailable 2        new   old   available
    the new one starts with what surge allows          3    10   10
    old ones may lose 13 - 8 - 3 = 2                   3     8    8
    the new one gets what surge allows again           5     8    8
    three of the new have become available             5     5    8      ...

When the Deployment is resized in the middle, the difference is spread over its ReplicaSets in proportion to their
sizes, so that the mix of old and new stays; leftovers of rounding go to the largest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kcore.api.apps_v1 import Deployment, ReplicaSet
from kcore.api.schema import IntOrString
from kcore.controllers.revisions import DESIRED_REPLICAS, MAX_REPLICAS, revision_of

__all__ = [
    "Resize",
    "available_total",
    "expired",
    "is_resized",
    "is_rolling",
    "max_surge",
    "max_unavailable",
    "new_size",
    "raise_new",
    "replicas_of",
    "resize_all",
    "shrink_old",
    "size_total",
    "wanted",
]


class Resize(NamedTuple):
    """A ReplicaSet is to have `replicas` pods."""

    replica_set: ReplicaSet
    replicas: int


def wanted(deployment: Deployment) -> int:
    return 1 if deployment.spec.replicas is None else deployment.spec.replicas


def replicas_of(rs: ReplicaSet) -> int:
    return 1 if rs.spec.replicas is None else rs.spec.replicas


def size_total(replica_sets: Iterable[ReplicaSet]) -> int:
    """How many pods the ReplicaSets want."""
    return sum(replicas_of(rs) for rs in replica_sets)


def available_total(replica_sets: Iterable[ReplicaSet]) -> int:
    return sum(rs.status.available_replicas for rs in replica_sets)


def by_age(replica_sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    """The oldest first."""
    return sorted(replica_sets, key=lambda rs: (rs.metadata.creation_timestamp or "", rs.metadata.name))


def active(replica_sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    """Those that want pods."""
    return [rs for rs in replica_sets if replicas_of(rs) > 0]


def is_rolling(deployment: Deployment) -> bool:
    return deployment.spec.strategy.type != "Recreate"


def max_surge(deployment: Deployment) -> int:
    """How many pods there may be above the wanted number."""
    rolling = deployment.spec.strategy.rolling_update
    if not is_rolling(deployment) or rolling is None:
        return 0
    return math.ceil(_share(rolling.max_surge, wanted(deployment)))


def max_unavailable(deployment: Deployment) -> int:
    """How many of the wanted pods may be missing: at least one where no surge is allowed, or nothing could move."""
    total, rolling = wanted(deployment), deployment.spec.strategy.rolling_update
    if not is_rolling(deployment) or total == 0:
        return 0
    missing = math.floor(_share(rolling.max_unavailable, total)) if rolling is not None else 0
    if missing == 0 and max_surge(deployment) == 0:
        return 1
    return min(missing, total)


def _share(value: IntOrString | None, total: int) -> float:
    """A number, or the percentage of `total`."""
    if isinstance(value, str):
        return int(value.removesuffix("%")) * total / 100
    return value or 0


def new_size(deployment: Deployment, new: int, everything: int) -> int:
    """To what the new ReplicaSet of size `new` may grow, when all have size `everything`."""
    if not is_rolling(deployment):
        return wanted(deployment)
    room = wanted(deployment) + max_surge(deployment) - everything
    return new if room <= 0 else new + min(room, wanted(deployment) - new)


def raise_new(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> list[Resize]:
    """The step that moves the new ReplicaSet, if it can move."""
    size = replicas_of(new)
    if size > wanted(deployment):
        return [Resize(new, wanted(deployment))]
    grown = new_size(deployment, size, size + size_total(old)) if size < wanted(deployment) else size
    return [Resize(new, grown)] if grown != size else []


def shrink_old(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> list[Resize]:
    """The step that moves the old ReplicaSets: first what is broken, then what is available."""
    sizes = {rs.metadata.uid: replicas_of(rs) for rs in old}
    if not any(sizes.values()):
        return []
    least_available = wanted(deployment) - max_unavailable(deployment)
    new_unavailable = replicas_of(new) - new.status.available_replicas
    may_go = size_total(old) + replicas_of(new) - least_available - new_unavailable
    if may_go <= 0:
        return []
    for rs in by_age(old):
        broken = max(0, sizes[rs.metadata.uid] - rs.status.available_replicas)
        gone = min(may_go, broken)
        sizes[rs.metadata.uid] -= gone
        may_go -= gone
    may_go = available_total([*old, new]) - least_available
    for rs in by_age(old):
        gone = max(0, min(may_go, sizes[rs.metadata.uid]))
        sizes[rs.metadata.uid] -= gone
        may_go -= gone
    return [Resize(rs, size) for rs in by_age(old) if (size := sizes[rs.metadata.uid]) != replicas_of(rs)]


def is_resized(deployment: Deployment, replica_sets: Iterable[ReplicaSet]) -> bool:
    """Whether the Deployment was resized after its ReplicaSets last heard of its size."""
    for rs in active(replica_sets):
        desired = rs.metadata.annotations.get(DESIRED_REPLICAS)
        if desired is not None and desired != str(wanted(deployment)):
            return True
    return False


def resize_all(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> list[Resize]:
    """The step that follows a resize (or any change while paused): no rollout, only sizes."""
    total = wanted(deployment)
    everything = [*old, new] if new is not None else list(old)
    running = active(everything)
    if len(running) <= 1:
        latest = running[0] if running else new or next(reversed(by_age(old)), None)
        return [Resize(latest, total)] if latest is not None and replicas_of(latest) != total else []
    if new is not None and _is_saturated(deployment, new):
        return [Resize(rs, 0) for rs in active(old)]
    return _in_proportion(deployment, running) if is_rolling(deployment) else []


def _is_saturated(deployment: Deployment, new: ReplicaSet) -> bool:
    """Whether the new ReplicaSet alone is what the Deployment wants."""
    total = wanted(deployment)
    remembered = new.metadata.annotations.get(DESIRED_REPLICAS) == str(total)
    return remembered and replicas_of(new) == total and new.status.available_replicas == total


def _in_proportion(deployment: Deployment, running: list[ReplicaSet]) -> list[Resize]:
    allowed = wanted(deployment) + max_surge(deployment) if wanted(deployment) > 0 else 0
    missing = allowed - size_total(running)
    # Of equals, the newer grows and the older shrinks.
    ordered = sorted(reversed(by_age(running)) if missing > 0 else by_age(running), key=replicas_of, reverse=True)
    sizes: list[int] = []
    added = 0
    for rs in ordered:
        share = _proportion(deployment, rs, missing, added)
        sizes.append(replicas_of(rs) + share)
        added += share
    sizes[0] = max(0, sizes[0] + missing - added)
    # Every one of them, even if its size stays: it has to remember the Deployment's new size.
    return [Resize(rs, size) for rs, size in zip(ordered, sizes, strict=True)]


def _proportion(deployment: Deployment, rs: ReplicaSet, missing: int, added: int) -> int:
    left = missing - added
    if replicas_of(rs) == 0 or missing == 0 or left == 0:
        return 0
    share = _exact_share(deployment, rs)
    return min(share, left) if missing > 0 else max(share, left)


def _exact_share(deployment: Deployment, rs: ReplicaSet) -> int:
    """By how much a ReplicaSet changes when it keeps its part of the whole."""
    size = replicas_of(rs)
    if wanted(deployment) == 0:
        return -size
    text = rs.metadata.annotations.get(MAX_REPLICAS, "")
    before = int(text) if text.isdecimal() and int(text) else deployment.status.replicas
    if before == 0:
        return 0
    return math.floor(size * (wanted(deployment) + max_surge(deployment)) / before + 0.5) - size


def expired(deployment: Deployment, old: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """The ReplicaSets beyond the history limit that have no pods left."""
    limit = deployment.spec.revision_history_limit
    if limit is None:
        return []
    kept = sorted((rs for rs in old if rs.metadata.deletion_timestamp is None), key=revision_of)
    return [rs for rs in kept[: max(0, len(kept) - limit)] if _is_done(rs)]


def _is_done(rs: ReplicaSet) -> bool:
    observed = rs.metadata.generation <= rs.status.observed_generation
    return observed and replicas_of(rs) == 0 and rs.status.replicas == 0
