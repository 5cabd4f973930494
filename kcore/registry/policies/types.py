"""The types of the variables that are declared: `request` and `namespaceObject`. Objects themselves are dyn."""

from __future__ import annotations

from kcore.cel.types import BOOL, DYN, INT, STRING, TIMESTAMP, Field, ObjectType, Type, list_of, map_of

__all__ = ["NAMESPACE", "REQUEST"]


def _type(name: str, /, **fields: Type) -> ObjectType:
    return ObjectType.named(f"kubernetes.{name}", {field: Field(type_) for field, type_ in fields.items()})


_STRINGS = list_of(STRING)
_LABELS = map_of(STRING, STRING)
_KIND = _type("GroupVersionKind", group=STRING, version=STRING, kind=STRING)
_RESOURCE = _type("GroupVersionResource", group=STRING, version=STRING, resource=STRING)
_USER = _type("UserInfo", username=STRING, uid=STRING, groups=_STRINGS, extra=map_of(STRING, _STRINGS))

REQUEST = _type(
    "AdmissionRequest",
    kind=_KIND,
    resource=_RESOURCE,
    subResource=STRING,
    requestKind=_KIND,
    requestResource=_RESOURCE,
    requestSubResource=STRING,
    name=STRING,
    namespace=STRING,
    operation=STRING,
    userInfo=_USER,
    dryRun=BOOL,
    options=DYN,
)

NAMESPACE = _type(
    "Namespace",
    metadata=_type(
        "NamespaceMetadata",
        name=STRING,
        generateName=STRING,
        namespace=STRING,
        labels=_LABELS,
        annotations=_LABELS,
        UID=STRING,
        creationTimestamp=TIMESTAMP,
        deletionGracePeriodSeconds=INT,
        deletionTimestamp=TIMESTAMP,
        generation=INT,
        resourceVersion=STRING,
        finalizers=_STRINGS,
    ),
    spec=_type("NamespaceSpec", finalizers=_STRINGS),
    status=_type(
        "NamespaceStatus",
        conditions=list_of(
            _type(
                "NamespaceCondition",
                status=STRING,
                type=STRING,
                lastTransitionTime=TIMESTAMP,
                message=STRING,
                reason=STRING,
            )
        ),
        phase=STRING,
    ),
)
