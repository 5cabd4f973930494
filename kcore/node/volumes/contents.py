"""What the files of a volume hold that the API fills: ConfigMaps, Secrets, the downward API, tokens, all together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kcore.api.core_v1 import (
    ConfigMap,
    ConfigMapProjection,
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    KeyToPath,
    Pod,
    Secret,
    SecretProjection,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
)
from kcore.node.downward import DownwardError, PodAddresses, field_value, resource_value
from kcore.node.references import Lookup, decoded
from kcore.node.volumes.atomic import File

__all__ = ["PodFacts", "VolumeError", "contents", "token_projections"]

DEFAULT_MODE = 0o644


class VolumeError(Exception):
    """A volume that cannot be had; the message is for an event."""


class PodFacts(NamedTuple):
    """What the files tell of a pod beyond its object."""

    addresses: PodAddresses
    allocatable: Mapping[str, str]
    tokens: Mapping[tuple[str, str], str]
    """Tokens by volume and path."""


def token_projections(volume: Volume) -> Iterable[ServiceAccountTokenProjection]:
    sources = volume.projected.sources if volume.projected is not None else ()
    return [s.service_account_token for s in sources if s.service_account_token is not None]


def contents(pod: Pod, volume: Volume, lookup: Lookup, facts: PodFacts) -> Mapping[str, File] | None:
    """The files of a volume by their paths in it; None: it is of another sort. Raises VolumeError."""
    namespace = pod.metadata.namespace
    try:
        if (config_map := volume.config_map) is not None:
            mode = _mode(config_map.default_mode)
            return _config_map(lookup.config_map(namespace, config_map.name), config_map, mode)
        if (secret := volume.secret) is not None:
            name, mode = secret.secret_name, _mode(secret.default_mode)
            return _secret(lookup.secret(namespace, name), name, secret, mode)
        if (downward := volume.downward_api) is not None:
            return _downward(pod, downward.items, _mode(downward.default_mode), facts)
        if volume.projected is not None:
            return _projected(pod, volume, lookup, facts)
    except DownwardError as error:
        raise VolumeError(str(error)) from error
    return None


def _projected(pod: Pod, volume: Volume, lookup: Lookup, facts: PodFacts) -> Mapping[str, File]:
    assert volume.projected is not None
    namespace, mode = pod.metadata.namespace, _mode(volume.projected.default_mode)
    files: dict[str, File] = {}
    for source in volume.projected.sources:
        if (config_map := source.config_map) is not None:
            files |= _config_map(lookup.config_map(namespace, config_map.name), config_map, mode)
        elif (secret := source.secret) is not None:
            files |= _secret(lookup.secret(namespace, secret.name), secret.name, secret, mode)
        elif source.downward_api is not None:
            files |= _downward(pod, source.downward_api.items, mode, facts)
        elif (token := source.service_account_token) is not None:
            files[token.path] = File(facts.tokens[volume.name, token.path].encode(), mode)
        else:
            raise VolumeError("cluster trust bundles and pod certificates are not supported")
    return files


def _config_map(
    found: ConfigMap | None, source: ConfigMapVolumeSource | ConfigMapProjection, mode: int
) -> Mapping[str, File]:
    if found is None:
        return _missing("configmap", source.name, source.optional)
    data = {key: text.encode() for key, text in found.data.items()}
    data |= {key: decoded(text) for key, text in found.binary_data.items()}
    return _chosen(data, source.items, mode, f'configmap "{source.name}"', bool(source.optional))


def _secret(
    found: Secret | None, name: str, source: SecretVolumeSource | SecretProjection, mode: int
) -> Mapping[str, File]:
    if found is None:
        return _missing("secret", name, source.optional)
    data = {key: decoded(text) for key, text in found.data.items()}
    return _chosen(data, source.items, mode, f'secret "{name}"', bool(source.optional))


def _missing(kind: str, name: str, optional: bool | None) -> Mapping[str, File]:
    if not optional:
        raise VolumeError(f'{kind} "{name}" not found')
    return {}


def _chosen(
    data: Mapping[str, bytes], items: Iterable[KeyToPath], mode: int, whose: str, optional: bool
) -> Mapping[str, File]:
    if not items:
        return {key: File(value, mode) for key, value in data.items()}
    files = {}
    for item in items:
        if item.key in data:
            files[item.path] = File(data[item.key], mode if item.mode is None else item.mode)
        elif not optional:
            raise VolumeError(f"references non-existent config key: {item.key} ({whose})")
    return files


def _downward(pod: Pod, items: Iterable[DownwardAPIVolumeFile], mode: int, facts: PodFacts) -> Mapping[str, File]:
    files = {}
    for item in items:
        if item.field_ref is not None:
            text = field_value(pod, facts.addresses, item.field_ref)
        elif item.resource_field_ref is not None:
            text = resource_value(pod, item.resource_field_ref, facts.allocatable)
        else:
            continue
        files[item.path] = File(text.encode(), mode if item.mode is None else item.mode)
    return files


def _mode(mode: int | None) -> int:
    return DEFAULT_MODE if mode is None else mode
