"""URLs and their parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from kcore.api.formats import FORMATS
from kcore.cel.errors import EvaluationError
from kcore.cel.functions import Overload, function, method
from kcore.cel.types import BOOL, STRING, Type, list_of, map_of, opaque

__all__ = ["URL", "URLS"]

URL = opaque("kubernetes.URL")
_PATH_SAFE = "$&+,/:;=@!'()*~-_.%[]"
_is_url = FORMATS["uri"]


@dataclass(frozen=True, slots=True)
class _Url:
    cel_type: ClassVar[Type] = URL
    text: str
    parts: SplitResult


def _parse(text: str) -> _Url:
    if not _is_url(text):
        raise EvaluationError(f'URL parse error during conversion from string: parse "{text}": invalid URI for request')
    return _Url(text, urlsplit(text))


def _host(url: _Url) -> str:
    return url.parts.netloc.rpartition("@")[2]


def _hostname(url: _Url) -> str:
    host = _host(url)
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _port(url: _Url) -> str:
    tail = _host(url).rpartition("]")[2]
    return tail.rpartition(":")[2] if ":" in tail else ""


def _escaped_path(url: _Url) -> str:
    return quote(url.parts.path, safe=_PATH_SAFE)


def _query(url: _Url) -> dict[str, list[str]]:
    return parse_qs(url.parts.query, keep_blank_values=True, max_num_fields=10_000)


URLS: tuple[Overload, ...] = (
    function("url", "string_to_url", (STRING,), URL, _parse),
    function("isURL", "is_url_string", (STRING,), BOOL, _is_url),
    method("getScheme", "url_get_scheme", (URL,), STRING, lambda url: url.parts.scheme),
    method("getHost", "url_get_host", (URL,), STRING, _host),
    method("getHostname", "url_get_hostname", (URL,), STRING, _hostname),
    method("getPort", "url_get_port", (URL,), STRING, _port),
    method("getEscapedPath", "url_get_escaped_path", (URL,), STRING, _escaped_path),
    method("getQuery", "url_get_query", (URL,), map_of(STRING, list_of(STRING)), _query),
)
