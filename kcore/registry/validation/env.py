"""Environment variables, and what they and downward API volumes may refer to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from kcore.api import names, quantity
from kcore.api.core_v1 import (
    ConfigMapKeySelector,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    FileKeySelector,
    ObjectFieldSelector,
    PodSpec,
    ResourceFieldSelector,
    SecretKeySelector,
)
from kcore.api.field import FieldError, Path, invalid, not_found, not_supported, required
from kcore.registry.validation.paths import path_without_backsteps
from kcore.registry.validation.rules import refuse
from kcore.registry.validation.values import check
from kcore.registry.validation.windows import containers_with_path

__all__ = [
    "validate_env",
    "validate_env_files",
    "validate_env_from",
    "validate_field_selector",
    "validate_resource_selector",
]

_ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
# Every field that the downward API knows, in variables or in files.
_KNOWN_FIELDS = frozenset(
    (
        *_ENV_FIELDS,
        "metadata.annotations",
        "metadata.labels",
        "spec.restartPolicy",
        "spec.schedulerName",
        "status.phase",
        "status.nominatedNodeName",
        "spec.host",
    )
)
_SUBSCRIPT = re.compile(r"(.*)\['(.*)'\]", re.DOTALL)
_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_HUGE_PAGES = ("limits.hugepages-", "requests.hugepages-")
_SIZES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")


def validate_env(variables: tuple[EnvVar, ...], path: Path) -> Iterator[FieldError]:
    for i, variable in enumerate(variables):
        if not variable.name:
            yield required(path @ i / "name")
        elif words := names.relaxed_env_var_name(variable.name):
            yield from refuse(path @ i / "name", variable.name, words)
        if variable.value_from is not None:
            yield from _validate_source(variable.value_from, path @ i / "valueFrom", variable.value)


def _validate_source(source: EnvVarSource, path: Path, value: str) -> Iterator[FieldError]:
    count = 0
    if source.field_ref is not None:
        count += 1
        yield from validate_field_selector(source.field_ref, path / "fieldRef", _ENV_FIELDS)
    if source.resource_field_ref is not None:
        count += 1
        yield from validate_resource_selector(source.resource_field_ref, path / "resourceFieldRef")
    if source.config_map_key_ref is not None:
        count += 1
        yield from _validate_key(source.config_map_key_ref, path / "configMapKeyRef")
    if source.secret_key_ref is not None:
        count += 1
        yield from _validate_key(source.secret_key_ref, path / "secretKeyRef")
    if source.file_key_ref is not None:
        count += 1
        yield from _validate_file_key(source.file_key_ref, path / "fileKeyRef")
    if count == 0:
        choices = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        yield invalid(path, "", f"must specify one of: {choices}")
    elif value:
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif count > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")


def _validate_key(selector: ConfigMapKeySelector | SecretKeySelector, path: Path) -> Iterator[FieldError]:
    yield from check(path / "name", selector.name, names.dns1123_subdomain)
    if not selector.key:
        yield required(path / "key")
    else:
        yield from check(path / "key", selector.key, names.config_map_key)


def _validate_file_key(selector: FileKeySelector, path: Path) -> Iterator[FieldError]:
    if not selector.key:
        yield required(path / "key")
    else:
        yield from check(path / "key", selector.key, names.relaxed_env_var_name)
    if not selector.volume_name:
        yield required(path / "volumeName")
    else:
        yield from check(path / "volumeName", selector.volume_name, names.dns1123_label)
    if not selector.path:
        yield required(path / "path")
    else:
        yield from path_without_backsteps(selector.path, path / "path")


def validate_env_files(spec: PodSpec, path: Path) -> Iterator[FieldError]:
    """Files that variables are read from are written by other containers of the pod (KEP-3721)."""
    for container, at in containers_with_path(spec, path):
        for i, variable in enumerate(container.env):
            selector = variable.value_from.file_key_ref if variable.value_from is not None else None
            if selector is None:
                continue
            where = at / "env" @ i / "valueFrom" / "fileKeyRef" / "volumeName"
            volume = next((v for v in reversed(spec.volumes) if v.name == selector.volume_name), None)
            if volume is None:
                yield not_found(where, selector.volume_name)
            elif volume.empty_dir is None:
                yield invalid(where, selector.volume_name, "referenced volume must be of type emptyDir")


def validate_env_from(sources: tuple[EnvFromSource, ...], path: Path) -> Iterator[FieldError]:
    for i, source in enumerate(sources):
        if source.prefix:
            yield from check(path @ i / "prefix", source.prefix, names.relaxed_env_var_name)
        if source.config_map_ref is not None:
            yield from _validate_reference(source.config_map_ref.name, path @ i / "configMapRef" / "name")
        if source.secret_ref is not None:
            yield from _validate_reference(source.secret_ref.name, path @ i / "secretRef" / "name")
        if source.config_map_ref is None and source.secret_ref is None:
            yield invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif source.config_map_ref is not None and source.secret_ref is not None:
            yield invalid(path, "", "may not have more than one field specified at a time")


def _validate_reference(name: str, path: Path) -> Iterator[FieldError]:
    if not name:
        yield required(path)
    else:
        # A reference may be the beginning of a name, so a dash at its end is let through.
        yield from refuse(path, name, names.dns1123_subdomain(name[:-1] + "a" if name.endswith("-") else name))


def validate_field_selector(
    selector: ObjectFieldSelector, path: Path, supported: Collection[str]
) -> Iterator[FieldError]:
    """`supported` are the fields that may be referred to as a whole, sorted."""
    if not selector.api_version:
        yield required(path / "apiVersion")
        return
    if not selector.field_path:
        yield required(path / "fieldPath")
        return
    match = _SUBSCRIPT.fullmatch(selector.field_path)
    whole = match[1] if match else selector.field_path
    problem = ""
    if selector.api_version != "v1":
        problem = f"unsupported pod version: {selector.api_version}"
    elif match and whole not in ("metadata.annotations", "metadata.labels"):
        problem = f"field label does not support subscript: {selector.field_path}"
    elif whole not in _KNOWN_FIELDS:
        problem = f"field label not supported: {selector.field_path}"
    if problem:
        yield invalid(path / "fieldPath", selector.field_path, f"error converting fieldPath: {problem}")
    elif match:
        subscript = match[2].lower() if whole == "metadata.annotations" else match[2]
        yield from check(path, subscript, names.label_key)
    else:
        whole = "spec.nodeName" if whole == "spec.host" else whole
        if whole not in supported:
            yield not_supported(path / "fieldPath", whole, sorted(supported))


def validate_resource_selector(
    selector: ResourceFieldSelector, path: Path, *, in_volume: bool = False
) -> Iterator[FieldError]:
    name = selector.resource
    if in_volume and not selector.container_name:
        yield required(path / "containerName")
    elif not name:
        yield required(path / "resource")
    elif name not in _RESOURCES and not name.startswith(_HUGE_PAGES):
        yield not_supported(path / "resource", name, _RESOURCES)
    yield from _validate_divisor(selector, path / "divisor")


def _validate_divisor(selector: ResourceFieldSelector, path: Path) -> Iterator[FieldError]:
    if selector.divisor == "0" or quantity.compare(selector.divisor, "0") == 0:
        return
    name = selector.resource
    if name.endswith(".cpu"):
        if selector.divisor not in ("1m", "1"):
            words = "only divisor's values 1m and 1 are supported with the cpu resource"
            yield invalid(path, name, words)
        return
    if selector.divisor in _SIZES:
        return
    if name in _RESOURCES:
        what = "memory" if name.endswith(".memory") else "local ephemeral storage"
    elif name.startswith(_HUGE_PAGES):
        what = "hugepages"
    else:
        return
    yield invalid(path, name, f"only divisor's values {', '.join(_SIZES)} are supported with the {what} resource")
