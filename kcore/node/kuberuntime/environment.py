"""The environment of a container: Services, `envFrom`, `env`, each able to override those before it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from kcore.api.core_v1 import EnvFromSource, EnvVar, EnvVarSource, Pod, Service
from kcore.node.downward import PodAddresses, field_value, resource_value
from kcore.node.references import Lookup, decoded
from kcore.node.runtime import AnyContainer

__all__ = ["ConfigError", "Surroundings", "environment", "expand", "service_variables"]

_REFERENCE = re.compile(r"\$(?:\$|\(([^()]*)\))")
_NAME = re.compile(r"[ -<>-~]+")  # printable, and no `=`


class ConfigError(Exception):
    """What a container names is not there; the message is for its status."""


class Surroundings(NamedTuple):
    """What a container finds around itself, beyond what its pod says."""

    addresses: PodAddresses
    allocatable: Mapping[str, str]
    services: Iterable[Service]
    own: Mapping[str, str]
    """What kcore itself says, such as POD_IP; what the pod says may override it."""


def environment(pod: Pod, container: AnyContainer, around: Surroundings, lookup: Lookup) -> Mapping[str, str]:
    """All variables. Raises ConfigError and DownwardError."""
    result = {**service_variables(pod, around.services), **around.own}
    for source in container.env_from:
        result |= _all_of(pod, source, lookup)
    # Only what stands before a variable may be used in it.
    for variable in container.env:
        value = _value(pod, container, variable, around, lookup, result)
        if value is not None:
            result[variable.name] = value
    return result


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`text` with `$(NAME)` replaced where there is such a variable; `$$` is a dollar."""

    def replaced(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return variables.get(found[1], found[0])

    return _REFERENCE.sub(replaced, text)


def service_variables(pod: Pod, services: Iterable[Service]) -> Mapping[str, str]:
    """Where the Services of the pod's namespace are, and always the API server's."""
    links = pod.spec.enable_service_links is not False
    chosen: dict[str, Service] = {}
    for service in services:
        metadata = service.metadata
        if not service.spec.cluster_ip or service.spec.cluster_ip == "None" or not service.spec.ports:
            continue
        if metadata.namespace == pod.metadata.namespace and links:
            chosen[metadata.name] = service
        elif (metadata.namespace, metadata.name) == ("default", "kubernetes"):
            chosen.setdefault("kubernetes", service)
    return {name: value for service in chosen.values() for name, value in _variables(service)}


def _variables(service: Service) -> Iterator[tuple[str, str]]:
    prefix = service.metadata.name.upper().replace("-", "_")
    address, ports = service.spec.cluster_ip, service.spec.ports
    yield f"{prefix}_SERVICE_HOST", address
    yield f"{prefix}_SERVICE_PORT", str(ports[0].port)
    for port in ports:
        if port.name:
            yield f"{prefix}_SERVICE_PORT_{port.name.upper().replace('-', '_')}", str(port.port)
    for index, port in enumerate(ports):
        protocol = port.protocol or "TCP"
        url = f"{protocol.lower()}://{f'[{address}]' if ':' in address else address}:{port.port}"
        if index == 0:
            yield f"{prefix}_PORT", url
        stem = f"{prefix}_PORT_{port.port}_{protocol}"
        yield stem, url
        yield f"{stem}_PROTO", protocol.lower()
        yield f"{stem}_PORT", str(port.port)
        yield f"{stem}_ADDR", address


def _all_of(pod: Pod, source: EnvFromSource, lookup: Lookup) -> Mapping[str, str]:
    namespace = pod.metadata.namespace
    values: Mapping[str, str] = {}
    if (wanted := source.config_map_ref) is not None:
        found = lookup.config_map(namespace, wanted.name)
        if found is None and not wanted.optional:
            raise ConfigError(f'configmap "{wanted.name}" not found')
        values = found.data if found is not None else {}
    elif (named := source.secret_ref) is not None:
        secret = lookup.secret(namespace, named.name)
        if secret is None and not named.optional:
            raise ConfigError(f'secret "{named.name}" not found')
        values = {k: decoded(v).decode(errors="replace") for k, v in secret.data.items()} if secret is not None else {}
    return {source.prefix + key: value for key, value in values.items() if _NAME.fullmatch(source.prefix + key)}


def _value(
    pod: Pod,
    container: AnyContainer,
    variable: EnvVar,
    around: Surroundings,
    lookup: Lookup,
    before: Mapping[str, str],
) -> str | None:
    source = variable.value_from
    if source is None:
        return expand(variable.value, before)
    if source.field_ref is not None:
        return field_value(pod, around.addresses, source.field_ref)
    if source.resource_field_ref is not None:
        return resource_value(pod, source.resource_field_ref, around.allocatable, container.name)
    return _keyed(pod.metadata.namespace, source, lookup)


def _keyed(namespace: str, source: EnvVarSource, lookup: Lookup) -> str | None:
    """One value of a ConfigMap or Secret; None: it is optional and not there."""
    if (wanted := source.config_map_key_ref) is not None:
        config_map = lookup.config_map(namespace, wanted.name)
        if config_map is not None and wanted.key in config_map.data:
            return config_map.data[wanted.key]
        if wanted.optional:
            return None
        if config_map is None:
            raise ConfigError(f'configmap "{wanted.name}" not found')
        raise ConfigError(f"couldn't find key {wanted.key} in ConfigMap {namespace}/{wanted.name}")
    if (named := source.secret_key_ref) is not None:
        secret = lookup.secret(namespace, named.name)
        if secret is not None and named.key in secret.data:
            return decoded(secret.data[named.key]).decode(errors="replace")
        if named.optional:
            return None
        if secret is None:
            raise ConfigError(f'secret "{named.name}" not found')
        raise ConfigError(f"couldn't find key {named.key} in Secret {namespace}/{named.name}")
    raise ConfigError("environment variables from files are not supported")
