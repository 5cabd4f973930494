"""Field errors in upstream's words."""

from __future__ import annotations

import pytest

from kcore.api.field import quote


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain", '"plain"'),
        ('say "a\\b"', r'"say \"a\\b\""'),
        ("\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"'),
        ("\x1b\x7f", r'"\x1b\x7f"'),
        ("é\u200b\U000e0001", r'"é\u200b\U000e0001"'),
    ],
)
def test_strings_are_quoted_as_go_does(text: str, quoted: str) -> None:
    assert quote(text) == quoted
