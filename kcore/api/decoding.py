"""Documents to objects, as sigs.k8s.io/json decodes them in a real API server.

The fast path is msgspec's typed decoder: its types accept only what is already canonical (see `schema`), in C. Where
it refuses, the document is read again by the slow path, which walks a JSON tree with the shapes of the type: null
leaves a field as it was, times, quantities and base64 are written canonically, unknown and repeated fields are
collected, and what does not fit is said in Go's words.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple, NoReturn, TypeVar

import msgspec

from kcore.api import quantity, timestamp
from kcore.api.json_syntax import (
    TOO_DEEP,
    JSONSyntaxError,
    NumberText,
    RepeatedKeys,
    parse_json,
    plain,
    repeated_keys,
    too_deep,
)
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import CustomResource
from kcore.api.schema import Struct
from kcore.api.shape import Field, Form, Shape, shape_of

__all__ = [
    "DecodeError",
    "Decoded",
    "decode_json",
    "decode_tree",
    "decode_unstructured",
    "decoder",
    "json_type",
    "may_repeat_keys",
]

T = TypeVar("T", bound=Struct)
_STRICT_ERRORS_MAX = 100


class DecodeError(ValueError):
    """A document that is no object of its type; the message is Go's."""


class Decoded(NamedTuple):
    """`findings` are what strict field validation objects to: unknown and repeated fields."""

    obj: Any
    findings: tuple[str, ...] = ()


def decode_json(type_: type[Struct], body: bytes) -> Decoded:
    """Decode a client's document. Raises DecodeError."""
    if too_deep(body):
        raise DecodeError(TOO_DEEP)
    try:
        tree = _any(body)
        if not may_repeat_keys(body, tree):
            return _custom(tree) if type_ is CustomResource else Decoded(msgspec.convert(tree, type_))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        tree = parse_json(body)
    except JSONSyntaxError as e:
        raise DecodeError(str(e)) from None
    if type_ is CustomResource:
        repeated = tuple(repeated_keys(tree))
        try:
            obj, findings = _custom(plain(tree))
        except JSONSyntaxError as e:
            raise DecodeError(str(e)) from None
        return Decoded(obj, (*repeated, *findings))
    return _walk(type_, tree)


def decode_tree(type_: type[Struct], tree: Any) -> Decoded:
    """Decode a JSON tree: what a patch made, or YAML. Raises DecodeError."""
    if type_ is CustomResource:
        return _custom(tree)
    try:
        return Decoded(msgspec.convert(tree, type_))
    except (msgspec.ValidationError, RecursionError):
        return _walk(type_, tree)


def decode_unstructured(type_: type[Struct], tree: Any) -> Decoded:
    """Decode a tree as apimachinery's unstructured converter does: the same rules, but its own words."""
    if type_ is CustomResource:
        return _custom(tree)
    try:
        return Decoded(msgspec.convert(tree, type_))
    except (msgspec.ValidationError, RecursionError):
        decoded = _walk(type_, tree, _Converter())
        return Decoded(decoded.obj, tuple(sorted(decoded.findings)))


def decoder(type_: type[T]) -> Callable[[bytes], T]:
    """How documents that the API itself has written become objects again."""
    found = _decoders.get(type_)
    if found is None:
        found = _decoders[type_] = _new_decoder(type_)
    return found


_decoders: dict[type[Any], Callable[[bytes], Any]] = {}


def _custom(tree: Any) -> Decoded:
    """A custom resource takes anything but metadata as it is; its kind's schema looks at it later."""
    if not isinstance(tree, dict):
        raise DecodeError(f"json: cannot unmarshal {json_type(tree)} into Go value of type map[string]interface {{}}")
    content = dict(tree)
    metadata, findings = decode_tree(ObjectMeta, content.pop("metadata", None))
    kind, api_version = content.pop("kind", None) or "", content.pop("apiVersion", None) or ""
    for wire, value in (("apiVersion", api_version), ("kind", kind)):
        if not isinstance(value, str):
            raise DecodeError(f"json: cannot unmarshal {json_type(value)} into Go struct field .{wire} of type string")
    found = tuple(finding.replace(' field "', ' field "metadata.', 1) for finding in findings)
    return Decoded(CustomResource(kind=kind, api_version=api_version, metadata=metadata, content=content), found)


