"""Which operations there are, at which paths: what versions 2 and 3 both print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kcore.api.kind import Kind, Subresource
from kcore.api.scheme import Scheme
from kcore.registry.request import PatchType
from kcore.server.body import expected_body
from kcore.server.openapi.schemas import definition_name, kind_definition_name, list_definition_name

__all__ = ["Operation", "discovery_operations", "is_document", "operations"]

_PATCH_TYPES = tuple(patch_type.value for patch_type in PatchType)
_CUSTOM_PATCH_TYPES = tuple(patch_type.value for patch_type in PatchType if patch_type is not PatchType.STRATEGIC)

_LIST_QUERY = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "pretty",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_WRITE_QUERY = ("dryRun", "fieldManager", "fieldValidation", "pretty")
_DELETE_QUERY = ("dryRun", "gracePeriodSeconds", "orphanDependents", "pretty", "propagationPolicy")
_DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
_STATUS = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"
_PATCH = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"

# verb -> (method, x-kubernetes-action, query parameters)
_VERBS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "list": ("get", "list", _LIST_QUERY),
    "create": ("post", "post", _WRITE_QUERY),
    "deletecollection": ("delete", "deletecollection", tuple(dict.fromkeys((*_DELETE_QUERY, *_LIST_QUERY[1:-1])))),
    "get": ("get", "get", ("pretty",)),
    "update": ("put", "put", _WRITE_QUERY),
    "patch": ("patch", "patch", (*_WRITE_QUERY, "force")),
    "delete": ("delete", "delete", _DELETE_QUERY),
}
_COLLECTION = ("list", "create", "deletecollection")


_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_JSON_OR_YAML = ("application/json", "application/yaml")
_WATCHED = (*_JSON_OR_YAML, "application/json;stream=watch")
_TEXT = ("text/plain", *_JSON_OR_YAML)

# The queries of subresources that are streams, by the kind of their options.
_OPTIONS: dict[str, tuple[str, ...]] = {
    "NodeProxyOptions": ("path",),
    "PodAttachOptions": ("container", "stderr", "stdin", "stdout", "tty"),
    "PodExecOptions": ("command", "container", "stderr", "stdin", "stdout", "tty"),
    "PodPortForwardOptions": ("ports",),
    "PodProxyOptions": ("path",),
    "ServiceProxyOptions": ("path",),
}
_LOG_QUERY = (
    "container",
    "follow",
    "insecureSkipTLSVerifyBackend",
    "limitBytes",
    "pretty",
    "previous",
    "sinceSeconds",
    "stream",
    "tailLines",
    "timestamps",
)
_CONNECT = {"create": "post", "delete": "delete", "get": "get", "patch": "patch", "update": "put"}


_WORDS = {
    "connect": "connect to",
    "delete": "delete one",
    "deletecollection": "delete all that are selected of",
    "get": "read one",
    "list": "list or watch",
    "patch": "change parts of one",
    "post": "create one",
    "put": "replace one",
    "watch": "watch one (legacy path)",
    "watchlist": "watch all (legacy path)",
}


class Operation(NamedTuple):
    """One method at one path. `body` and `answer` are definition names; "" for none, or for an answer that is text."""

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
    produces: Sequence[str] = _JSON_OR_YAML

    @property
    def description(self) -> str:
        """What it does, in a line."""
        words = _WORDS.get(self.action, "tell what is served:")
        what = self.kind or self.path
        return f"{words} {what}"

    @property
    def parameters(self) -> Sequence[str]:
        """The names in braces of the path."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]


def is_document(subresource: Subresource) -> bool:
    """Whether a subresource is an object, and not a stream."""
    return subresource.kind not in _OPTIONS and subresource.name != "log"


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
    if "watch" in kind.verbs:
        yield from _watches(kind, root, namespace, scope)
    for verb in ("get", "update", "patch", "delete"):
        if verb in kind.verbs:
            yield _operation(kind, f"{collection}/{{name}}", verb, scope)
    for subresource in kind.subresources:
        if subresource.kind in _OPTIONS:
            yield from _connections(kind, subresource, f"{collection}/{{name}}/{subresource.name}", scope)
            continue
        if subresource.name == "log":
            log = _operation(kind, f"{collection}/{{name}}/log", "get", scope)
            yield log._replace(id=f"{log.id}Log", query=_LOG_QUERY, answer="", produces=_TEXT)
            continue
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


def _watches(kind: Kind, root: str, namespace: str, scope: str) -> Iterator[Operation]:
    """The legacy paths: today a list with `watch` does the same."""
    collection = f"{root}/watch{namespace}/{kind.plural}"
    listed = _operation(kind, collection, "list", scope)._replace(answer=f"{_META}.WatchEvent", produces=_WATCHED)
    word = listed.id.removeprefix("list")
    yield listed._replace(action="watchlist", id=f"watch{word}List")
    yield listed._replace(action="watch", id=f"watch{word}", path=f"{collection}/{{name}}")
    if kind.namespaced:
        across = word.replace("Namespaced", "", 1)
        path = f"{root}/watch/{kind.plural}"
        yield listed._replace(action="watchlist", id=f"watch{across}ListForAllNamespaces", path=path)


def _connections(kind: Kind, subresource: Subresource, path: str, scope: str) -> Iterator[Operation]:
    """A stream, or another server behind this one: neither body nor answer is known."""
    whole = _operation(kind, path, "get", scope)
    name = whole.id.removeprefix("read") + subresource.name.capitalize()
    for verb in subresource.verbs:
        method = _CONNECT[verb]
        connection = whole._replace(
            method=method,
            action="connect",
            id=f"connect{method.capitalize()}{name}",
            kind=subresource.kind,
            query=_OPTIONS[subresource.kind],
            answer="",
            produces=("*/*",),
        )
        yield connection
        if subresource.name == "proxy":
            yield connection._replace(path=f"{path}/{{path}}", id=f"{connection.id}WithPath")


def discovery_operations(scheme: Scheme) -> Iterator[Operation]:
    """The documents that tell what is served."""
    yield _discovery("/version/", "getCodeVersion", "")
    yield _discovery("/api/", "getCoreAPIVersions", "APIVersions")
    yield _discovery("/apis/", "getAPIVersions", "APIGroupList")
    seen: set[str] = set()
    for version in scheme.group_versions():
        group = version.group.partition(".")[0].capitalize() or "Core"
        if version.group and version.group not in seen:
            seen.add(version.group)
            yield _discovery(f"/apis/{version.group}/", f"get{group}APIGroup", "APIGroup")
        root = f"/apis/{version}/" if version.group else f"/api/{version.version}/"
        yield _discovery(root, f"get{group}{version.version.capitalize()}APIResources", "APIResourceList")


def _discovery(path: str, name: str, answer: str) -> Operation:
    return Operation(path, "get", "", name, "", "", "", (), "", f"{_META}.{answer}" if answer else "")


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
    produces = _WATCHED if verb == "list" and "watch" in kind.verbs else _JSON_OR_YAML
    codes_of = codes.get(verb, (200,))
    return Operation(path, method, action, name_id, *gvk, query, body, answer, codes_of, consumes, produces)
