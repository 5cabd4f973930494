"""The variables of a request, as policies and match conditions know them."""

from __future__ import annotations

from typing import Any

import msgspec

from kcore.api.core_v1 import Namespace
from kcore.api.kind import Kind
from kcore.registry.access import Attributes as Access
from kcore.registry.admission.attributes import Attributes
from kcore.registry.policies.authorizer import AuthorizerValue, ResourceCheck
from kcore.registry.policies.evaluation import Inputs
from kcore.registry.strategy import Environment

__all__ = ["inputs_for"]

_HIDDEN = ("managedFields", "ownerReferences", "selfLink")


def inputs_for(attributes: Attributes, kind: Kind, env: Environment) -> Inputs:
    """The object is shown as `kind`."""
    return Inputs(
        {
            "object": lambda: _tree(attributes.object_as(kind)),
            "oldObject": lambda: _tree(attributes.old_object_as(kind)),
            "request": lambda: _request(attributes, kind),
            "namespaceObject": lambda: _namespace(attributes, env),
            "params": lambda: None,
            "authorizer": lambda: AuthorizerValue(env.authorizer, attributes.req.user),
            "authorizer.requestResource": lambda: _resource(attributes, env),
        }
    )


def _tree(document: bytes | None) -> Any:
    return None if document is None else msgspec.json.decode(document)


def _request(attributes: Attributes, kind: Kind) -> Any:
    """What a webhook would be sent, less the objects."""
    return msgspec.json.decode(msgspec.json.encode(attributes.request_as(kind)))


def _namespace(attributes: Attributes, env: Environment) -> Any:
    """None for what lies in no namespace, and for namespaces themselves."""
    namespace = attributes.req.namespace
    if not namespace or attributes.kind.type is Namespace:
        return None
    record = env.store.head(f"namespaces/{namespace}")
    if record is None:
        return None
    tree = msgspec.json.decode(record.data)
    tree["metadata"] = {key: value for key, value in tree["metadata"].items() if key not in _HIDDEN}
    return tree


def _resource(attributes: Attributes, env: Environment) -> ResourceCheck:
    """The very resource that the request is about."""
    req, kind = attributes.req, attributes.kind
    asked = Access(req.user, "", kind.group, kind.plural, req.subresource, attributes.namespace, attributes.name)
    return ResourceCheck(env.authorizer, asked)
