"""Pages are led back through the proxy, and are otherwise what they were."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kcore.server.connecting.links import Rewriter, rewrite_html

REWRITER = Rewriter("/proxy", "api.example:6443", "10.0.0.5:8080")


@pytest.mark.parametrize(
    ("url", "rewritten"),
    [
        ("/a", "/proxy/a"),
        ("/", "/proxy/"),
        ("/a/b/?c=d#e", "/proxy/a/b/?c=d#e"),
        ("a/b", "a/b"),
        ("", ""),
        ("#top", "#top"),
        ("/proxy/a", "/proxy/a"),
        ("http://10.0.0.5:8080/a", "/proxy/a"),
        ("https://api.example:6443/a", "https://api.example:6443/proxy/a"),
        ("http://elsewhere/a", "http://elsewhere/a"),
        ("//elsewhere/a", "//elsewhere/a"),
        ("mailto:me@example", "mailto:me@example"),
        ("http://[broken/a", "http://[broken/a"),
    ],
)
def test_url_is_led_through_the_proxy(url: str, rewritten: str) -> None:
    assert REWRITER.url(url) == rewritten


@pytest.mark.parametrize(
    ("page", "rewritten"),
    [
        ('<a href="/x">y</a>', '<a href="/proxy/x">y</a>'),
        ("<a href=/x>y</a>", '<a href="/proxy/x">y</a>'),
        ('<img src="/x" alt="a &amp; b"/>', '<img src="/proxy/x" alt="a &amp; b"/>'),
        ('<script src="/x.js"></script>', '<script src="/proxy/x.js"></script>'),
        ('<form ACTION="/x" data-x="/y">', '<form action="/proxy/x" data-x="/y">'),
        ('<p title="/x">/x</p>', '<p title="/x">/x</p>'),
        ("<script>if (a < b) go('/x')</script>", "<script>if (a < b) go('/x')</script>"),
        ("<!DOCTYPE html><!-- /x --><b>&copy; &#169;</b>", "<!DOCTYPE html><!-- /x --><b>&copy; &#169;</b>"),
    ],
)
def test_page_is_rewritten(page: str, rewritten: str) -> None:
    assert rewrite_html(page, REWRITER) == rewritten


@given(st.text(max_size=200))
def test_text_without_tags_stays_as_it_is(text: str) -> None:
    plain = text.replace("<", "").replace("&", "")
    assert rewrite_html(plain, REWRITER) == plain


@given(st.text("<>/ah=\"' ref!-[]?", max_size=100))
@example("<![a")
def test_any_page_comes_to_its_end(page: str) -> None:
    rewrite_html(page, REWRITER)
