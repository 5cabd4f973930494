"""Rules of ConfigMaps, Secrets and ServiceAccounts."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from kcore.api.core_v1 import ConfigMap, Secret, ServiceAccount
from kcore.api.field import FieldError, Path, forbidden, invalid, required, too_long
from kcore.api.json_syntax import JSONSyntaxError, parse_json
from kcore.api.names import config_map_key
from kcore.registry.validation.values import check, immutable

__all__ = [
    "secret_warnings",
    "service_account_warnings",
    "validate_config_map",
    "validate_config_map_update",
    "validate_secret",
    "validate_secret_update",
]

_SIZE_MAX = 1024 * 1024
_DATA = Path("data")
_SEALED = "field is immutable when `immutable` is set"


def validate_config_map(config: ConfigMap) -> Iterator[FieldError]:
    for key in sorted(config.data):
        yield from check(_DATA.key(key), key, config_map_key)
        if key in config.binary_data:
            yield invalid(_DATA.key(key), key, "duplicate of key present in binaryData")
    for key in sorted(config.binary_data):
        yield from check(Path("binaryData").key(key), key, config_map_key)
    size = sum(len(v) if v.isascii() else len(v.encode()) for v in config.data.values())
    if size + sum(map(_decoded_size, config.binary_data.values())) > _SIZE_MAX:
        yield too_long(Path("[]"), _SIZE_MAX)  # the path of nothing in particular, as Go prints it


def validate_config_map_update(new: ConfigMap, old: ConfigMap) -> Iterator[FieldError]:
    yield from _validate_sealed(new, old, "data", "binary_data")
    yield from validate_config_map(new)


def _validate_sealed(new: Any, old: Any, *fields: str) -> Iterator[FieldError]:
    if not old.immutable:
        return
    if not new.immutable:
        yield forbidden(Path("immutable"), _SEALED)
    for name in fields:
        if getattr(new, name) != getattr(old, name):
            yield forbidden(Path("binaryData" if name == "binary_data" else name), _SEALED)


def _decoded_size(text: str) -> int:
    return len(text) // 4 * 3 - text[-2:].count("=")


def validate_secret(secret: Secret) -> Iterator[FieldError]:
    for key in sorted(secret.data):
        yield from check(_DATA.key(key), key, config_map_key)
    if sum(map(_decoded_size, secret.data.values())) > _SIZE_MAX:
        yield too_long(_DATA, _SIZE_MAX)
    yield from _validate_type(secret)


def _validate_type(secret: Secret) -> Iterator[FieldError]:
    data = secret.data
    match secret.type:
        case "kubernetes.io/service-account-token":
            owner = "kubernetes.io/service-account.name"
            if not secret.metadata.annotations.get(owner):
                yield required((Path("metadata") / "annotations").key(owner))
        case "kubernetes.io/dockercfg":
            yield from _validate_json(data, ".dockercfg")
        case "kubernetes.io/dockerconfigjson":
            yield from _validate_json(data, ".dockerconfigjson")
        case "kubernetes.io/basic-auth":
            if "username" not in data and "password" not in data:
                yield required(_DATA.key("username"))
                yield required(_DATA.key("password"))
        case "kubernetes.io/ssh-auth":
            if not data.get("ssh-privatekey"):
                yield required(_DATA.key("ssh-privatekey"))
        case "kubernetes.io/tls":
            for key in ("tls.crt", "tls.key"):
                if key not in data:
                    yield required(_DATA.key(key))


def _validate_json(data: Mapping[str, str], key: str) -> Iterator[FieldError]:
    if key not in data:
        yield required(_DATA.key(key))
        return
    problem = _map_problem(base64.b64decode(data[key]))
    if problem:
        yield invalid(_DATA.key(key), "<secret contents redacted>", problem)


def _map_problem(text: bytes) -> str:
    """Why Go would not read the JSON into a map. It takes null for an empty one."""
    try:
        tree = parse_json(text)
    except JSONSyntaxError as e:
        return str(e)
    if tree is None or isinstance(tree, dict):
        return ""
    kind = {bool: "bool", str: "string", list: "array"}.get(type(tree), "number")
    return f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"


def validate_secret_update(new: Secret, old: Secret) -> Iterator[FieldError]:
    yield from immutable(Path("type"), new.type, old.type)
    yield from _validate_sealed(new, old, "data")
    yield from validate_secret(new)


def secret_warnings(new: Secret, old: Secret | None) -> Iterator[str]:
    """A TLS secret whose pair no server could load; the words are those of Go's crypto/tls."""
    if new.type == "kubernetes.io/tls" and (old is None or old.data != new.data):
        certificate, key = (base64.b64decode(new.data.get(f"tls.{part}", "")) for part in ("crt", "key"))
        problem = _key_pair_problem(certificate, key)
        if problem:
            yield f"tls: {problem}"


def _key_pair_problem(certificate: bytes, key: bytes) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    for what, data in (("certificate", certificate), ("key", key)):
        if b"-----BEGIN " not in data:
            return f"failed to find any PEM data in {what} input"
    try:
        public = x509.load_pem_x509_certificate(certificate).public_key()
    except ValueError:
        return "failed to parse certificate"
    try:
        private = load_pem_private_key(key, None)
    except (ValueError, TypeError):
        return "failed to parse private key"
    return "" if private.public_key() == public else "private key does not match public key"


def service_account_warnings(new: ServiceAccount, old: ServiceAccount | None) -> Iterator[str]:
    key = "kubernetes.io/enforce-mountable-secrets"
    value = new.metadata.annotations.get(key)
    if value is not None and (old is None or old.metadata.annotations.get(key) != value):
        yield (
            f"metadata.annotations[{key}]: deprecated in v1.32+; "
            "prefer separate namespaces to isolate access to mounted secrets"
        )
