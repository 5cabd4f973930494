"""Who may use the port on which everybody is the administrator: programs of this machine, and no web page.

A browser is such a program, and does what pages tell it. Two things give a page away: a Host that is no name of this
machine (a name of the page's own that was made to lead here, DNS rebinding), and an Origin that is not this server
(pages send it with WebSockets and with everything that changes something).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from multidict import CIMultiDictProxy

from kcore.api.errors import Forbidden
from kcore.api.field import quote
from kcore.api.meta_v1 import StatusDetails

__all__ = ["require_own_browser"]

_OWN_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))


def require_own_browser(headers: CIMultiDictProxy[str]) -> None:
    """Raises Forbidden."""
    host = headers.get("Host", "")
    if "@" in host or _name(f"//{host}") not in _OWN_NAMES:
        raise _refused(f"Host {quote(host)} is no name of this machine")
    origin = headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        raise _refused(f"Origin {quote(origin)} is another one than the server")


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _refused(why: str) -> Forbidden:
    return Forbidden(f"forbidden: the insecure port serves no web pages: {why}", StatusDetails())
