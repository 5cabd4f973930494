"""What a request's path and method mean: which resource, which verb. Upstream calls this the RequestInfo."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from kcore.server.query import Query

__all__ = ["Address", "parse_path", "verb_of"]

_NAMESPACE_SUBRESOURCES = frozenset(("status", "finalize"))
_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Address(NamedTuple):
    """A resource path taken apart. `rest` is what follows a subresource, with its leading slash (proxies).

    `watch` marks the legacy form `/api/v1/watch/...`. The legacy form `/api/v1/proxy/...` means the subresource.
    """

    group: str
    version: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    watch: bool = False


@lru_cache(4096)
def parse_path(path: str) -> Address | None:
    """The resource that a path names; None where it is no resource path (discovery, health, ...).

    `path` is still percent-encoded: upstream decodes it first, so that an encoded slash separates like any
    other. Cached, because clients repeat themselves.
    """
    if "%" in path:
        path = unquote(path)
    parts = path.strip("/").split("/")
    if parts[0] == "api":
        group, at = "", 2
    elif parts[0] == "apis" and len(parts) > 3:
        group, at = parts[1], 3
    else:
        return None
    if len(parts) <= at:
        return None
    version = parts[at - 1]
    watch = parts[at] == "watch" and len(parts) > at + 1
    proxy = parts[at] == "proxy" and len(parts) > at + 2
    if watch or proxy:
        at += 1
    namespace = ""
    if parts[at] == "namespaces" and len(parts) > at + 2 and parts[at + 2] not in _NAMESPACE_SUBRESOURCES:
        namespace = parts[at + 1]
        at += 2
    if proxy:
        parts.insert(at + 2, "proxy")
    found = parts[at : at + 3]
    name, subresource = (*found[1:], "", "")[:2]
    rest = "/" + "/".join(parts[at + 3 :]) if len(parts) > at + 3 else ""
    return Address(group, version, found[0], namespace, name, subresource, rest, watch)


def verb_of(method: str, address: Address, query: Query) -> str:
    """The API verb of a request; "" for a method that means none."""
    verb = _VERBS.get(method, "")
    if verb == "get":
        if address.watch:
            return "watch"
        if not address.name:
            return "watch" if query.flag("watch") else "list"
    elif verb == "delete" and not address.name:
        return "deletecollection"
    return verb
