"""Regular expressions in Go's syntax (RE2) as Python's."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["go_pattern"]

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}


@lru_cache(maxsize=4096)
def go_pattern(pattern: str) -> re.Pattern[str]:
    """Raises re.error. What differs: `$` and `\\z` are the very end, classes are ASCII, `[[:alpha:]]` exists."""
    return re.compile(_translate(pattern), re.ASCII)


def _translate(pattern: str) -> str:
    out: list[str] = []
    flags, at, inside = "", 0, False
    leading = re.match(r"\(\?([ims]+)\)", pattern)
    if leading:
        flags, at = leading.group(0), leading.end()
    for match in re.finditer(r"\\.|\[:\^?\w+:\]|\[\^?\]?|.", pattern[at:], re.DOTALL):
        token = match.group(0)
        if token.startswith("[:") and inside:
            name = token[2:-2]
            if name not in _CLASSES:
                raise re.error(f"invalid character class range: `{token}`")
            out.append(_CLASSES[name])
        elif token[0] == "[":
            if not inside:
                inside = True
                out.append(token)
            else:
                out.append("\\" + token)
                inside = not token.endswith("]")
        elif token == "]" and inside:
            inside = False
            out.append(token)
        elif token == "$" and not inside:
            out.append(r"\Z" if "m" not in flags else "$")
        elif token == r"\z":
            out.append(r"\Z")
        elif token == "\\Z" or (token[0] == "\\" and token[1:].isdigit() and token != r"\0"):
            raise re.error(f"invalid escape sequence: `{token}`")
        else:
            out.append(token)
    return flags + "".join(out)
