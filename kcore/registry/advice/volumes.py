"""What upstream warns of in volumes: those that nothing serves any more, parts of bytes, paths that hide each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kcore.api import quantity
from kcore.api.core_v1 import (
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    Volume,
    VolumeProjection,
)
from kcore.api.field import Path, quote
from kcore.registry.advice.labels import node_term_advice

__all__ = ["OLD_VOLUMES", "claim_advice", "claim_spec_advice", "fraction_advice", "overlap_advice", "volume_advice"]

OLD_VOLUMES = {
    "photon_persistent_disk": "photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+",
    "git_repo": "gitRepo: deprecated in v1.11",
    "scale_io": "scaleIO: deprecated in v1.16, non-functional in v1.22+",
    "flocker": "flocker: deprecated in v1.22, non-functional in v1.25+",
    "storageos": "storageOS: deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "quobyte: deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "glusterfs: deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "cephfs: deprecated in v1.28, non-functional in v1.31+",
    "rbd": "rbd: deprecated in v1.28, non-functional in v1.31+",
}
_PERSISTENT = ("cephfs", "photon_persistent_disk", "scale_io", "storageos", "glusterfs", "rbd")
_CLASS = "volume.beta.kubernetes.io/storage-class"
_OPTIONS = "volume.beta.kubernetes.io/mount-options"
_SPEC = Path("spec")


def fraction_advice(amounts: Mapping[str, str], names: Iterable[str], path: Path) -> Iterator[str]:
    """Bytes do not come in parts."""
    for name in names:
        amount = amounts.get(name)
        if amount is not None and quantity.milli_value(amount) % 1000:
            yield f"{path.key(name)}: fractional byte value {quote(amount)} is invalid, must be an integer"


def claim_advice(new: PersistentVolumeClaim, old: PersistentVolumeClaim | None) -> Iterator[str]:
    yield from _class_advice(new.metadata.annotations)
    yield from claim_spec_advice(new.spec, _SPEC)


def claim_spec_advice(spec: PersistentVolumeClaimSpec, path: Path) -> Iterator[str]:
    resources = path / "resources"
    yield from fraction_advice(spec.resources.requests, ("storage",), resources / "requests")
    yield from fraction_advice(spec.resources.limits, ("storage",), resources / "limits")


def _class_advice(annotations: Mapping[str, str]) -> Iterator[str]:
    if _CLASS in annotations:
        yield f'metadata.annotations[{_CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead'


def volume_advice(new: PersistentVolume, old: PersistentVolume | None) -> Iterator[str]:
    spec = new.spec
    yield from _class_advice(new.metadata.annotations)
    if _OPTIONS in new.metadata.annotations:
        yield f'metadata.annotations[{_OPTIONS}]: deprecated since v1.31; use "mountOptions" attribute instead'
    if spec.persistent_volume_reclaim_policy == "Recycle":
        yield (
            f"{_SPEC / 'persistentVolumeReclaimPolicy'}: The Recycle reclaim policy is deprecated. "
            "Instead, the recommended approach is to use dynamic provisioning."
        )
    if spec.node_affinity is not None and spec.node_affinity.required is not None:
        path = _SPEC / "nodeAffinity" / "required" / "nodeSelectorTerms"
        for i, term in enumerate(spec.node_affinity.required.node_selector_terms):
            yield from node_term_advice(term, path @ i)
    for name in _PERSISTENT:
        if getattr(spec, name) is not None:
            yield f"spec.{OLD_VOLUMES[name]}"


def overlap_advice(volumes: Iterable[Volume]) -> Iterator[str]:
    """Files of one volume whose paths are those of another, or lead through it."""
    for volume in volumes:
        if volume.config_map is not None:
            paths = [(item.path, "") for item in volume.config_map.items]
            yield from _overlaps(volume, f"ConfigMap {quote(volume.config_map.name)}", paths)
        if volume.secret is not None:
            paths = [(item.path, "") for item in volume.secret.items]
            yield from _overlaps(volume, f"Secret {quote(volume.secret.secret_name)}", paths)
        if volume.downward_api is not None:
            paths = [(item.path, "") for item in volume.downward_api.items]
            yield from _overlaps(volume, "DownwardAPI", paths)
        if volume.projected is not None:
            for source in volume.projected.sources:
                if source == VolumeProjection():
                    yield f"volume {quote(volume.name)} (Projected) has no sources provided"
            paths = [path for source in volume.projected.sources for path in _projected_paths(source)]
            yield from _overlaps(volume, "Projected", paths)


def _projected_paths(source: VolumeProjection) -> Iterator[tuple[str, str]]:
    """Each with the words for where it comes from."""
    if source.config_map is not None and source.config_map.items:
        for item in source.config_map.items:
            yield item.path, f"ConfigMap {quote(source.config_map.name)}"
    elif source.secret is not None and source.secret.items:
        for item in source.secret.items:
            yield item.path, f"Secret {quote(source.secret.name)}"
    elif source.downward_api is not None and source.downward_api.items:
        for file in source.downward_api.items:
            yield file.path, "DownwardAPI"
    elif source.service_account_token is not None:
        yield source.service_account_token.path, "ServiceAccountToken"
    elif source.cluster_trust_bundle is not None:
        bundle = source.cluster_trust_bundle
        yield bundle.path, f"ClusterTrustBundle {quote(bundle.name or bundle.signer_name or '')}"
    elif source.pod_certificate is not None:
        certificate = source.pod_certificate
        yield certificate.certificate_chain_path, "PodCertificate chain"
        yield certificate.key_path, "PodCertificate key"
        yield certificate.credential_bundle_path, "PodCertificate credential bundle"


def _overlaps(volume: Volume, what: str, paths: Iterable[tuple[str, str]]) -> Iterator[str]:
    seen: list[tuple[str, str]] = []
    for given, source in paths:
        path = given.rstrip("/")
        if not path:
            continue
        for other, its_source in seen:
            if f"{other}/".startswith(f"{path}/") or f"{path}/".startswith(f"{other}/"):
                pair = f"{_described(path, source)} with {_described(other, its_source)}"
                yield f"volume {quote(volume.name)} ({what}): overlapping paths: {pair}"
        seen.append((path, source))


def _described(path: str, source: str) -> str:
    return f"{quote(path)} ({source})" if source else quote(path)
