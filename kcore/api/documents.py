"""The body of a request: a document of the kind that the address asks for, in JSON or YAML.

What is wrong with it is said as the real API server says it, which depends on how far it got: no document at all,
a document without a readable kind, one of another kind, or one whose fields do not fit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from kcore.api.decoding import DecodeError, decode_json, decode_tree, json_type
from kcore.api.errors import BadRequest, Invalid
from kcore.api.field import Path, invalid
from kcore.api.json_syntax import JSONSyntaxError, parse_json
from kcore.api.kind import Kind, parse_api_version
from kcore.api.object import CustomResource
from kcore.api.schema import TypeMeta, fill
from kcore.api.scheme import Scheme

__all__ = ["Expected", "decode_document", "kind_mismatch", "unregistered_message"]

_META_KINDS = {
    "CreateOptions",
    "DeleteOptions",
    "GetOptions",
    "ListOptions",
    "PatchOptions",
    "UpdateOptions",
    "WatchEvent",
}
_SUMMARY_LENGTH = 30
# Where upstream's registries of kinds are made: its messages say so.
_SCHEME = "pkg/api/legacyscheme/scheme.go:30"
_META_SCHEME = "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"
_NO_KIND = "couldn't get version/kind; json parse error: "
_KIND_STRUCT = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


class Expected(NamedTuple):
    """What the address asks for."""

    type: type[TypeMeta]
    group: str
    version: str
    name: str = ""
    """What the kind is called; empty: as its type is."""

    @classmethod
    def of(cls, kind: Kind) -> Expected:
        return cls(kind.type, kind.group, kind.version, kind.name)

    @property
    def kind(self) -> str:
        return self.name or self.type.__name__

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


def decode_document(
    body: bytes,
    expected: Expected,
    scheme: Scheme,
    *,
    yaml: bool = False,
    field_validation: str = "Warn",
    warnings: list[str] | None = None,
) -> Any:
    """An object of the expected type, its TypeMeta emptied. Raises BadRequest.

    What is unknown or repeated goes to `warnings` with `field_validation` Warn, is an error with Strict, and nobody
    hears of it with Ignore. Of custom resources it always goes there: more is found by their schemas.
    """
    repeated: tuple[str, ...] = ()
    tree: Any = None
    try:
        if yaml and not _is_json(body):
            tree, repeated = _parse_yaml(body, expected)
            decoded = decode_tree(expected.type, tree)
        else:
            decoded = decode_json(expected.type, body)
    except DecodeError as e:
        kind, version = _identify(tree if yaml else body, body, expected, scheme)
        raise _cannot_be_handled(kind, version, expected, str(e)) from None
    obj = decoded.obj
    if expected.type is CustomResource:
        _check_custom_kind(obj, body, expected)
    if obj.kind or obj.api_version:
        if obj.kind != expected.kind or obj.api_version != expected.api_version:
            _check_kind(obj.kind, obj.api_version, body, tree or parse_json(body), expected, scheme)
        fill(obj, kind="", api_version="")
    if field_validation != "Ignore" and (repeated or decoded.findings):
        _report(repeated, decoded.findings, expected, field_validation, warnings)
    return obj


def _parse_yaml(body: bytes, expected: Expected) -> tuple[Any, tuple[str, ...]]:
    """The tree and the repeated keys. The parser is loaded with the first YAML, not at start."""
    from kcore.api.yaml_syntax import YAMLSyntaxError, parse_yaml

    try:
        return parse_yaml(body)
    except YAMLSyntaxError as e:
        raise _unrecognized(expected, body, str(e)) from None


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _report(
    repeated: tuple[str, ...],
    findings: tuple[str, ...],
    expected: Expected,
    field_validation: str,
    warnings: list[str] | None,
) -> None:
    if field_validation == "Strict" and (expected.type is not CustomResource or warnings is None):
        in_yaml = ["yaml: unmarshal errors:\n" + "\n".join(f"  {line}" for line in repeated)] if repeated else []
        why = f"strict decoding error: {', '.join([*in_yaml, *findings])}"
        raise _cannot_be_handled(expected.kind, expected.version, expected, why)
    if warnings is not None:
        warnings += [*repeated, *findings]


def _identify(document: Any, body: bytes, expected: Expected, scheme: Scheme) -> tuple[str, str]:
    """The kind and version of a document that does not decode; raises if it is not even that far."""
    tree = document
    if isinstance(document, bytes):
        try:
            tree = parse_json(document)
        except JSONSyntaxError as e:
            raise _unrecognized(expected, body, f"{_NO_KIND}{e}") from None
    if not isinstance(tree, dict):
        what = "array" if isinstance(tree, list) else json_type(tree)
        raise _unrecognized(
            expected, body, f"{_NO_KIND}json: cannot unmarshal {what} into Go value of type {_KIND_STRUCT}"
        )
    for wire, value in tree.items():
        if wire in ("kind", "apiVersion") and value is not None and not isinstance(value, str):
            into = f"json: cannot unmarshal {json_type(value)} into Go struct field .{wire} of type string"
            raise _unrecognized(expected, body, f"{_NO_KIND}{into}")
    return _check_kind(tree.get("kind") or "", tree.get("apiVersion") or "", body, tree, expected, scheme)


def _check_kind(
    kind: str, api_version: str, body: bytes, tree: Any, expected: Expected, scheme: Scheme
) -> tuple[str, str]:
    """The kind and version that a document says it is, with defaults; raises if another is asked for."""
    if api_version.count("/") > 1:
        raise _unrecognized(expected, body, f"unexpected GroupVersion string: {api_version}")
    group, version = parse_api_version(api_version)
    kind = kind or expected.kind
    if not version and group in ("", expected.group):
        group, version = expected.group, expected.version
    if why := kind_mismatch(group, version, kind, tree, expected, scheme):
        raise _cannot_be_handled(kind, version, expected, why)
    return kind, version


def kind_mismatch(group: str, version: str, kind: str, tree: Any, expected: Expected, scheme: Scheme) -> str:
    """Why a document of this kind cannot be what is expected; empty if it can. `tree` is the document."""
    if kind == expected.kind and (kind in _META_KINDS or (group, version) == (expected.group, expected.version)):
        return ""
    if expected.kind in _META_KINDS:
        return unregistered_message(group, version, kind, _META_SCHEME)
    if not _registered(group, version, kind, scheme):
        return unregistered_message(group, version, kind)
    other = scheme.find_kind(group, version, kind)
    if other is not None and isinstance(tree, dict):
        try:
            decode_tree(other.type, tree)
        except DecodeError as e:
            return str(e)
    internal = "core" if expected.group in ("", "events.k8s.io") else expected.group.partition(".")[0]
    return f"converting ({version}.{kind}) to ({internal}.{expected.kind}): unknown conversion"


def _check_custom_kind(obj: CustomResource, body: bytes, expected: Expected) -> None:
    """Documents of custom kinds must say what they are."""
    for wire, value in (("Kind", obj.kind), ("apiVersion", obj.api_version)):
        if not value:
            shown = body.decode("utf-8", "replace")
            raise _unrecognized(expected, body, f"Object '{wire}' is missing in '{shown}'")
    if obj.api_version != expected.api_version:
        raise BadRequest(
            f"the API version in the data ({obj.api_version}) does not match the expected API version "
            f"({expected.api_version})"
        )
    if obj.kind != expected.kind:
        error = invalid(Path("kind"), obj.kind, f"must be {expected.kind}")
        raise Invalid.named(expected.group, obj.kind, obj.metadata.name, [error])


def _registered(group: str, version: str, kind: str, scheme: Scheme) -> bool:
    of_version = [k for k in scheme if (k.group, k.version) == (group, version)]
    return bool(of_version) and (
        kind in _META_KINDS or any(kind in (k.name, k.list_kind, *(s.kind for s in k.subresources)) for k in of_version)
    )


def _cannot_be_handled(kind: str, version: str, expected: Expected, why: str) -> BadRequest:
    if expected.kind in _META_KINDS:  # which upstream decodes without a word of its own
        return BadRequest(why)
    return BadRequest(f'{kind} in version "{version}" cannot be handled as a {expected.kind}: {why}')


def _unrecognized(expected: Expected, body: bytes, why: str) -> BadRequest:
    if expected.kind in _META_KINDS:
        return BadRequest(why)
    shown = _summary(body)
    return BadRequest(f"the object provided is unrecognized (must be of type {expected.kind}): {why} ({shown})")


def _summary(body: bytes) -> str:
    """The beginning of a body: as it is where it looks like JSON, in hexadecimal otherwise."""
    if not body:
        return "<empty>"
    start = body[:_SUMMARY_LENGTH]
    shown = start.decode("utf-8", "replace") if body.startswith(b"{") else start.hex()
    return f"{shown} ..." if len(body) > _SUMMARY_LENGTH else shown


def unregistered_message(group: str, version: str, kind: str, scheme: str = _SCHEME) -> str:
    api_version = f"{group}/{version}" if group else version
    return f'no kind "{kind}" is registered for version "{api_version}" in scheme "{scheme}"'
