"""Which operations each kind has, at which paths: what versions 2 and 3 both print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kcore.api.kind import Kind
from kcore.registry.request import PatchType
from kcore.server.body import expected_body
from kcore.server.openapi.schemas import definition_name, kind_definition_name, list_definition_name

__all__ = ["Operation", "operations"]

_PATCH_TYPES = tuple(patch_type.value for patch_type in PatchType)
_CUSTOM_PATCH_TYPES = tuple(patch_type.value for patch_type in PatchType if patch_type is not PatchType.STRATEGIC)

_LIST_QUERY = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_WRITE_QUERY = ("dryRun", "fieldManager", "fieldValidation")
_DELETE_QUERY = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
_STATUS = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"
_PATCH = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"

# verb -> (method, x-kubernetes-action, query parameters)
_VERBS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "list": ("get", "list", _LIST_QUERY),
    "create": ("post", "post", _WRITE_QUERY),
    "deletecollection": ("delete", "deletecollection", (*_DELETE_QUERY, *_LIST_QUERY[1:-1])),
    "get": ("get", "get", ()),
    "update": ("put", "put", _WRITE_QUERY),
    "patch": ("patch", "patch", (*_WRITE_QUERY, "force")),
    "delete": ("delete", "delete", _DELETE_QUERY),
}
_COLLECTION = ("list", "create", "deletecollection")


class Operation(NamedTuple):
    """One method at one path. `body` and `answer` are definition names; "" for none."""

    path: str
    method: str
    action: str
    id: str
    group: str
    version: str
    kind: str
    query: Sequence[str]
    body: str
    answer: str
    codes: Sequence[int] = (200,)
    consumes: Sequence[str] = ("*/*",)

    @property
    def parameters(self) -> Sequence[str]:
        """The names in braces of the path."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]


def operations(kind: Kind) -> Iterator[Operation]:
    """Everything that may be done with a kind, path by path."""
    root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    namespace = "/namespaces/{namespace}" if kind.namespaced else ""
    collection = f"{root}{namespace}/{kind.plural}"
    scope = "Namespaced" if kind.namespaced else ""
    for verb in _COLLECTION:
        if verb in kind.verbs:
            yield _operation(kind, collection, verb, scope)
    if kind.namespaced and "list" in kind.verbs:
        across = _operation(kind, f"{root}/{kind.plural}", "list", "")
        yield across._replace(id=f"{across.id}ForAllNamespaces")
    for verb in ("get", "update", "patch", "delete"):
        if verb in kind.verbs:
            yield _operation(kind, f"{collection}/{{name}}", verb, scope)
    for subresource in kind.subresources:
        if subresource.kind.endswith("Options"):
            continue  # a stream, not a document
        expected = expected_body(kind, subresource.name)
        for verb in ("get", "create", "update", "patch"):
            if verb not in subresource.verbs:
                continue
            whole = _operation(kind, f"{collection}/{{name}}/{subresource.name}", verb, scope)
            of_kind = subresource.kind == kind.name and expected.type is kind.type
            name = kind_definition_name(kind) if of_kind else definition_name(expected.type)
            yield whole._replace(
                id=whole.id + subresource.name.capitalize(),
                group=expected.group,
                version=expected.version,
                kind=expected.kind,
                body=name if whole.body and verb != "patch" else whole.body,
                answer=name,
            )


def _operation(kind: Kind, path: str, verb: str, scope: str) -> Operation:
    method, action, query = _VERBS[verb]
    name = kind_definition_name(kind)
    body = {"create": name, "update": name, "patch": _PATCH, "delete": _DELETE_OPTIONS}.get(verb, "")
    if verb == "deletecollection":
        body = _DELETE_OPTIONS
    answer = {"list": list_definition_name(kind), "delete": _STATUS, "deletecollection": _STATUS}.get(verb, name)
    codes = {"create": (200, 201, 202), "update": (200, 201), "patch": (200, 201), "delete": (200, 202)}
    word = {"update": "replace", "get": "read", "deletecollection": "deleteCollection"}.get(verb, verb)
    group = kind.group.partition(".")[0].capitalize() or "Core"
    name_id = f"{word}{group}{kind.version.capitalize()}{scope}{kind.name}"
    gvk = (kind.group, kind.version, kind.name)
    consumes: Sequence[str] = ("*/*",)
    if verb == "patch":  # kubectl looks here for whether it may send a strategic patch
        consumes = _PATCH_TYPES if kind.definition is None else _CUSTOM_PATCH_TYPES
    return Operation(path, method, action, name_id, *gvk, query, body, answer, codes.get(verb, (200,)), consumes)
