"""The claims that a pod names, and those that it brings along: ephemeral volumes."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.core_v1 import Pod, Volume

__all__ = ["BY_CLAIM", "claim_of", "claims_of", "ephemeral_claim"]

BY_CLAIM = "claims of pods"


def ephemeral_claim(pod: Pod, volume: Volume) -> str:
    """The name of the claim behind an ephemeral volume."""
    return f"{pod.metadata.name}-{volume.name}"


def claim_of(pod: Pod, volume: Volume) -> str:
    """The name of the claim behind a volume; "" where there is none."""
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return ephemeral_claim(pod, volume) if volume.ephemeral is not None else ""


def claims_of(pod: Pod) -> Iterator[str]:
    """The keys of all claims of a pod: the index by which their pods are found."""
    for volume in pod.spec.volumes:
        if name := claim_of(pod, volume):
            yield f"{pod.metadata.namespace}/{name}"
