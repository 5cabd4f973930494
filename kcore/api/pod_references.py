"""What a pod or a volume needs others for: the objects that it names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kcore.api.core_v1 import Container, EnvVar, PersistentVolume, Pod, SecretReference, Volume

__all__ = ["MIRROR_ANNOTATION", "Reference", "pod_references", "volume_secrets"]

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
"""On pods by which a kubelet shows what it runs from files of its own."""

# Volume sources of pods that name a secret as `secret_ref`.
_WITH_SECRET_REF = ("cephfs", "cinder", "flex_volume", "iscsi", "rbd", "scale_io", "storageos")
_OF_CSI = ("node_publish_secret_ref", "node_stage_secret_ref", "node_expand_secret_ref")


class Reference(NamedTuple):
    """`resource` in the plural, as paths have it."""

    resource: str
    namespace: str
    name: str


def pod_references(pod: Pod) -> Iterator[Reference]:
    """Secrets, ConfigMaps, claims and the service account that its kubelet needs; some of them may be named twice."""
    namespace, spec = pod.metadata.namespace, pod.spec
    if spec.service_account_name:
        yield Reference("serviceaccounts", namespace, spec.service_account_name)
    for pull in spec.image_pull_secrets:
        yield Reference("secrets", namespace, pull.name)
    for container in (*spec.containers, *spec.init_containers):
        yield from _of_container(container, namespace)
    for ephemeral in spec.ephemeral_containers:
        yield from _of_env(ephemeral.env, namespace)
    for volume in spec.volumes:
        yield from _of_volume(pod, volume)
    yield from _resource_claims(pod)


def _of_container(container: Container, namespace: str) -> Iterator[Reference]:
    for source in container.env_from:
        if source.secret_ref is not None:
            yield Reference("secrets", namespace, source.secret_ref.name)
        if source.config_map_ref is not None:
            yield Reference("configmaps", namespace, source.config_map_ref.name)
    yield from _of_env(container.env, namespace)


def _of_env(env: tuple[EnvVar, ...], namespace: str) -> Iterator[Reference]:
    for variable in env:
        source = variable.value_from
        if source is None:
            continue
        if source.secret_key_ref is not None:
            yield Reference("secrets", namespace, source.secret_key_ref.name)
        if source.config_map_key_ref is not None:
            yield Reference("configmaps", namespace, source.config_map_key_ref.name)


def _of_volume(pod: Pod, volume: Volume) -> Iterator[Reference]:
    namespace = pod.metadata.namespace
    if volume.secret is not None:
        yield Reference("secrets", namespace, volume.secret.secret_name)
    if volume.config_map is not None:
        yield Reference("configmaps", namespace, volume.config_map.name)
    for projection in volume.projected.sources if volume.projected is not None else ():
        if projection.secret is not None:
            yield Reference("secrets", namespace, projection.secret.name)
        if projection.config_map is not None:
            yield Reference("configmaps", namespace, projection.config_map.name)
    if volume.azure_file is not None:
        yield Reference("secrets", namespace, volume.azure_file.secret_name)
    if volume.csi is not None and volume.csi.node_publish_secret_ref is not None:
        yield Reference("secrets", namespace, volume.csi.node_publish_secret_ref.name)
    for source in (getattr(volume, name) for name in _WITH_SECRET_REF):
        if source is not None and source.secret_ref is not None:
            yield Reference("secrets", namespace, source.secret_ref.name)
    if volume.persistent_volume_claim is not None:
        yield Reference("persistentvolumeclaims", namespace, volume.persistent_volume_claim.claim_name)
    if volume.ephemeral is not None:
        yield Reference("persistentvolumeclaims", namespace, f"{pod.metadata.name}-{volume.name}")


def _resource_claims(pod: Pod) -> Iterator[Reference]:
    """Those that are named, and those that were made from a template."""
    namespace, status = pod.metadata.namespace, pod.status
    for claim in pod.spec.resource_claims:
        if claim.resource_claim_name:
            yield Reference("resourceclaims", namespace, claim.resource_claim_name)
    for made in status.resource_claim_statuses:
        if made.resource_claim_name:
            yield Reference("resourceclaims", namespace, made.resource_claim_name)
    extended = status.extended_resource_claim_status
    if extended is not None and extended.resource_claim_name:
        yield Reference("resourceclaims", namespace, extended.resource_claim_name)


def volume_secrets(volume: PersistentVolume) -> Iterator[Reference]:
    """The secrets that a kubelet needs to mount a volume; without a namespace they are in its claim's."""
    spec = volume.spec
    home = spec.claim_ref.namespace if spec.claim_ref is not None else ""
    if spec.azure_file is not None:
        yield Reference("secrets", spec.azure_file.secret_namespace or home, spec.azure_file.secret_name)
    refs: list[SecretReference | None] = []
    if spec.csi is not None:
        refs += [getattr(spec.csi, name) for name in _OF_CSI]
    refs += [source.secret_ref for name in _WITH_SECRET_REF if (source := getattr(spec, name)) is not None]
    for ref in refs:
        if ref is not None and ref.name:
            yield Reference("secrets", ref.namespace or home, ref.name)
