"""JSON text to trees, remembering what Go's decoder can tell and Python's cannot: repeated keys, and what is wrong.

This is the slow, exact reader. It runs when the fast one has refused a document, to find out why, or when a
document may hold a key twice.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from math import isinf
from typing import Any, NoReturn

__all__ = [
    "DEPTH_MAX",
    "TOO_DEEP",
    "JSONSyntaxError",
    "NumberText",
    "RepeatedKeys",
    "parse_json",
    "plain",
    "repeated_keys",
    "too_deep",
]

# How deep documents may be nested: whoever walks one by recursion gets to the bottom. (Go allows 10,000.)
DEPTH_MAX = 250
TOO_DEEP = "exceeded max depth"
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_STEPS = bytes.maketrans(b"[{]}", b"\x02\x02\x00\x00")
_NO_BRACKETS = bytes({*range(256)} - {*b"[{]}"})


class JSONSyntaxError(ValueError):
    """Text that is no JSON; the message is that of Go's encoding/json."""


class NumberText(float):
    """A number that is no integer, with the text it came as."""

    text: str


class RepeatedKeys(dict[str, Any]):
    """An object some of whose keys come twice: as a dict it has the last value of each, `pairs` has them all."""

    pairs: list[tuple[str, Any]]


def parse_json(body: bytes) -> Any:
    """Raises JSONSyntaxError."""
    if too_deep(body):
        raise JSONSyntaxError(TOO_DEEP)
    text = body.decode("utf-8", "replace")
    try:
        tree = _parse(text)
    except (ValueError, RecursionError) as e:
        raise JSONSyntaxError(_explain(text) or TOO_DEEP) from e
    return _without_surrogates(tree) if "\\ud" in text or "\\uD" in text else tree


def too_deep(body: bytes) -> bool:
    """Whether containers are nested too deep. Most documents have too few to be."""
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return False
    steps = _STRING.sub(b"", body).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(step - 1 for step in steps), default=0) > DEPTH_MAX


def plain(tree: Any) -> Any:
    """The tree with ordinary dicts and floats only. Raises JSONSyntaxError for a number that no float can hold."""
    if isinstance(tree, dict):
        return {k: plain(v) for k, v in tree.items()}
    if isinstance(tree, list):
        return [plain(v) for v in tree]
    if isinstance(tree, NumberText):
        if isinf(tree):
            raise JSONSyntaxError(f"json: cannot unmarshal number {tree.text} into Go value of type float64")
        return float(tree)
    if isinstance(tree, int) and not -(2**63) <= tree < 2**64:
        return float(tree)
    return tree


def repeated_keys(tree: Any) -> list[str]:
    """A finding for each key that comes twice, with its path."""
    return list(dict.fromkeys(_repeated(tree, "")))


def _repeated(tree: Any, path: str) -> list[str]:
    found: list[str] = []
    if isinstance(tree, dict):
        seen: set[str] = set()
        for key, value in tree.pairs if isinstance(tree, RepeatedKeys) else tree.items():
            at = f"{path}.{key}" if path else key
            if key in seen:
                found.append(f'duplicate field "{at}"')
            seen.add(key)
            found += _repeated(value, at)
    elif isinstance(tree, list):
        for i, value in enumerate(tree):
            found += _repeated(value, f"{path}[{i}]")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeated = RepeatedKeys(found)
    repeated.pairs = pairs
    return repeated


def _number(text: str) -> NumberText:
    number = NumberText(text)
    number.text = text
    return number


def _integer(text: str) -> int | NumberText:
    return int(text) if len(text) < 100 else _number(text)


def _constant(text: str) -> NoReturn:
    raise ValueError(text)


_parse = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_int=_integer, parse_constant=_constant
).decode


def _without_surrogates(tree: Any) -> Any:
    """Half a surrogate pair becomes the replacement character, as in Go."""
    if isinstance(tree, str):
        return tree.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(tree, RepeatedKeys):
        return _object([(_without_surrogates(k), _without_surrogates(v)) for k, v in tree.pairs])
    if isinstance(tree, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in tree.items()}
    return [_without_surrogates(v) for v in tree] if isinstance(tree, list) else tree


# --- what is wrong with a text: Go's scanner, as a machine over places ---

_SPACE = re.compile(r"[ \t\r\n]*")
_PLAIN_STRING = re.compile(r'[^"\\\x00-\x1f]*')
_HEX = re.compile(r"[0-9a-fA-F]")
_END = "unexpected end of JSON input"
_DEPTH_MAX = 10_000
"""As deep as Go's decoder goes; who sends more does not have the rest looked at."""


class _Wrong(Exception):
    """Carries the message out of the scanner."""


