"""Label and field selectors: `app in (web,db),!canary,n>1` and `metadata.name=x,status.phase!=Running`.

The grammar, the messages and the canonical text of label selectors are those of apimachinery's `labels`; field
selectors follow its `fields`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, required
from kcore.api.meta_v1 import LabelSelector, LabelSelectorRequirement
from kcore.api.names import label_key, label_value

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "FieldRequirement",
    "FieldSelector",
    "Requirement",
    "Selector",
    "SelectorError",
    "parse_field_selector",
    "parse_label_selector",
    "selector_from_labels",
    "selector_from_struct",
    "validate_label_selector",
    "validate_labels",
]

_BINARY = ("in", "notin", "=", "==", "!=", "gt", "lt")
_INTEGER = re.compile(r"[+-]?[0-9]+").fullmatch
_INT64 = range(-(2**63), 2**63)


class SelectorError(ValueError):
    """Text or a struct that is no selector; the message is upstream's."""


class Requirement(NamedTuple):
    """One condition on a label. `operator` is one of =, ==, !=, in, notin, exists, !, gt, lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "=" | "==" | "in":
                return value is not None and value in self.values
            case "!=" | "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
        number = None if value is None else _int64(value)
        bound = _int64(self.values[0])
        if number is None or bound is None:
            return False
        return number > bound if self.operator == "gt" else number < bound

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"
            case "gt":
                return f"{self.key}>{self.values[0]}"
            case "lt":
                return f"{self.key}<{self.values[0]}"
        return f"{self.key}{self.operator}{self.values[0]}"


class Selector(NamedTuple):
    """A conjunction of requirements, sorted by key; with none it selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        # `all` with a generator would double the price of the common one-requirement selector.
        for requirement in self.requirements:  # noqa: SIM110
            if not requirement.matches(labels):
                return False
        return True

    @property
    def empty(self) -> bool:
        """Whether it selects everything."""
        return not self.requirements

    def exact(self, key: str) -> str | None:
        """The one value that `key` must have, where the selector says so."""
        for requirement in self.requirements:
            if requirement.key == key:
                single = requirement.operator in ("=", "==", "in") and len(requirement.values) == 1
                return requirement.values[0] if single else None
        return None

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


class _Nothing(Selector):
    """Selects nothing: what an absent selector means in most APIs."""

    __slots__ = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return False

    @property
    def empty(self) -> bool:
        return False


EVERYTHING = Selector()
NOTHING: Selector = _Nothing()


def _int64(text: str) -> int | None:
    """What Go's strconv.ParseInt makes of it."""
    number = int(text) if len(text) < 24 and _INTEGER(text) else None
    return number if number is not None and number in _INT64 else None


def _requirement(key: str, operator: str, values: Sequence[str]) -> Requirement:
    """Check a requirement as apimachinery's NewRequirement does."""
    errors = [invalid(Path("key"), key, "; ".join(words))] if (words := label_key(key)) else []
    at = Path("values")
    match operator:
        case "in" | "notin" if not values:
            errors.append(invalid(at, list(values), "for 'in', 'notin' operators, values set can't be empty"))
        case "=" | "==" | "!=" if len(values) != 1:
            errors.append(invalid(at, list(values), "exact-match compatibility requires one single value"))
        case "exists" | "!" if values:
            errors.append(invalid(at, list(values), "values set must be empty for exists and does not exist"))
        case "gt" | "lt":
            if len(values) != 1:
                errors.append(invalid(at, list(values), "for 'Gt', 'Lt' operators, exactly one value is required"))
            words_for_int = "for 'Gt', 'Lt' operators, the value must be an integer"
            errors += [invalid(at @ i, v, words_for_int) for i, v in enumerate(values) if _int64(v) is None]
        case "in" | "notin" | "=" | "==" | "!=" | "exists" | "!":
            pass
        case _:
            errors.append(not_supported(Path("operator"), operator, (*_BINARY, "exists", "!")))
    for i, value in enumerate(values):
        if words := label_value(value):
            errors.append(invalid((at @ i).key(key), value, "; ".join(words)))
    if errors:
        raise SelectorError(_aggregate(errors))
    return Requirement(key, operator, tuple(values))


def _aggregate(errors: Iterable[FieldError]) -> str:
    lines = list(dict.fromkeys(map(str, errors)))
    return lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"


def _selector(requirements: Iterable[Requirement]) -> Selector:
    return Selector(tuple(sorted(requirements, key=lambda r: r.key)))


