"""cel-go's string extensions, version 2: what text can be asked and made into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kcore.cel.conversions import double_text, to_string
from kcore.cel.errors import EvaluationError
from kcore.cel.functions import Overload, function, method
from kcore.cel.types import DYN, INT, STRING, list_of
from kcore.cel.values import type_of

__all__ = ["STRINGS"]

_UPPER = {ord(c): ord(c.upper()) for c in "abcdefghijklmnopqrstuvwxyz"}
_LOWER = {upper: lower for lower, upper in _UPPER.items()}
# What Go's unicode.IsSpace knows.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_QUOTED = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
}  # fmt: skip
_DIGITS_MAX = 1000
_LENGTH_MAX = 16 << 20
# Of lists and maps, which take longer to write: one list may stand in another many times over.
_NESTED_MAX = 1 << 18
_FLOATS = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}


def _char_at(text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise EvaluationError(f"index out of range: {at}")
    return text[at : at + 1]


def _index_of(text: str, part: str, offset: int = 0) -> int:
    if not part:
        return offset
    if not 0 <= offset <= len(text):
        raise EvaluationError(f"index out of range: {offset}")
    return text.find(part, offset)


def _last_index_of(text: str, part: str, offset: int | None = None) -> int:
    if not part:
        return len(text) if offset is None else offset
    if offset is None:
        return text.rfind(part)
    if not 0 <= offset <= len(text):
        raise EvaluationError(f"index out of range: {offset}")
    return text.rfind(part, 0, offset + len(part))


def _substring(text: str, start: int, end: int | None = None) -> str:
    if end is None:
        if not 0 <= start <= len(text):
            raise EvaluationError(f"index out of range: {start}")
        return text[start:]
    if start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    for at in (start, end):
        if not 0 <= at <= len(text):
            raise EvaluationError(f"index out of range: {at}")
    return text[start:end]


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if separator:
        return text.split(separator, limit - 1) if limit > 0 else text.split(separator)
    if limit < 0 or limit >= len(text):
        return list(text)
    return [*text[: limit - 1], text[limit - 1 :]]


def _bounded(length: int, limit: int = _LENGTH_MAX) -> None:
    """What costs less than its result is long may not make one of any length."""
    if length > limit:
        raise EvaluationError(f"string is longer than {limit} characters")


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    times = text.count(old) if limit < 0 else min(limit, text.count(old))
    _bounded(len(text) + times * (len(new) - len(old)))
    return text.replace(old, new, limit)


def _join(items: list[Any], separator: str = "") -> str:
    _bounded(sum(map(len, items)) + len(separator) * len(items))
    return separator.join(items)


def _quote(text: str) -> str:
    return f'"{"".join(_QUOTED.get(char, char) for char in text)}"'


# --- format ---


def _format(template: str, arguments: list[Any]) -> str:
    return _together(_formatted(template, arguments))


def _together(pieces: Iterable[str], separator: str = "", limit: int = _LENGTH_MAX) -> str:
    kept: list[str] = []
    length = 0
    for piece in pieces:
        length += len(piece) + len(separator)
        _bounded(length, limit)
        kept.append(piece)
    return separator.join(kept)


def _formatted(template: str, arguments: list[Any]) -> Iterator[str]:
    at, given = 0, iter(arguments)
    while (percent := template.find("%", at)) >= 0:
        yield template[at:percent]
        at = percent + 1
        if template.startswith("%", at):
            yield "%"
            at += 1
            continue
        precision, at = _precision(template, at)
        clause = template[at : at + 1]
        if not clause:
            raise EvaluationError("unexpected end of string")
        if clause not in _CLAUSES:
            raise EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{clause}"')
        try:
            argument = next(given)
        except StopIteration:
            raise EvaluationError(f"index {len(arguments)} out of range") from None
        yield _clause(clause, argument, precision)
        at += 1
    yield template[at:]


def _precision(template: str, at: int) -> tuple[int, int]:
    if not template.startswith(".", at):
        return 6, at
    end = at + 1
    while template[end : end + 1].isdigit():
        end += 1
    if end - at > 5 or (digits := int(template[at + 1 : end] or 0)) > _DIGITS_MAX:
        raise EvaluationError(f"precision specifier must not be greater than {_DIGITS_MAX}")
    return digits, end


def _wrong(clause: str, wanted: str, value: Any) -> EvaluationError:
    given = type_of(value).runtime_name
    return EvaluationError(f"error during formatting: {clause} clause can only be used on {wanted}, was given {given}")


_CLAUSES = "sdfebxXo"


def _clause(clause: str, value: Any, precision: int) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if clause == "s":
        return _text(value)
    if clause == "d":
        if (isinstance(value, float) and value in (float("inf"), float("-inf"))) or value != value:
            return _FLOATS[str(value)]
        if not whole:
            raise _wrong("decimal", "integers", value)
        return str(int(value))
    if clause in "fe":
        if isinstance(value, bool) or not isinstance(value, float | int):
            raise _wrong("fixed-point" if clause == "f" else "scientific", "doubles", value)
        number = float(value)
        return _FLOATS.get(str(number)) or f"{number:.{precision}{clause}}"
    if clause == "b":
        if isinstance(value, int):
            return f"{int(value):b}"
        raise _wrong("binary", "integers and bools", value)
    if clause == "o":
        if whole:
            return f"{int(value):o}"
        raise _wrong("octal", "integers", value)
    if whole:
        return f"{int(value):{clause}}"
    if isinstance(value, str | bytes):
        shown = (value.encode() if isinstance(value, str) else value).hex()
        return shown.upper() if clause == "X" else shown
    raise _wrong("hexadecimal", "integers, byte buffers, and strings", value)


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"[{_together(map(_text, value), ', ', _NESTED_MAX)}]"
    if isinstance(value, Mapping):
        entries = sorted((_text(key), _text(each)) for key, each in value.items())
        return f"{{{_together((f'{key}: {each}' for key, each in entries), ', ', _NESTED_MAX)}}}"
    if isinstance(value, float):
        return _FLOATS.get(str(value)) or double_text(value)
    return to_string(value)


def _strings() -> Iterator[Overload]:
    texts = list_of(STRING)
    yield method("charAt", "string_char_at_int", (STRING, INT), STRING, _char_at)
    yield method("indexOf", "string_index_of_string", (STRING, STRING), INT, _index_of)
    yield method("indexOf", "string_index_of_string_int", (STRING, STRING, INT), INT, _index_of)
    yield method("lastIndexOf", "string_last_index_of_string", (STRING, STRING), INT, _last_index_of)
    yield method("lastIndexOf", "string_last_index_of_string_int", (STRING, STRING, INT), INT, _last_index_of)
    yield method("join", "list_join", (texts,), STRING, _join)
    yield method("join", "list_join_string", (texts, STRING), STRING, _join)
    yield method("lowerAscii", "string_lower_ascii", (STRING,), STRING, lambda text: text.translate(_LOWER))
    yield method("upperAscii", "string_upper_ascii", (STRING,), STRING, lambda text: text.translate(_UPPER))
    yield method("replace", "string_replace_string_string", (STRING, STRING, STRING), STRING, _replace)
    yield method("replace", "string_replace_string_string_int", (STRING, STRING, STRING, INT), STRING, _replace)
    yield method("split", "string_split_string", (STRING, STRING), texts, _split)
    yield method("split", "string_split_string_int", (STRING, STRING, INT), texts, _split)
    yield method("substring", "string_substring_int", (STRING, INT), STRING, _substring)
    yield method("substring", "string_substring_int_int", (STRING, INT, INT), STRING, _substring)
    yield method("trim", "string_trim", (STRING,), STRING, lambda text: text.strip(_SPACE))
    yield method("format", "string_format", (STRING, list_of(DYN)), STRING, _format)
    yield function("strings.quote", "strings_quote", (STRING,), STRING, _quote)
    yield function("jsonpatch.escapeKey", "jsonpatch_escapeKey", (STRING,), STRING, _escape_key)


def _escape_key(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


STRINGS: tuple[Overload, ...] = tuple(_strings())