def _explain(text: str) -> str:
    """Go's message about the first character that cannot stand where it stands; empty if there is none."""
    try:
        _scan(text)
    except _Wrong as e:
        return str(e)
    return ""


def _scan(text: str) -> None:
    stack: list[str] = []  # "{" in an object, "[" in an array
    at = _skip_space(text, 0)
    at = _value(text, at, stack)
    while stack:
        at = _skip_space(text, at)
        inside = stack[-1]
        where = "after object key:value pair" if inside == "{" else "after array element"
        char = _at(text, at)
        if char == ("}" if inside == "{" else "]"):
            stack.pop()
            at += 1
        elif char == ",":
            at = _skip_space(text, at + 1)
            at = _value(text, _key(text, at) if inside == "{" else at, stack)
        else:
            raise _invalid(char, where)
    at = _skip_space(text, at)
    if at < len(text):
        raise _invalid(text[at], "after top-level value")


def _value(text: str, at: int, stack: list[str]) -> int:
    """Scan a scalar, or open containers down to their first scalar or to an empty one."""
    while True:
        at = _skip_space(text, at)
        char = _at(text, at)
        if len(stack) > _DEPTH_MAX:
            raise _Wrong("exceeded max depth")
        if char == "{":
            stack.append(char)
            at = _skip_space(text, at + 1)
            if _at(text, at) == "}":
                stack.pop()
                return at + 1
            at = _key(text, at)
        elif char == "[":
            stack.append(char)
            at = _skip_space(text, at + 1)
            if _at(text, at) == "]":
                stack.pop()
                return at + 1
        else:
            return _scalar(text, at, char)


def _key(text: str, at: int) -> int:
    char = _at(text, at)
    if char != '"':
        raise _invalid(char, "looking for beginning of object key string")
    at = _skip_space(text, _string(text, at + 1))
    if _at(text, at) != ":":
        raise _invalid(text[at], "after object key")
    return at + 1


def _scalar(text: str, at: int, char: str) -> int:
    if char == '"':
        return _string(text, at + 1)
    if char == "-" or char.isdecimal():
        return _digits(text, at, char)
    for literal in ("true", "false", "null"):
        if char == literal[0]:
            for i, expected in enumerate(literal):
                if _at(text, at + i) != expected:
                    raise _invalid(text[at + i], f"in literal {literal} (expecting {_quote_char(expected)})")
            return at + len(literal)
    raise _invalid(char, "looking for beginning of value")


def _string(text: str, at: int) -> int:
    while True:
        match = _PLAIN_STRING.match(text, at)
        assert match is not None
        at = match.end()
        char = _at(text, at)
        if char == '"':
            return at + 1
        if char != "\\":
            raise _invalid(char, "in string literal")
        escaped = _at(text, at + 1)
        if escaped == "u":
            for i in range(2, 6):
                if not _HEX.match(_at(text, at + i)):
                    raise _invalid(text[at + i], r"in \u hexadecimal character escape")
            at += 6
        elif escaped in 'bfnrt\\/"':
            at += 2
        else:
            raise _invalid(escaped, "in string escape code")


def _digits(text: str, at: int, char: str) -> int:
    if char == "-":
        at += 1
        if _at(text, at) not in "0123456789":
            raise _invalid(text[at], "in numeric literal")
    at = at + 1 if text[at] == "0" else _run(text, at)
    if text[at : at + 1] == ".":
        if _at(text, at + 1) not in "0123456789":
            raise _invalid(text[at + 1], "after decimal point in numeric literal")
        at = _run(text, at + 1)
    if text[at : at + 1] in ("e", "E"):
        at += 1
        if _at(text, at) in "+-":
            at += 1
        if _at(text, at) not in "0123456789":
            raise _invalid(text[at], "in exponent of numeric literal")
        at = _run(text, at)
    return at


def _run(text: str, at: int) -> int:
    while text[at : at + 1] in set("0123456789"):
        at += 1
    return at


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


def _at(text: str, at: int) -> str:
    if at >= len(text):
        raise _Wrong(_END)
    return text[at]


def _invalid(char: str, where: str) -> _Wrong:
    return _Wrong(f"invalid character {_quote_char(char)} {where}")


def _quote_char(char: str) -> str:
    if char == "'":
        return r"'\''"
    if char == '"':
        return "'\"'"
    first = char.encode("utf-8", "surrogatepass")[0]  # Go looks at bytes
    shown = chr(first)
    short = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\\": "\\\\", "\a": r"\a", "\b": r"\b", "\f": r"\f", "\v": r"\v"}
    if shown in short:
        return f"'{short[shown]}'"
    if shown.isprintable():
        return f"'{shown}'"
    return f"'\\x{first:02x}'" if first < 0x80 else f"'\\u{first:04x}'"
