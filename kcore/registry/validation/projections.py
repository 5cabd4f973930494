"""Volumes made of pieces: ConfigMaps, Secrets, the downward API, and projections of all of them."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api import names
from kcore.api.core_v1 import (
    ClusterTrustBundleProjection,
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    KeyToPath,
    PodCertificateProjection,
    ProjectedVolumeSource,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    VolumeProjection,
)
from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, required
from kcore.registry.validation.env import validate_field_selector, validate_resource_selector
from kcore.registry.validation.internal import shown
from kcore.registry.validation.labels import validate_label_selector
from kcore.registry.validation.paths import local_path
from kcore.registry.validation.signers import is_kubernetes_signer, validate_signer
from kcore.registry.validation.values import check

__all__ = [
    "validate_config_map_volume",
    "validate_downward_api_volume",
    "validate_projected_volume",
    "validate_secret_volume",
]

_FILE_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_CONFLICT = "conflicting duplicate paths"
_KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
_CERTIFICATE_SECONDS_MIN = 3600
_CERTIFICATE_SECONDS_MAX = 91 * 86400
_KUBERNETES_CERTIFICATE_SECONDS_MAX = 86400
_TOKEN_SECONDS_MIN = 600


def validate_secret_volume(source: SecretVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.secret_name:
        yield required(path / "secretName")
    yield from _validate_mode(source.default_mode, path / "defaultMode")
    for i, item in enumerate(source.items):
        yield from _validate_key_to_path(item, path / "items" @ i)


def validate_config_map_volume(source: ConfigMapVolumeSource, path: Path) -> Iterator[FieldError]:
    if not source.name:
        yield required(path / "name")
    yield from _validate_mode(source.default_mode, path / "defaultMode")
    for i, item in enumerate(source.items):
        yield from _validate_key_to_path(item, path / "items" @ i)


def validate_downward_api_volume(source: DownwardAPIVolumeSource, path: Path) -> Iterator[FieldError]:
    """Upstream reports what is wrong with a file at the whole volume."""
    yield from _validate_mode(source.default_mode, path / "defaultMode")
    for item in source.items:
        yield from _validate_downward_file(item, path)


def _validate_mode(mode: int | None, path: Path) -> Iterator[FieldError]:
    if mode is not None and not 0 <= mode <= 0o777:
        yield invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")


def _validate_key_to_path(item: KeyToPath, path: Path) -> Iterator[FieldError]:
    if not item.key:
        yield required(path / "key")
    if not item.path:
        yield required(path / "path")
    yield from local_path(item.path, path / "path")
    yield from _validate_mode(item.mode, path / "mode")


def _validate_downward_file(item: DownwardAPIVolumeFile, path: Path) -> Iterator[FieldError]:
    if not item.path:
        yield required(path / "path")
    yield from local_path(item.path, path / "path")
    if item.field_ref is not None:
        yield from validate_field_selector(item.field_ref, path / "fieldRef", _FILE_FIELDS)
        if item.resource_field_ref is not None:
            yield invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif item.resource_field_ref is not None:
        yield from validate_resource_selector(item.resource_field_ref, path / "resourceFieldRef", in_volume=True)
    else:
        yield required(path, "one of fieldRef and resourceFieldRef is required")
    yield from _validate_mode(item.mode, path / "mode")


def validate_projected_volume(source: ProjectedVolumeSource, path: Path) -> Iterator[FieldError]:
    yield from _validate_mode(source.default_mode, path / "defaultMode")
    taken: set[str] = set()
    for i, projection in enumerate(source.sources):
        yield from _validate_projection(projection, path / "sources" @ i, path, taken)


def _validate_projection(
    projection: VolumeProjection, path: Path, volume: Path, taken: set[str]
) -> Iterator[FieldError]:
    """`taken`: paths that earlier pieces of the volume fill already."""
    kinds = sum(getattr(projection, f) is not None for f in projection.__struct_fields__)
    for name, keyed in (("secret", projection.secret), ("configMap", projection.config_map)):
        if keyed is None:
            continue
        if not keyed.name:
            yield required(path / name / "name")
        for i, item in enumerate(keyed.items):
            yield from _validate_key_to_path(item, path / name / "items" @ i)
            yield from _take(item.path, taken, volume, keyed.name)
    if projection.downward_api is not None:
        for file in projection.downward_api.items:
            yield from _validate_downward_file(file, path / "downwardAPI")
            yield from _take(file.path, taken, volume, file.path)
    if projection.service_account_token is not None:
        yield from _validate_token(projection.service_account_token, path / "serviceAccountToken", volume)
    if projection.cluster_trust_bundle is not None:
        bundle = projection.cluster_trust_bundle
        yield from _validate_trust_bundle(bundle, path / "clusterTrustBundle")
        yield from _take(bundle.path, taken, volume, bundle.path)
    if projection.pod_certificate is not None:
        yield from _validate_pod_certificate(projection.pod_certificate, path / "podCertificate", volume, taken)
    if kinds > 1:
        yield forbidden(path, "may not specify more than 1 volume type per source")


def _take(path: str, taken: set[str], volume: Path, shown_as: str) -> Iterator[FieldError]:
    if not path:
        return
    if path in taken:
        yield invalid(volume, shown_as, _CONFLICT)
    taken.add(path)


def _validate_token(token: ServiceAccountTokenProjection, path: Path, volume: Path) -> Iterator[FieldError]:
    seconds = token.expiration_seconds
    if seconds is not None and seconds < _TOKEN_SECONDS_MIN:
        yield invalid(path / "expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    if seconds is not None and seconds > 1 << 32:
        yield invalid(path / "expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
    if not token.path:
        yield required(volume / "path")
    else:
        yield from local_path(token.path, volume / "path")


def _validate_trust_bundle(bundle: ClusterTrustBundleProjection, path: Path) -> Iterator[FieldError]:
    if bundle.name is not None and bundle.signer_name is not None:
        yield invalid(path, shown(bundle), "only one of name and signerName may be used")
    elif bundle.name is not None:
        if not bundle.name:
            yield required(path / "name", "must be a valid object name")
        # `NAME`, or `SIGNER:NAME` with the slash of the signer's name written as a colon.
        for message in names.dns1123_subdomain(bundle.name.rpartition(":")[2]):
            yield invalid(path / "name", bundle.name, f"not a valid clustertrustbundlename: {message}")
        if bundle.label_selector is not None:
            words = "labelSelector must be unset if name is specified"
            yield invalid(path / "labelSelector", bundle.label_selector, words)
    elif bundle.signer_name is not None:
        if not bundle.signer_name:
            yield required(path / "signerName", "must be a valid signer name")
        yield from validate_signer(bundle.signer_name, path / "signerName")
        yield from validate_label_selector(bundle.label_selector, path / "labelSelector")
    else:
        yield required(path, "either name or signerName must be specified")
    if not bundle.path:
        yield required(path / "path")
    yield from local_path(bundle.path, path / "path")


def _validate_certificate_life(certificate: PodCertificateProjection, path: Path) -> Iterator[FieldError]:
    seconds = certificate.max_expiration_seconds
    if seconds is None:
        return
    if seconds < _CERTIFICATE_SECONDS_MIN:
        yield invalid(path, seconds, f"if provided, maxExpirationSeconds must be >= {_CERTIFICATE_SECONDS_MIN}")
    kubernetes = is_kubernetes_signer(certificate.signer_name)
    most = _KUBERNETES_CERTIFICATE_SECONDS_MAX if kubernetes else _CERTIFICATE_SECONDS_MAX
    if seconds > most:
        yield invalid(path, seconds, f"if provided, maxExpirationSeconds must be <= {most}")


def _validate_pod_certificate(
    certificate: PodCertificateProjection, path: Path, volume: Path, taken: set[str]
) -> Iterator[FieldError]:
    yield from validate_signer(certificate.signer_name, path / "signerName")
    for key in sorted(certificate.user_annotations):
        yield from check(path / "userAnnotations", key, names.prefixed_label_key)
    if certificate.key_type not in _KEY_TYPES:
        yield not_supported(path / "keyType", certificate.key_type, _KEY_TYPES)
    yield from _validate_certificate_life(certificate, path / "maxExpirationSeconds")
    places = (
        ("credentialBundlePath", certificate.credential_bundle_path),
        ("keyPath", certificate.key_path),
        ("certificateChainPath", certificate.certificate_chain_path),
    )
    if not any(place for _, place in places):
        words = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
        yield required(path, words)
    for name, place in places:
        if place:
            yield from local_path(place, path / name)
            yield from _take(place, taken, volume, place)