def _new_decoder(type_: type[T]) -> Callable[[bytes], T]:
    if type_ is CustomResource:
        return lambda data: _custom(_any(data)).obj
    fast = _fast(type_)

    def decode(data: bytes) -> T:
        try:
            obj: T = fast(data)
        except msgspec.ValidationError:  # a canonical quantity that the pattern cannot tell
            obj = _walk(type_, parse_json(data)).obj
        return obj

    return decode


@cache
def _fast(type_: type[Struct]) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(type_).decode


# --- repeated keys ---

_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_ESCAPED_QUOTE_OR_COLON = re.compile(rb"\\u00(?:22|3[aA])")
_SPACED_COLON = re.compile(rb'"[ \t\r\n]+:')


def may_repeat_keys(body: bytes, tree: Any) -> bool:
    """Whether a valid document, read as `tree`, may hold a key twice.

    Read into dicts and written again, it has lost its repeated keys and nothing else, so it has fewer `":`.
    Only other spellings of these two characters could hide that; they are rare enough to be looked at closely.
    """
    if _SPACED_COLON.search(body) or (b"\\u" in body and _ESCAPED_QUOTE_OR_COLON.search(body)):
        return True
    return _encode(tree).count(b'":') != body.count(b'":')


# --- the slow path ---


class _Abort(Exception):
    """An error of a type's own UnmarshalJSON: Go stops there, and it wins over what was found before."""


class _Misfit(Exception):
    """A value of the wrong JSON type: Go notes the first one and goes on."""


def _walk(type_: type[Struct], tree: Any, walker: _Walker | None = None) -> Decoded:
    if tree is None:
        return Decoded(type_())
    walker = walker or _Walker()
    try:
        obj = walker.value(shape_of(type_), tree)
    except _Abort as e:
        raise DecodeError(str(e)) from None
    except (_Misfit, JSONSyntaxError) as e:
        raise DecodeError(str(e)) from None
    except RecursionError:
        raise DecodeError(TOO_DEEP) from None
    if walker.error:
        raise DecodeError(walker.error)
    return Decoded(obj, tuple(walker.findings))


