"""Rules of APIServices."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from kcore.api.apiregistration_v1 import APIService, APIServiceSpec
from kcore.api.field import FieldError, Path, invalid, required
from kcore.api.names import dns1035_label, dns1123_subdomain, port_number
from kcore.registry.validation.values import check

__all__ = ["validate_api_service"]

_SPEC = Path("spec")
_GROUP_PRIORITY_MAX = 20000
_VERSION_PRIORITY_MAX = 1000


def validate_api_service(service: APIService) -> Iterator[FieldError]:
    spec, name = service.spec, service.metadata.name
    wanted = f"{spec.version}.{spec.group}"
    if name != wanted:
        yield invalid(Path("metadata") / "name", name, f'must be `spec.version+"."+spec.group`: "{wanted}"')
    if spec.group:
        yield from check(_SPEC / "group", spec.group, dns1123_subdomain)
    yield from check(_SPEC / "version", spec.version, dns1035_label)
    for field, value, limit in (
        ("groupPriorityMinimum", spec.group_priority_minimum, _GROUP_PRIORITY_MAX),
        ("versionPriority", spec.version_priority, _VERSION_PRIORITY_MAX),
    ):
        if not 0 < value <= limit:
            yield invalid(_SPEC / field, value, f"must be positive and less than {limit}")
    yield from _validate_backend(spec)


def _validate_backend(spec: APIServiceSpec) -> Iterator[FieldError]:
    bundle, insecure = spec.ca_bundle, spec.insecure_skip_tls_verify
    if spec.service is None:
        if bundle:
            size = f"{len(base64.b64decode(bundle))} bytes"
            yield invalid(_SPEC / "caBundle", size, "local APIServices may not have a caBundle")
        if insecure:
            message = "local APIServices may not have insecureSkipTLSVerify"
            yield invalid(_SPEC / "insecureSkipTLSVerify", insecure, message)
        return
    path = _SPEC / "service"
    for field, value in (("namespace", spec.service.namespace), ("name", spec.service.name)):
        if not value:
            yield required(path / field)
    if spec.service.port is not None:
        for message in port_number(spec.service.port):
            yield invalid(path / "port", spec.service.port, f"port is not valid: {message}")
    if insecure and bundle:
        yield invalid(_SPEC / "insecureSkipTLSVerify", insecure, "may not be true if caBundle is present")
