"""Names of signers: `example.com/name`, a domain and what it signs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kcore.api.field import FieldError, Path, invalid, quote, required, too_long
from kcore.api.names import dns1123_label, dns1123_subdomain

__all__ = ["is_kubernetes_signer", "validate_signer"]

_DOMAIN_MAX = 253
_NAME_MAX = _DOMAIN_MAX + 1 + 63 + 1 + 253  # what it signs may be named after a namespaced object


def is_kubernetes_signer(name: str) -> bool:
    return f".{name.partition('/')[0]}".endswith(".kubernetes.io")


def validate_signer(name: str, path: Path) -> Iterator[FieldError]:
    if not name:
        yield required(path)
        return
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        yield invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")
        return
    if len(domain) > _DOMAIN_MAX:
        yield too_long(path, _DOMAIN_MAX)
    yield from _first_bad_label(domain, path, dns1123_label)
    if "." not in domain:
        yield invalid(path, domain, "should be a domain with at least two segments separated by dots")
    yield from _first_bad_label(rest, path, dns1123_subdomain)
    if len(name) > _NAME_MAX:
        yield too_long(path, _NAME_MAX)


def _first_bad_label(text: str, path: Path, rule: Callable[[str], list[str]]) -> Iterator[FieldError]:
    for label in text.split("."):
        if words := rule(label):
            yield from (invalid(path, text, f"validating label {quote(label)}: {message}") for message in words)
            return
