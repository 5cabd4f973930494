"""What a request asks for, in the terms of whoever decides about it: authorizers, the audit, the limits."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from kcore.registry.access import Attributes
from kcore.registry.request import User
from kcore.server.address import Address, parse_path, verb_of
from kcore.server.query import Query, parse_query, selected_name

__all__ = ["Arrival", "arrival"]

_OF_COLLECTIONS = ("list", "watch", "deletecollection")


class Arrival(NamedTuple):
    """A request and what its first line says. `address` None: it is about no resource."""

    request: web.BaseRequest
    path: str
    address: Address | None
    verb: str
    query: Query

    def asked_by(self, user: User) -> Attributes:
        address = self.address
        if address is None:
            return Attributes(user, self.verb, path=self.path)
        name, selector = address.name, ""
        if self.verb in _OF_COLLECTIONS:
            name, selector = name or selected_name(self.query), self.query.get("fieldSelector")
        namespace = address.namespace
        if address.resource == "namespaces" and not address.group:
            namespace = address.name
        group, resource, subresource = address.group, address.resource, address.subresource
        return Attributes(user, self.verb, group, resource, subresource, namespace, name, field_selector=selector)


def arrival(request: web.BaseRequest) -> Arrival:
    path, _, query_text = request.raw_path.partition("?")
    query, address = parse_query(query_text), parse_path(path)
    if address is not None:
        return Arrival(request, path, address, verb_of(request.method, address, query), query)
    # Of a path that is no resource, the verb is the method; but HEAD is a get.
    verb = "get" if request.method in ("GET", "HEAD") else request.method.lower()
    return Arrival(request, "/" + path.strip("/"), None, verb, query)
