"""What a pod of a StatefulSet keeps when it is replaced: its ordinal, and with it name, host name and claims."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from kcore.api.apps_v1 import StatefulSet
from kcore.api.core_v1 import (
    PersistentVolumeClaim,
    PersistentVolumeClaimStatus,
    PersistentVolumeClaimVolumeSource,
    Pod,
    PodTemplateSpec,
    Volume,
)
from kcore.api.meta_v1 import ObjectMeta, OwnerReference
from kcore.controllers.history import REVISION_LABEL

__all__ = [
    "belongs",
    "claims_of",
    "identified",
    "new_pod",
    "ordinal_of",
    "ordinals",
    "revision_of",
    "size",
    "start",
    "with_claims",
]

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"

_named = re.compile(r"(.*)-([0-9]+)").fullmatch


def belongs(pod: Pod, owner: StatefulSet) -> bool:
    """Whether the pod has a name that the StatefulSet would give."""
    named = _named(pod.metadata.name)
    return named is not None and named[1] == owner.metadata.name


def ordinal_of(pod: Pod) -> int:
    named = _named(pod.metadata.name)
    assert named is not None
    return int(named[2])


def revision_of(pod: Pod) -> str:
    """The name of the revision that the pod was made from."""
    return pod.metadata.labels.get(REVISION_LABEL, "")


def start(owner: StatefulSet) -> int:
    return owner.spec.ordinals.start if owner.spec.ordinals is not None else 0


def size(owner: StatefulSet) -> int:
    return 1 if owner.spec.replicas is None else owner.spec.replicas


def ordinals(owner: StatefulSet) -> range:
    """Those that there should be."""
    return range(start(owner), start(owner) + size(owner))


def new_pod(
    owner: StatefulSet, template: PodTemplateSpec, revision: str, ordinal: int, reference: OwnerReference
) -> Pod:
    metadata = owner.metadata
    name = f"{metadata.name}-{ordinal}"
    spec = replace(template.spec, hostname=name, subdomain=owner.spec.service_name)
    pod = Pod(
        metadata=ObjectMeta(
            name=name,
            generate_name=f"{metadata.name}-",
            namespace=metadata.namespace,
            labels={**template.metadata.labels, REVISION_LABEL: revision},
            annotations=template.metadata.annotations,
            finalizers=template.metadata.finalizers,
            owner_references=(reference,),
        ),
        spec=spec,
    )
    return with_claims(identified(pod), owner)


def identified(pod: Pod) -> Pod:
    """The pod with the labels that tell who it is; the very same one where it has them."""
    own = {POD_NAME: pod.metadata.name, POD_INDEX: str(ordinal_of(pod))}
    labels = pod.metadata.labels
    if own.items() <= labels.items():
        return pod
    return replace(pod, metadata=replace(pod.metadata, labels={**labels, **own}))


def with_claims(pod: Pod, owner: StatefulSet) -> Pod:
    """The pod with its claims as volumes, which replace others of their names; the same one where it has them."""
    wanted = tuple(_volumes(owner, ordinal_of(pod)))
    standing = {_mount(volume) for volume in pod.spec.volumes}
    if all(_mount(volume) in standing for volume in wanted):
        return pod
    names = {volume.name for volume in wanted}
    others = tuple(volume for volume in pod.spec.volumes if volume.name not in names)
    return replace(pod, spec=replace(pod.spec, volumes=wanted + others))


def _volumes(owner: StatefulSet, ordinal: int) -> Iterator[Volume]:
    for template in owner.spec.volume_claim_templates:
        source = PersistentVolumeClaimVolumeSource(claim_name=_claim_name(template, owner, ordinal))
        yield Volume(name=template.metadata.name, persistent_volume_claim=source)


def _mount(volume: Volume) -> tuple[str, str | None]:
    source = volume.persistent_volume_claim
    return volume.name, source.claim_name if source is not None else None


def claims_of(owner: StatefulSet, ordinal: int) -> Iterator[PersistentVolumeClaim]:
    """The claims that the pod with this ordinal has, as they are made."""
    selector = owner.spec.selector
    matched = selector.match_labels if selector is not None else {}
    for template in owner.spec.volume_claim_templates:
        metadata = replace(
            template.metadata,
            name=_claim_name(template, owner, ordinal),
            namespace=owner.metadata.namespace,
            labels={**template.metadata.labels, **matched},
        )
        yield PersistentVolumeClaim(metadata=metadata, spec=template.spec, status=PersistentVolumeClaimStatus())


def _claim_name(template: PersistentVolumeClaim, owner: StatefulSet, ordinal: int) -> str:
    return f"{template.metadata.name}-{owner.metadata.name}-{ordinal}"
