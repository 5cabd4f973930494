"""Field paths and field errors, with the wording of apimachinery's `util/validation/field`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

__all__ = [
    "OMITTED",
    "FieldError",
    "Path",
    "duplicate",
    "forbidden",
    "internal",
    "invalid",
    "not_found",
    "not_supported",
    "quote",
    "required",
    "too_few",
    "too_long",
    "too_many",
    "type_invalid",
]

OMITTED = object()

# reason -> the words that open the message
_WORDS = {
    "FieldValueNotFound": "Not found",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueInvalid": "Invalid value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueTooLong": "Too long",
    "FieldValueTooMany": "Too many",
    "InternalError": "Internal error",
    "FieldValueTypeInvalid": "Invalid value",
}


def quote(text: str) -> str:
    """A string as Go's %q writes it."""
    if text.isprintable():
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return '"' + "".join(map(_escaped, text)) + '"'


_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def _escaped(character: str) -> str:
    if found := _ESCAPES.get(character):
        return found
    code = ord(character)
    if character.isprintable():
        return character
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Path(NamedTuple):
    """Where in an object: `Path("spec")/"containers"@0/"name"` reads `spec.containers[0].name`."""

    text: str

    def __truediv__(self, child: str) -> Path:
        return Path(f"{self.text}.{child}" if self.text else child)

    def __matmul__(self, index: int) -> Path:
        return Path(f"{self.text}[{index}]")

    def key(self, key: str) -> Path:
        return Path(f"{self.text}[{key}]")

    def __str__(self) -> str:
        return self.text


class FieldError(NamedTuple):
    """One broken rule: `type` is the cause's reason, `body` its message without the field."""

    type: str
    field: str
    value: Any
    detail: str

    @property
    def body(self) -> str:
        words = _WORDS[self.type]
        if self.value is not OMITTED:
            words = f"{words}: {_render(self.value)}"
        return f"{words}: {self.detail}" if self.detail else words

    def __str__(self) -> str:
        return f"{self.field}: {self.body}"


def _render(value: Any) -> str:
    """A bad value as Go prints it in a field error: strings quoted, numbers bare, the rest as JSON."""
    if isinstance(value, str):
        return quote(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return msgspec.json.encode(value, order="deterministic").decode()


def invalid(path: Path, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", path.text, value, detail)


def type_invalid(path: Path, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueTypeInvalid", path.text, value, detail)


def required(path: Path, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", path.text, OMITTED, detail)


def duplicate(path: Path, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", path.text, value, "")


def not_found(path: Path, value: Any) -> FieldError:
    return FieldError("FieldValueNotFound", path.text, value, "")


def not_supported(path: Path, value: Any, supported: Sequence[str]) -> FieldError:
    """`supported` is listed as given: sort it where upstream sorts."""
    detail = f"supported values: {', '.join(quote(s) for s in supported)}" if supported else ""
    return FieldError("FieldValueNotSupported", path.text, value, detail)


def forbidden(path: Path, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", path.text, OMITTED, detail)


def too_long(path: Path, limit: int) -> FieldError:
    unit = "byte" if limit == 1 else "bytes"
    return FieldError("FieldValueTooLong", path.text, OMITTED, f"may not be more than {limit} {unit}")


def too_many(path: Path, actual: int, limit: int) -> FieldError:
    unit = "item" if limit == 1 else "items"
    return FieldError("FieldValueTooMany", path.text, actual, f"must have at most {limit} {unit}")


def too_few(path: Path, actual: int, least: int) -> FieldError:
    unit = "item" if least == 1 else "items"
    return FieldError("FieldValueInvalid", path.text, actual, f"must have at least {least} {unit}")


def internal(path: Path, detail: str) -> FieldError:
    return FieldError("InternalError", path.text, OMITTED, detail)
