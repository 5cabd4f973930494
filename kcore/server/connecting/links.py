"""Pages of proxied servers point at themselves: their links and redirects are led through the proxy again."""

from __future__ import annotations

import html
import posixpath
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

__all__ = ["Rewriter", "rewrite_html"]

_HREF_LIKE: Mapping[str, frozenset[str]] = {
    tag: frozenset(attributes.split())
    for tag, attributes in {
        "a": "href",
        "applet": "codebase",
        "area": "href",
        "audio": "src",
        "base": "href",
        "blockquote": "cite",
        "body": "background",
        "button": "formaction",
        "command": "icon",
        "del": "cite",
        "embed": "src",
        "form": "action",
        "frame": "longdesc src",
        "head": "profile",
        "html": "manifest",
        "iframe": "longdesc src",
        "img": "longdesc src usemap",
        "input": "src usemap formaction",
        "ins": "cite",
        "link": "href",
        "object": "classid codebase data usemap",
        "q": "cite",
        "script": "src",
        "source": "src",
        "video": "poster src",
    }.items()
}
"""The attributes that hold URLs, by element (HTML 4 and 5)."""


class Rewriter(NamedTuple):
    """`prefix` is the path of the proxy, `host` what the client calls the API server, `source` the host and port that
    were asked in its stead."""

    prefix: str
    host: str
    source: str

    def url(self, text: str) -> str:
        """A URL of the page as the client must ask for it: those of other hosts, and relative ones, stay."""
        try:
            url = urlsplit(text)
        except ValueError:
            return text
        if (url.netloc and url.netloc not in (self.source, self.host)) or not url.path.startswith("/"):
            return text
        scheme, netloc = (url.scheme, url.netloc) if url.netloc == self.host else ("", "")
        path = url.path if url.path.startswith(self.prefix) else _joined(self.prefix, url.path)
        return urlunsplit((scheme, netloc, path, url.query, url.fragment))


def _joined(prefix: str, path: str) -> str:
    joined = posixpath.normpath(f"{prefix}/{path}")
    return f"{joined}/" if path.endswith("/") and joined != "/" else joined


def rewrite_html(page: str, rewriter: Rewriter) -> str:
    """A page with its URLs rewritten, and otherwise as it was; one that Python's parser gives up on stays whole."""
    parser = _Page(rewriter)
    try:
        parser.feed(page)
        parser.close()
    except AssertionError:  # how it refuses declarations such as `<![x`
        return page
    return "".join(parser.out)


class _Page(HTMLParser):
    def __init__(self, rewriter: Rewriter) -> None:
        super().__init__(convert_charrefs=False)
        self.out: list[str] = []
        self._rewriter = rewriter

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.out.append(self._start(tag, attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.out.append(self._start(tag, attrs))

    def _start(self, tag: str, attrs: list[tuple[str, str | None]]) -> str:
        text = self.get_starttag_text() or ""
        named = _HREF_LIKE.get(tag, frozenset())
        rewritten = [(name, self._rewriter.url(value) if value and name in named else value) for name, value in attrs]
        if rewritten == attrs:
            return text
        parts = [name if value is None else f'{name}="{html.escape(value)}"' for name, value in rewritten]
        return f"<{' '.join((tag, *parts))}{'/>' if text.endswith('/>') else '>'}"

    def handle_endtag(self, tag: str) -> None:
        self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.out.append(data)

    def handle_entityref(self, name: str) -> None:
        self.out.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.out.append(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.out.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.out.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.out.append(f"<?{data}>")

    def unknown_decl(self, data: str) -> None:
        self.out.append(f"<![{data}]>")
