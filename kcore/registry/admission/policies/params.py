"""The objects that a binding hands to its policy's expressions as `params`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from kcore.api.admissionregistration_v1 import ParamRef
from kcore.api.kind import Kind
from kcore.api.object import encode_object
from kcore.api.selectors import selector_from_struct
from kcore.registry.admission.attributes import Attributes
from kcore.registry.strategy import Environment

__all__ = ["Misconfigured", "find_params"]


class Misconfigured(Exception):
    """The policy or the binding makes no sense for this request; the message is upstream's."""


def find_params(
    env: Environment, attributes: Attributes, kind: Kind | None, reference: ParamRef | None
) -> Sequence[Any]:
    """Documents to evaluate with, one after the other; None stands for no params.

    Raises Misconfigured, and NotConverted where only a webhook can show them as `kind`.
    """
    if kind is None or reference is None:
        return (None,)
    where = _namespace(kind, reference, attributes.namespace)
    store = attributes.forms.store(env.store, kind)
    if reference.name:
        record = store.head(kind.key(where, reference.name))
        records = [record] if record is not None else []
    else:
        selector = selector_from_struct(reference.selector)
        records = [
            record for record in store.range(kind.prefix(where)).records if selector.matches(record.obj.metadata.labels)
        ]
    if not records and reference.parameter_not_found_action == "Deny":
        raise Misconfigured("no params found for policy binding with `Deny` parameterNotFoundAction")
    return [_document(kind, record.obj) for record in records]


def _namespace(kind: Kind, reference: ParamRef, namespace: str) -> str:
    if not kind.namespaced:
        if reference.namespace:
            raise Misconfigured("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        return ""
    found = reference.namespace or namespace
    if not found:
        raise Misconfigured("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
    return found


def _document(kind: Kind, obj: Any) -> Any:
    return msgspec.json.decode(kind.type_meta + encode_object(obj)[1:])
