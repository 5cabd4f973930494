"""A patch request: read once, then applied to the standing object as often as another writer comes between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from kcore.api.decoding import Decoded, DecodeError, decode_tree, decode_unstructured, json_type
from kcore.api.documents import Expected, kind_mismatch
from kcore.api.errors import BadRequest, Invalid
from kcore.api.field import Path, invalid
from kcore.api.json_syntax import JSONSyntaxError, parse_json, plain, repeated_keys
from kcore.api.kind import parse_api_version
from kcore.api.object import CustomResource
from kcore.api.schema import JSON, fill
from kcore.api.scheme import Scheme
from kcore.api.shape import shape_of
from kcore.registry.patching.go_format import go_format
from kcore.registry.patching.json_patch import apply_operations, parse_operations
from kcore.registry.patching.merge_patch import merge_patch
from kcore.registry.patching.strategic_merge import strategic_merge
from kcore.registry.request import PatchType

__all__ = ["Apply", "Patched", "prepare"]

Tree = dict[str, JSON]
_tree_of = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class Patched(NamedTuple):
    """The new object, its TypeMeta emptied, and what field validation Warn has to say."""

    obj: Any
    warnings: tuple[str, ...] = ()


Apply = Callable[[bytes], Patched]
"""Makes the new object from the standing one as it is stored. Raises ApiError."""


def prepare(
    patch_type: PatchType, body: bytes, expected: Expected, scheme: Scheme, field_validation: str = "Warn"
) -> Apply:
    """Read a JSON, merge or strategic merge patch. Raises ApiError."""
    result = _Result(expected, scheme, field_validation)
    if patch_type is PatchType.STRATEGIC:
        return _strategic(body, result)
    return _json(body, result) if patch_type is PatchType.JSON else _merge(body, result)


def _json(body: bytes, result: _Result) -> Apply:
    operations, findings = parse_operations(body)

    def apply(standing: bytes) -> Patched:
        return result.from_json(apply_operations(result.tree(standing), operations), findings)

    return apply


def _merge(body: bytes, result: _Result) -> Apply:
    patch, findings = _read_map(body, "error decoding patch: ")

    def apply(standing: bytes) -> Patched:
        return result.from_json(merge_patch(result.tree(standing), patch), findings)

    return apply


def _strategic(body: bytes, result: _Result) -> Apply:
    patch, findings = _read_map(body, "")
    shape = shape_of(result.expected.type)

    def apply(standing: bytes) -> Patched:
        merged = strategic_merge(result.tree(standing), plain(patch), shape)
        return result.from_map(merged, patch, findings)

    return apply


def _read_map(body: bytes, prefix: str) -> tuple[Tree, tuple[str, ...]]:
    """A patch that is a JSON object, or null, and which keys it repeats."""
    try:
        tree = parse_json(body)
    except JSONSyntaxError as e:
        raise BadRequest(f"{prefix}{e}") from None
    if tree is not None and not isinstance(tree, dict):
        raise BadRequest(
            f"{prefix}json: cannot unmarshal {json_type(tree)} into Go value of type map[string]interface {{}}"
        )
    try:
        return plain(tree or {}), tuple(repeated_keys(tree))
    except JSONSyntaxError as e:
        raise BadRequest(f"{prefix}{e}") from None


class _Result(NamedTuple):
    """What becomes of a patched tree: an object of the expected kind, or an error that shows the patch."""

    expected: Expected
    scheme: Scheme
    field_validation: str

    def tree(self, standing: bytes) -> Tree:
        """The standing object with the kind and version that patches may see and change."""
        return {"kind": self.expected.kind, "apiVersion": self.expected.api_version, **_tree_of(standing)}

    def from_json(self, tree: Tree, findings: tuple[str, ...]) -> Patched:
        """JSON and merge patches make a document, which is decoded like any other."""

        def shown() -> str:
            return _encode(tree).decode()

        if why := self._other_kind(tree, shown):
            raise _cannot_apply(shown(), why)
        try:
            decoded = decode_tree(self.expected.type, tree)
        except DecodeError as e:
            raise _cannot_apply(shown(), str(e)) from None
        return self._finish(decoded, findings, shown)

    def from_map(self, tree: Tree, patch: Tree, findings: tuple[str, ...]) -> Patched:
        """Strategic patches make a map, which becomes the object without having been a document."""

        def shown() -> str:
            return go_format(patch)

        try:
            decoded = decode_unstructured(self.expected.type, tree)
        except DecodeError as e:
            raise _cannot_apply(shown(), str(e)) from None
        return self._finish(decoded, findings, shown)

    def _finish(self, decoded: Decoded, findings: tuple[str, ...], shown: Callable[[], str]) -> Patched:
        if isinstance(decoded.obj, CustomResource):
            self._check_custom_kind(decoded.obj)
        fill(decoded.obj, kind="", api_version="")
        found = (*findings, *decoded.findings)
        if found and self.field_validation == "Strict" and self.expected.type is not CustomResource:
            raise _cannot_apply(shown(), f"strict decoding error: {', '.join(found)}")
        return Patched(decoded.obj, found if self.field_validation != "Ignore" else ())

    def _check_custom_kind(self, obj: CustomResource) -> None:
        for wire, said, must in (
            ("kind", obj.kind, self.expected.kind),
            ("apiVersion", obj.api_version, self.expected.api_version),
        ):
            if said != must:
                group, _ = parse_api_version(obj.api_version)
                error = invalid(Path(wire), said, f"must be {must}")
                raise Invalid.named(group, obj.kind, obj.metadata.name, [error])

    def _other_kind(self, tree: Tree, shown: Callable[[], str]) -> str:
        kind, api_version = tree.get("kind") or "", tree.get("apiVersion") or ""
        if kind == self.expected.kind and api_version == self.expected.api_version:
            return ""
        for wire, value in (("apiVersion", api_version), ("kind", kind)):
            if not isinstance(value, str):
                into = f"cannot unmarshal {json_type(value)} into Go struct field .{wire} of type string"
                return f"couldn't get version/kind; json parse error: json: {into}"
        if not kind or not api_version:
            return f"Object '{'apiVersion' if kind else 'Kind'}' is missing in '{shown()}'"
        if api_version.count("/") > 1:
            return f"unexpected GroupVersion string: {api_version}"
        if self.expected.type is CustomResource:
            return ""  # it is decoded whatever it says it is, and judged then
        return kind_mismatch(*parse_api_version(api_version), kind, tree, self.expected, self.scheme)


def _cannot_apply(shown: str, why: str) -> Invalid:
    return Invalid.named("", "", "", [invalid(Path("patch"), shown, why)])
