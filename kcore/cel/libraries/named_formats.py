"""Formats by name: what is wrong with a text that should be a label, a name, a UUID, ..."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kcore.api import names
from kcore.api.formats import FORMATS as CHECKS
from kcore.cel.functions import Overload, function, method
from kcore.cel.types import STRING, Type, list_of, opaque, optional_of
from kcore.cel.values import NONE, Optional

__all__ = ["FORMAT", "FORMATS"]

FORMAT = opaque("kubernetes.NamedFormat")


@dataclass(frozen=True, slots=True)
class _Format:
    """`pattern_size` stands for the regular expression behind it, which costs go by."""

    cel_type: ClassVar[Type] = FORMAT
    name: str
    complaints: Callable[[str], list[str]]
    pattern_size: int


def _prefix(rule: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """A name of which the end is generated may end in what a name may not: a dash."""
    return lambda text: rule(f"{text[:-1]}a" if len(text) > 1 and text.endswith("-") else text)


def _checked(format_: str, complaint: str) -> Callable[[str], list[str]]:
    check = CHECKS[format_]
    return lambda text: [] if check(text) else [complaint]


def _uri(text: str) -> list[str]:
    return [] if CHECKS["uri"](text) else [f'parse "{text}": invalid URI for request']


_FORMATS: Mapping[str, _Format] = {
    name: _Format(name, complaints, size)
    for name, complaints, size in (
        ("dns1123Label", names.dns1123_label, 30),
        ("dns1123Subdomain", names.dns1123_subdomain, 60),
        ("dns1035Label", names.dns1035_label, 30),
        ("qualifiedName", names.label_key, 60),
        ("dns1123LabelPrefix", _prefix(names.dns1123_label), 30),
        ("dns1123SubdomainPrefix", _prefix(names.dns1123_subdomain), 60),
        ("dns1035LabelPrefix", _prefix(names.dns1035_label), 30),
        ("labelValue", names.label_value, 40),
        ("uri", _uri, 1600),
        ("uuid", _checked("uuid", "does not match the UUID format"), 60),
        ("byte", _checked("byte", "invalid base64"), 70),
        ("date", _checked("date", "invalid date"), 120),
        ("datetime", _checked("datetime", "invalid datetime"), 120),
    )
}


def _named(name: str) -> Optional:
    found = _FORMATS.get(name)
    return NONE if found is None else Optional(True, found)


def _validate(format_: _Format, text: str) -> Optional:
    complaints = format_.complaints(text)
    return Optional(True, list(complaints)) if complaints else NONE


def _constant(name: str) -> Callable[[], _Format]:
    return lambda: _FORMATS[name]


def _formats() -> Iterator[Overload]:
    yield function("format.named", "format-named", (STRING,), optional_of(FORMAT), _named)
    yield method("validate", "format-validate", (FORMAT, STRING), optional_of(list_of(STRING)), _validate)
    for name in _FORMATS:
        yield function(f"format.{name}", f"format.{name}", (), FORMAT, _constant(name))


FORMATS: tuple[Overload, ...] = tuple(_formats())
