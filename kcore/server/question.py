"""What a request asks for, in the terms of whoever decides about it: authorizers, the audit, the limits."""

from __future__ import annotations

from functools import lru_cache

import msgspec
from aiohttp import web

from kcore.registry.access import Attributes
from kcore.registry.request import User
from kcore.server.address import Address, parse_path, verb_of
from kcore.server.query import Query, parse_query, selected_name

__all__ = ["Arrival", "arrival"]

_OF_COLLECTIONS = ("list", "watch", "deletecollection")


class Arrival(msgspec.Struct):
    """A request and what its first line says. `address` None: it is about no resource."""

    request: web.BaseRequest
    path: str
    address: Address | None
    verb: str
    query: Query
    asked: tuple[str, ...]
    """What `Attributes` say beside the user."""

    def asked_by(self, user: User) -> Attributes:
        return Attributes(user, *self.asked)


def arrival(request: web.BaseRequest) -> Arrival:
    return Arrival(request, *_first_line(request.method, request.raw_path))


@lru_cache(4096)
def _first_line(method: str, raw_path: str) -> tuple[str, Address | None, str, Query, tuple[str, ...]]:
    """Cached, because clients repeat themselves."""
    path, _, query_text = raw_path.partition("?")
    query, address = parse_query(query_text), parse_path(path)
    if address is not None:
        verb = verb_of(method, address, query)
        return path, address, verb, query, _asked(verb, address, query)
    # Of a path that is no resource, the verb is the method; but HEAD is a get.
    path, verb = "/" + path.strip("/"), "get" if method in ("GET", "HEAD") else method.lower()
    return path, None, verb, query, (verb, "", "", "", "", "", path)


def _asked(verb: str, address: Address, query: Query) -> tuple[str, ...]:
    name, selector = address.name, ""
    if verb in _OF_COLLECTIONS:
        name, selector = name or selected_name(query), query.get("fieldSelector")
    namespace = address.namespace
    if address.resource == "namespaces" and not address.group:
        namespace = address.name
    return verb, address.group, address.resource, address.subresource, namespace, name, "", selector
