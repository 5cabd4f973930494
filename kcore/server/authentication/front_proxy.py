"""A proxy in front (`--requestheader-*`): it shows a certificate of its own authority, and tells in headers for whom
it asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from multidict import CIMultiDictProxy

from kcore.registry.request import User
from kcore.server.authentication.authorities import Authorities
from kcore.server.authentication.request import Asking, Refused
from kcore.server.authentication.users import known

__all__ = ["FrontProxy", "ProxyHeaders", "extra_headers"]


class ProxyHeaders(NamedTuple):
    """Where the proxy writes what."""

    username: tuple[str, ...] = ("X-Remote-User",)
    uid: tuple[str, ...] = ("X-Remote-Uid",)
    group: tuple[str, ...] = ("X-Remote-Group",)
    extra_prefixes: tuple[str, ...] = ("X-Remote-Extra-",)


class FrontProxy:
    """`allowed`: the common names that a proxy's certificate may carry; none: any."""

    def __init__(self, authorities: Authorities, allowed: Sequence[str], headers: ProxyHeaders) -> None:
        self._authorities = authorities
        self._allowed = frozenset(allowed)
        self._headers = headers

    def user(self, asking: Asking) -> User | None:
        certificate = asking.certificate
        if certificate is None or not certificate.issued_by(self._authorities):
            return None
        if self._allowed and certificate.common_name not in self._allowed:
            raise Refused(f"x509: subject with cn={certificate.common_name} is not in the allowed list")
        name = _first(asking.headers, self._headers.username)
        if not name:
            return None
        groups = tuple(value for header in self._headers.group for value in asking.headers.getall(header, ()))
        extra: dict[str, tuple[str, ...]] = {}
        for prefix in self._headers.extra_prefixes:
            extra.update(extra_headers(asking.headers, prefix))
        return known(User(name, _first(asking.headers, self._headers.uid), groups, extra))


def _first(headers: CIMultiDictProxy[str], names: Sequence[str]) -> str:
    return next((value for name in names if (value := headers.get(name, ""))), "")


def extra_headers(headers: CIMultiDictProxy[str], prefix: str) -> Mapping[str, tuple[str, ...]]:
    """What headers say that start so: their names' rest, lowered and percent-decoded, is the key."""
    found: dict[str, tuple[str, ...]] = {}
    for header, value in headers.items():
        if header[: len(prefix)].lower() == prefix.lower():
            key = unquote(header[len(prefix) :].lower())
            found[key] = (*found.get(key, ()), value)
    return found
