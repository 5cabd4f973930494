"""The string formats that schemas may name and servers check (go-openapi's strfmt); others are taken as comments."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date
from urllib.parse import urlsplit

from kcore.api import names

__all__ = ["FORMATS"]


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _date(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2})?([.,]\d+)?([Zz]|[+-]\d{2}:?\d{2})?", re.ASCII)


def _date_time(text: str) -> bool:
    """RFC 3339, and the looser ISO 8601 spellings that strfmt reads too. An empty text counts as no time."""
    if len(text) < 4:
        return False
    if _DATE_TIME.fullmatch(text) is None or not _date(text[:10]):
        return False
    hour, minute = int(text[11:13]), int(text[14:16])
    return hour < 24 and minute < 60


def _address(version: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version == version
        except ValueError:
            return False

    return check


def _cidr(text: str) -> bool:
    address, slash, bits = text.partition("/")
    if not slash or not (bits.isascii() and bits.isdigit()):
        return False
    try:
        ipaddress.ip_network(text, strict=False)
        return bool(address)
    except ValueError:
        return False


def _uri(text: str) -> bool:
    """A URL as Go's url.ParseRequestURI takes it: absolute, or a path from the root."""
    if re.search(r"[\x00-\x1f\x7f]", text) or text.startswith(" "):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
        if " " in parts.netloc:
            return False
    except ValueError:
        return False
    return text.startswith("/") or bool(parts.scheme and text[len(parts.scheme) + 1 :])


_email = _matches(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*")
_HEX = "[0-9a-fA-F]"
_hostname_label = re.compile(r"[^\W_]([\w-]{0,61}[^\W_])?")


def _hostname(text: str) -> bool:
    stripped = text.removesuffix(".")
    labels = stripped.split(".")
    return 0 < len(stripped) <= 255 and all(len(x) <= 63 and _hostname_label.fullmatch(x) for x in labels)


def _uuid(version: str) -> Callable[[str], bool]:
    variant = "[89ABab]" if version in "45" else _HEX
    third = f"{version}{_HEX}{{3}}" if version else f"{_HEX}{{4}}"
    fourth = f"{variant}{_HEX}{{3}}" if version else f"{_HEX}{{4}}"
    return _matches(f"{_HEX}{{8}}-?{_HEX}{{4}}-?{third}-?{fourth}-?{_HEX}{{12}}")


def _isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if re.fullmatch(r"[0-9]{9}[0-9X]", digits) is None:
        return False
    total = sum((10 - i) * (10 if c == "X" else int(c)) for i, c in enumerate(digits))
    return total % 11 == 0


def _isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if re.fullmatch(r"[0-9]{13}", digits) is None:
        return False
    return sum(int(c) * (3 if i % 2 else 1) for i, c in enumerate(digits)) % 10 == 0


def _credit_card(text: str) -> bool:
    digits = re.sub(r"[^0-9]+", "", text)
    if not 12 < len(digits) < 20:
        return False
    doubled = [int(c) * (2 if i % 2 else 1) for i, c in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
        return bool(text) and len(text) % 4 == 0
    except (binascii.Error, ValueError):
        return False


_DURATION = _matches(r"[+-]?((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+|0")
_WORDY_DURATION = _matches(
    r"\s*\d+\s*(ns|nano|us|µs|micro|ms|milli|s|sec|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)\s*"
)

FORMATS: Mapping[str, Callable[[str], bool]] = {
    "bsonobjectid": _matches(f"{_HEX}{{24}}"),
    "uri": _uri,
    "email": _email,
    "hostname": _hostname,
    "ipv4": _address(4),
    "ipv6": _address(6),
    "cidr": _cidr,
    "mac": _matches(f"({_HEX}{{2}}([:-]){_HEX}{{2}}(\\2{_HEX}{{2}}){{4}}|{_HEX}{{4}}\\.{_HEX}{{4}}\\.{_HEX}{{4}})"),
    "uuid": _uuid(""),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4"),
    "uuid5": _uuid("5"),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": _credit_card,
    "ssn": _matches(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _matches(f"#?({_HEX}{{3}}|{_HEX}{{6}})"),
    "rgbcolor": _matches(r"rgb\(\s*(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\s*(,\s*(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\s*){2}\)"),
    "byte": _base64,
    "password": lambda text: True,
    "date": _date,
    "duration": lambda text: _DURATION(text) or _WORDY_DURATION(text),
    "datetime": _date_time,
    "date-time": _date_time,
    "k8s-short-name": lambda text: not names.dns1123_label(text),
    "k8s-long-name": lambda text: not names.dns1123_subdomain(text),
}