class _Walker:
    """One walk over one document."""

    def __init__(self) -> None:
        self.findings: dict[str, None] = {}
        self.error = ""
        self._path: list[str] = []
        """Where the walk is, as findings spell it."""
        self._fields: list[str] = []
        """The struct fields on the way, as type errors spell it: without list indexes and map keys."""
        self._struct = ""

    def value(self, shape: Shape, value: Any) -> Any:
        """The value in its final form. Raises _Misfit where the JSON type is wrong."""
        return _READERS[shape.form](self, shape, value)

    def struct(self, shape: Shape, value: Any) -> Any:
        if not isinstance(value, dict):
            raise self.misfit(value, shape.go_name)
        assert shape.type is not None
        return shape.type(**self._members(shape, value))

    def _members(self, shape: Shape, value: dict[str, Any]) -> dict[str, Any]:
        assert shape.type is not None
        fields, outer = shape.fields, self._struct
        found: dict[str, Any] = {}
        seen: set[str] = set()
        for wire, item in _pairs(value):
            self._path.append(f".{wire}")
            if wire not in fields:
                self.find("unknown")
            else:
                if wire in seen:
                    self.find("duplicate")
                seen.add(wire)
                self._struct = shape.type.__name__
                self._fields.append(wire)
                self._member(fields[wire], item, found)
                self._fields.pop()
            self._path.pop()
        self._struct = outer
        return found

    def _member(self, field: Field, item: Any, found: dict[str, Any]) -> None:
        if item is None:
            if field.nullable or field.shape.form in _CLEARED_BY_NULL:
                found.pop(field.name, None)
            elif field.shape.form is Form.QUANTITY:
                found[field.name] = "0"
            return
        before = found.get(field.name)
        try:
            found[field.name] = _merge(before, self.value(field.shape, item), item, field.shape)
        except _Misfit as e:
            self.error = self.error or str(e)

    def list(self, shape: Shape, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise self.misfit(value, shape.go_name)
        assert shape.element is not None
        return tuple(self._element(shape.element, f"[{i}]", item) for i, item in enumerate(value))

    def map(self, shape: Shape, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.misfit(value, shape.go_name)
        assert shape.element is not None
        found: dict[str, Any] = {}
        for key, item in _pairs(value):
            self._path.append(f".{key}")
            if key in found:
                self.find("duplicate")
            self._path.pop()
            found[key] = self._element(shape.element, f".{key}", item)
        return found

    def _element(self, shape: Shape, step: str, item: Any) -> Any:
        if item is None:
            return _zero(shape)
        self._path.append(step)
        try:
            return self.value(shape, item)
        except _Misfit as e:
            self.error = self.error or str(e)
            return _zero(shape)
        finally:
            self._path.pop()

    def either(self, shape: Shape, value: Any) -> Any:
        """A struct, list or boolean: the alternative whose JSON type it has. Go decodes it apart, not strictly."""
        json_types = ((dict, Form.STRUCT), (list, Form.LIST), (bool, Form.BOOL))
        wanted = next((form for type_, form in json_types if isinstance(value, type_)), None)
        chosen = next((a for a in shape.alternatives if a.form is wanted), shape.alternatives[0])
        findings, self.findings = self.findings, {}
        try:
            return self.value(chosen, value)
        finally:
            self.findings = findings

    def find(self, what: str) -> None:
        if len(self.findings) < _STRICT_ERRORS_MAX:
            self.findings[f'{what} field "{"".join(self._path)[1:]}"'] = None

    def misfit(self, value: Any, go_name: str, *, number: bool = False) -> _Misfit:
        """`number`: Go shows the number itself, because its type would do."""
        what = json_type(value)
        if number:
            what = f"number {_number_text(value)}"
        into = f"struct field {self._struct}.{'.'.join(self._fields)}" if self._struct else "value"
        return _Misfit(f"json: cannot unmarshal {what} into Go {into} of type {go_name}")

    def abort(self, value: Any, go_name: str, *, number: bool = False) -> NoReturn:
        raise _Abort(str(self.misfit(value, go_name, number=number)))


class _Converter(_Walker):
    """From maps and slices instead of from JSON."""

    def misfit(self, value: Any, go_name: str, *, number: bool = False) -> _Misfit:
        kind = "float64" if isinstance(value, float) else _GO_KINDS[json_type(value)]
        if go_name.startswith("[]"):
            return _Misfit(f"cannot restore slice from {kind}")
        if go_name.startswith("map[") or go_name == "v1.ResourceList":
            return _Misfit(f"cannot restore map from {kind}")
        if "." in go_name:
            return _Misfit(f"cannot restore struct from: {kind}")
        return _Misfit(f"cannot convert {kind} to {go_name}")

    def abort(self, value: Any, go_name: str, *, number: bool = False) -> NoReturn:
        raise _Abort(f"json: cannot unmarshal {json_type(value)} into Go value of type {go_name}")


_GO_KINDS = {"object": "map", "array": "slice", "string": "string", "bool": "bool", "number": "int64"}
_CLEARED_BY_NULL = {Form.LIST, Form.MAP, Form.JSON, Form.TIME, Form.MICRO_TIME, Form.INT_OR_STRING}


def _pairs(value: dict[str, Any]) -> Any:
    return value.pairs if isinstance(value, RepeatedKeys) else value.items()


def _merge(before: Any, after: Any, item: Any, shape: Shape) -> Any:
    """A repeated key: Go decodes the second value over the first, so that structs and maps are merged."""
    if before is None:
        return after
    if shape.form is Form.MAP:
        return {**before, **after}
    if shape.form is Form.STRUCT:
        given = {shape.fields[wire].name for wire in item if wire in shape.fields}
        return msgspec.structs.replace(before, **{name: getattr(after, name) for name in given})
    return after


def _zero(shape: Shape) -> Any:
    """What Go leaves in a list or map whose element is null."""
    match shape.form:
        case Form.STRUCT:
            assert shape.type is not None
            return shape.type()
        case Form.LIST:
            return ()
        case Form.MAP:
            return {}
        case Form.STRING | Form.BASE64:
            return ""
        case Form.QUANTITY:
            return "0"
        case Form.INT32 | Form.INT64 | Form.INT_OR_STRING:
            return 0
        case Form.FLOAT:
            return 0.0
        case Form.BOOL:
            return False
    return None


def json_type(value: Any) -> str:
    """What Go's messages call a value."""
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "array"
    if isinstance(value, str):
        return "string"
    return "bool" if isinstance(value, bool) else "number"


def _number_text(value: Any) -> str:
    return value.text if isinstance(value, NumberText) else str(value)


def _string(walker: _Walker, shape: Shape, value: Any) -> str:
    if not isinstance(value, str):
        raise walker.misfit(value, shape.go_name)
    return value


def _bool(walker: _Walker, shape: Shape, value: Any) -> bool:
    if not isinstance(value, bool):
        raise walker.misfit(value, shape.go_name)
    return value


_RANGES = {Form.INT32: range(-(2**31), 2**31), Form.INT64: range(-(2**63), 2**63)}


def _int(walker: _Walker, shape: Shape, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise walker.misfit(value, shape.go_name)
    if isinstance(value, float) or value not in _RANGES[shape.form]:
        raise walker.misfit(value, shape.go_name, number=True)
    return value


def _float(walker: _Walker, shape: Shape, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise walker.misfit(value, shape.go_name)
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if number in (float("inf"), float("-inf")):
        raise walker.misfit(value, shape.go_name, number=True)
    return number


def _base64(walker: _Walker, shape: Shape, value: Any) -> str:
    if not isinstance(value, str):
        raise walker.misfit(value, shape.go_name)
    try:
        return _canonical_base64(value)
    except ValueError as e:
        raise _Misfit(str(e)) from None


_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_LINE_ENDS = b"\r\n"


def _canonical_base64(text: str) -> str:
    """Decoded and encoded again; line ends are skipped."""
    data = text.encode("utf-8", "surrogatepass")
    at = _corrupt_at(data)
    if at is not None:
        raise ValueError(f"illegal base64 data at input byte {at}")
    return base64.b64encode(base64.b64decode(data)).decode()


def _corrupt_at(data: bytes) -> int | None:
    """The byte that Go's decoder stops at: the first that is wrong, or where the last group of four began."""
    at = digits = 0
    while at < len(data):
        char = data[at]
        at += 1
        if char in _BASE64:
            digits = (digits + 1) % 4
        elif char == ord("="):
            return _bad_padding_at(data, at, digits)
        elif char not in _LINE_ENDS:
            return at - 1
    return at - digits if digits else None


def _bad_padding_at(data: bytes, at: int, digits: int) -> int | None:
    """What is wrong at or after the first `=`, which stands before `at`."""
    if digits < 2:
        return at - 1
    if digits == 2:
        at = _skip_line_ends(data, at)
        if at == len(data):
            return at
        if data[at] != ord("="):
            return at - 1
        at += 1
    at = _skip_line_ends(data, at)
    return at if at < len(data) else None


def _skip_line_ends(data: bytes, at: int) -> int:
    while at < len(data) and data[at] in _LINE_ENDS:
        at += 1
    return at


def _time(walker: _Walker, shape: Shape, value: Any) -> str | None:
    if not isinstance(value, str):
        walker.abort(value, "string")
    normalize = timestamp.normalize_time if shape.form is Form.TIME else timestamp.normalize_micro_time
    try:
        return normalize(value)
    except timestamp.TimeError as e:
        raise _Abort(str(e)) from None


def _quantity(walker: _Walker, shape: Shape, value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = _number_text(value)
    else:
        text = value if isinstance(value, str) else "?"  # no other JSON text is a quantity
    try:
        return quantity.canonical(text.strip())
    except quantity.QuantityError as e:
        raise _Abort(str(e)) from None


def _int_or_string(walker: _Walker, shape: Shape, value: Any) -> int | str:
    if isinstance(value, str):
        return value
    try:
        return _int(walker, _INT32, value)
    except _Misfit as e:
        raise _Abort(str(e)) from None


def _json(walker: _Walker, shape: Shape, value: Any) -> Any:
    return plain(value)


_INT32 = Shape(Form.INT32, "int32")
_READERS: Mapping[Form, Callable[[_Walker, Shape, Any], Any]] = {
    Form.STRUCT: _Walker.struct,
    Form.LIST: _Walker.list,
    Form.MAP: _Walker.map,
    Form.EITHER: _Walker.either,
    Form.STRING: _string,
    Form.BOOL: _bool,
    Form.INT32: _int,
    Form.INT64: _int,
    Form.FLOAT: _float,
    Form.BASE64: _base64,
    Form.TIME: _time,
    Form.MICRO_TIME: _time,
    Form.QUANTITY: _quantity,
    Form.INT_OR_STRING: _int_or_string,
    Form.JSON: _json,
}
