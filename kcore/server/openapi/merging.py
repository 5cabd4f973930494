"""OpenAPI version 2 of other servers, merged into ours as kube-aggregator does it.

Of each document only what is below the paths of its group and version counts, and the definitions that this refers to.
A definition whose name is taken by a different one gets another name. What is read is reduced to what we write
ourselves: that is what the protobuf form knows, and parameters that are shared by reference stand where they are used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from kcore.api.kind import GroupVersion
from kcore.server.aggregation.documents import RemoteDocument

__all__ = ["merge"]

_DEFINITIONS = "#/definitions/"
_PARAMETERS = "#/parameters/"


class _Schema(msgspec.Struct, omit_defaults=True, rename="camel"):
    ref: str = msgspec.field(default="", name="$ref")
    type: str = ""
    format: str = ""
    description: str = ""
    default: Any = None
    enum: Sequence[Any] = ()
    required: Sequence[str] = ()
    properties: Mapping[str, _Schema] = {}
    items: _Schema | None = None
    additional_properties: _Schema | bool | None = None
    gvk: Sequence[Mapping[str, str]] = msgspec.field(default=(), name="x-kubernetes-group-version-kind")
    list_type: str = msgspec.field(default="", name="x-kubernetes-list-type")
    list_map_keys: Sequence[str] = msgspec.field(default=(), name="x-kubernetes-list-map-keys")
    map_type: str = msgspec.field(default="", name="x-kubernetes-map-type")
    merge_key: str = msgspec.field(default="", name="x-kubernetes-patch-merge-key")
    strategy: str = msgspec.field(default="", name="x-kubernetes-patch-strategy")


class _Parameter(msgspec.Struct, omit_defaults=True):
    ref: str = msgspec.field(default="", name="$ref")
    place: str = msgspec.field(default="", name="in")
    name: str = ""
    type: str = ""
    description: str = ""
    required: bool = False
    unique: bool = msgspec.field(default=False, name="uniqueItems")
    schema: _Schema | None = None


class _Answer(msgspec.Struct, omit_defaults=True):
    description: str
    schema: _Schema | None = None


class _Operation(msgspec.Struct, rename="camel"):
    responses: Mapping[str, _Answer]
    description: str = ""
    tags: Sequence[str] = ()
    operation_id: str = ""
    consumes: Sequence[str] = ()
    produces: Sequence[str] = ()
    parameters: Sequence[_Parameter] = ()
    action: str = msgspec.field(default="", name="x-kubernetes-action")
    gvk: Mapping[str, str] = msgspec.field(default={}, name="x-kubernetes-group-version-kind")


class _Item(msgspec.Struct, omit_defaults=True):
    get: _Operation | None = None
    put: _Operation | None = None
    post: _Operation | None = None
    delete: _Operation | None = None
    patch: _Operation | None = None
    parameters: Sequence[_Parameter] = ()


class _Document(msgspec.Struct):
    paths: Mapping[str, _Item] = {}
    definitions: Mapping[str, _Schema] = {}
    parameters: Mapping[str, _Parameter] = {}


Tree: TypeAlias = dict[str, Any]

_decode = msgspec.json.Decoder(_Document).decode
_METHODS = ("get", "put", "post", "delete", "patch")


def merge(own: Tree, others: Iterable[RemoteDocument]) -> None:
    """Add what others serve to our own tree. Documents that cannot be read are as good as none."""
    for other in others:
        try:
            document = _decode(other.body)
            paths = dict(_paths(document, other.version, own["paths"]))
            definitions = _needed(paths, msgspec.to_builtins(document.definitions))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
            continue
        names = {name: _free_name(name, found, own["definitions"]) for name, found in definitions.items()}
        own["paths"] |= _renamed(paths, names)
        own["definitions"] |= {names[name]: _renamed(found, names) for name, found in definitions.items()}
    own["paths"] = dict(sorted(own["paths"].items()))


def _paths(document: _Document, version: GroupVersion, taken: Mapping[str, Any]) -> Iterator[tuple[str, Tree]]:
    for path, item in document.paths.items():
        if path in taken or not (path == f"/apis/{version.group}/" or path.startswith(f"/apis/{version}/")):
            continue
        told = {method: getattr(item, method) for method in _METHODS}
        yield path, {m: _operation(o, item.parameters, document.parameters) for m, o in told.items() if o is not None}


def _operation(operation: _Operation, common: Sequence[_Parameter], shared: Mapping[str, _Parameter]) -> Tree:
    parameters = [shared[p.ref.removeprefix(_PARAMETERS)] if p.ref else p for p in (*common, *operation.parameters)]
    operation.parameters = [p for p in parameters if p.place in ("query", "path") or (p.place == "body" and p.schema)]
    tree: Tree = msgspec.to_builtins(operation)
    for extension in ("x-kubernetes-action", "x-kubernetes-group-version-kind"):
        if not tree[extension]:
            del tree[extension]
    return tree


def _needed(paths: Tree, definitions: Mapping[str, Tree]) -> dict[str, Tree]:
    """Those that the paths refer to, by whatever way. KeyError where one is missing."""
    needed: dict[str, Tree] = {}
    open_ = [paths]
    while open_:
        for reference in _references(open_.pop()):
            name = reference.removeprefix(_DEFINITIONS)
            if name not in needed:
                needed[name] = definitions[name]
                open_.append(definitions[name])
    return needed


def _references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if isinstance(tree.get("$ref"), str):
            yield tree["$ref"]
        for value in tree.values():
            yield from _references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _references(value)


def _free_name(name: str, found: Tree, taken: Mapping[str, Tree]) -> str:
    """The name itself where it is free, or stands for the same; else with the first number that is."""
    free, number = name, 1
    while free in taken and taken[free] != found:
        number += 1
        free = f"{name}_v{number}"
    return free


def _renamed(tree: Any, names: Mapping[str, str]) -> Any:
    if isinstance(tree, dict):
        return {
            key: _DEFINITIONS + names[value.removeprefix(_DEFINITIONS)]
            if key == "$ref" and isinstance(value, str)
            else _renamed(value, names)
            for key, value in tree.items()
        }
    if isinstance(tree, list):
        return [_renamed(value, names) for value in tree]
    return tree