# --- the text form of label selectors ---

_TOKEN = re.compile(r"[ \t\r\n]*(?:(?P<word>[^=!(),<> \t\r\n]+)|(?P<symbol>==|!=|[=!(),<>])|$)")
_OPERATORS = {"=": "=", "==": "==", "!=": "!=", ">": "gt", "<": "lt", "in": "in", "notin": "notin"}


class _Parser:
    """Recursive descent over the tokens. A token is its text; a word is told from a symbol by `_is_word`."""

    def __init__(self, text: str) -> None:
        self._tokens = [m.group("word") or m.group("symbol") or "" for m in _TOKEN.finditer(text)]
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def parse(self) -> list[Requirement]:
        found: list[Requirement] = []
        while True:
            token = self._peek()
            if token == "":
                return found
            if token != "!" and not _is_word(token):
                raise SelectorError(f"found '{token}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._requirement())
            except SelectorError as e:
                raise SelectorError(f"unable to parse requirement: {e}") from None
            token = self._take()
            if token == "":
                return found
            if token != ",":
                raise SelectorError(f"found '{token}', expected: ',' or 'end of string'")
            if (token := self._peek()) != "!" and not _is_word(token):
                raise SelectorError(f"found '{token}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        key = self._take()
        absent = key == "!"
        if absent:
            key = self._take()
        if not _is_word(key):
            raise SelectorError(f"found '{key}', expected: identifier")
        if words := label_key(key):
            raise SelectorError(str(invalid(Path("<nil>"), key, "; ".join(words))))
        if absent:
            return _requirement(key, "!", ())
        if self._peek() in ("", ","):
            return _requirement(key, "exists", ())
        token = self._take()
        operator = _OPERATORS.get(token)
        if operator is None:
            raise SelectorError(f"found '{token}', expected: {', '.join(_BINARY)}")
        values = self._values() if operator in ("in", "notin") else [self._exact_value()]
        return _requirement(key, operator, sorted(set(values)))

    def _exact_value(self) -> str:
        if self._peek() in ("", ","):
            return ""
        token = self._take()
        if not _is_word(token):
            raise SelectorError(f"found '{token}', expected: identifier")
        return token

    def _values(self) -> list[str]:
        token = self._take()
        if token != "(":
            raise SelectorError(f"found '{token}' expected: '('")
        token = self._peek()
        if token == ")":
            self._take()
            return [""]
        if token != "," and not _is_word(token):
            raise SelectorError(f"found '{token}', expected: ',', ')' or identifier")
        values = self._list()
        self._take()  # the closing parenthesis, which ended the list
        return values

    def _list(self) -> list[str]:
        """Words between commas; a missing word is the empty value."""
        values: list[str] = []
        while True:
            token = self._take()
            if _is_word(token):
                values.append(token)
                following = self._peek()
                if following == ")":
                    return values
                if following != ",":
                    raise SelectorError(f"found '{following}', expected: ',' or ')'")
            elif token == ",":
                if not values:
                    values.append("")
                following = self._peek()
                if following == ")":
                    return [*values, ""]
                if following == ",":
                    self._take()
                    values.append("")
            else:
                raise SelectorError(f"found '{token}', expected: ',', or identifier")


def _is_word(token: str) -> bool:
    return bool(token) and token[0] not in "=!(),<>"


@lru_cache(maxsize=1024)
def parse_label_selector(text: str) -> Selector:
    """Raises SelectorError."""
    return _selector(_Parser(text).parse()) if text else EVERYTHING


# --- selectors in objects ---

_STRUCT_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def selector_from_labels(labels: Mapping[str, str]) -> Selector:
    """Equality with each label: the selector of a Service or ReplicationController. Nothing is checked."""
    return Selector(tuple(Requirement(k, "=", (v,)) for k, v in sorted(labels.items())))


def selector_from_struct(selector: LabelSelector | None) -> Selector:
    """An absent selector selects nothing, an empty one everything. Raises SelectorError."""
    if selector is None:
        return NOTHING
    requirements = [_requirement(k, "=", (v,)) for k, v in selector.match_labels.items()]
    for expression in selector.match_expressions:
        operator = _STRUCT_OPERATORS.get(expression.operator)
        if operator is None:
            raise SelectorError(f'"{expression.operator}" is not a valid label selector operator')
        requirements.append(_requirement(expression.key, operator, expression.values))
    return _selector(requirements) if requirements else EVERYTHING


def validate_labels(labels: Mapping[str, str], path: Path) -> list[FieldError]:
    """Each bad key and value, at the path of the whole map."""
    errors: list[FieldError] = []
    for key, value in labels.items():
        errors += [invalid(path, key, words) for words in label_key(key)]
        errors += [invalid(path, value, words) for words in label_value(value)]
    return errors


def validate_label_selector(
    selector: LabelSelector | None, path: Path, *, allow_invalid_values: bool = False
) -> list[FieldError]:
    """`allow_invalid_values`: where old objects may hold expressions whose values are no label values."""
    if selector is None:
        return []
    errors = validate_labels(selector.match_labels, path / "matchLabels")
    for i, expression in enumerate(selector.match_expressions):
        errors += _validate_expression(expression, path / "matchExpressions" @ i, allow_invalid_values)
    return errors


def _validate_expression(
    expression: LabelSelectorRequirement, path: Path, allow_invalid_values: bool
) -> list[FieldError]:
    errors: list[FieldError] = []
    match expression.operator:
        case "In" | "NotIn":
            if not expression.values:
                errors.append(required(path / "values", "must be specified when `operator` is 'In' or 'NotIn'"))
        case "Exists" | "DoesNotExist":
            if expression.values:
                words = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(forbidden(path / "values", words))
        case _:
            errors.append(invalid(path / "operator", expression.operator, "not a valid selector operator"))
    errors += [invalid(path / "key", expression.key, words) for words in label_key(expression.key)]
    if not allow_invalid_values:
        for i, value in enumerate(expression.values):
            errors += [invalid(path / "values" @ i, value, words) for words in label_value(value)]
    return errors


# --- field selectors ---


class FieldRequirement(NamedTuple):
    """`field=value`, or with `equal` false `field!=value`."""

    field: str
    value: str
    equal: bool = True


class FieldSelector(NamedTuple):
    """A conjunction; with no requirements it selects everything."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, fields: Mapping[str, str] | Callable[[str], str]) -> bool:
        """`fields` holds the values by name, or reads one. A field that is not there has the value `""`."""
        read = fields if callable(fields) else lambda name: fields.get(name, "")
        return all((read(r.field) == r.value) is r.equal for r in self.requirements)

    @property
    def empty(self) -> bool:
        return not self.requirements

    def exact(self, field: str) -> str | None:
        """The one value that `field` must have, where the selector says so."""
        return next((r.value for r in self.requirements if r.field == field and r.equal), None)

    def __str__(self) -> str:
        return ",".join(f"{r.field}{'=' if r.equal else '!='}{_escape(r.value)}" for r in self.requirements)


_OPERATOR = re.compile("!=|==|=")
_ESCAPE = {"\\": "\\\\", ",": "\\,", "=": "\\="}


def _escape(value: str) -> str:
    return "".join(_ESCAPE.get(c, c) for c in value)


@lru_cache(maxsize=1024)
def parse_field_selector(text: str) -> FieldSelector:
    """`\\`, `,` and `=` in values are escaped with a backslash. Raises SelectorError."""
    requirements = []
    for part in _split(text):
        if not part:
            continue
        field, operator, value = _term(part)
        if not operator:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{part}'")
        requirements.append(FieldRequirement(field, _unescape(value), operator != "!="))
    return FieldSelector(tuple(requirements))


def _split(text: str) -> list[str]:
    """Cut at commas that are not escaped."""
    parts, start, escaped = [], 0, False
    for i, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == ",":
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]


def _term(part: str) -> tuple[str, str, str]:
    """Cut at the first operator."""
    match = _OPERATOR.search(part)
    return (part[: match.start()], match[0], part[match.end() :]) if match else (part, "", "")


def _unescape(value: str) -> str:
    if not any(c in value for c in "\\,="):
        return value
    out, escaped = [], False
    for char in value:
        if escaped and char not in "\\,=":
            raise SelectorError(f"invalid field selector: invalid escape sequence: \\{char}")
        if not escaped and char in ",=":
            # Upstream prints the rune as a number.
            raise SelectorError(f"invalid field selector: unescaped character in value: {ord(char)}")
        escaped = char == "\\" and not escaped
        if not escaped:
            out.append(char)
    if escaped:
        raise SelectorError("invalid field selector: invalid escape sequence: \\")
    return "".join(out)
