"""An expression's text as tokens."""

from __future__ import annotations

import re
from typing import NamedTuple

from kcore.cel.errors import Issue

__all__ = ["END", "RESERVED", "LexicalError", "Token", "tokenize"]

END = "<EOF>"
RESERVED = frozenset(
    (
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
        "let", "loop", "package", "namespace", "return", "var", "void", "while",
    )
)  # fmt: skip
"""Words that cannot be names."""


class Token(NamedTuple):
    """`kind`: the operator or keyword itself, or NUM_INT, NUM_UINT, NUM_FLOAT, STRING, BYTES, IDENTIFIER, <EOF>."""

    kind: str
    text: str
    offset: int
    value: str | bytes | None = None


class LexicalError(Exception):
    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.issue = Issue(offset, message)


_TOKEN = re.compile(
    r"""
    (?P<skip>[\t\n\f\r\ ]+|//[^\n]*)
    |(?P<string>(?:[rR][bB]|[bB][rR]|[rRbB])?(?:\"{3}|'{3}|\"|'))
    |(?P<float>(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?))
    |(?P<int>0x[0-9a-fA-F]+|\d+)(?P<unsigned>[uU])?
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<quoted>`[A-Za-z0-9_.\-/\ ]+`)
    |(?P<operator>==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE | re.ASCII,
)
# Characters that only begin an operator.
_HALVES = "=&|"
_KEYWORDS = frozenset(("in", "true", "false", "null"))
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?",
}  # fmt: skip
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"`?])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))"
)


def tokenize(text: str) -> tuple[list[Token], list[Issue]]:
    """The tokens, and what is none between them: the parser goes on without it. Raises LexicalError."""
    found: list[Token] = []
    issues: list[Issue] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            odd = text[at : at + (2 if text[at] in _HALVES else 1)]
            issues.append(Issue(at, f"Syntax error: token recognition error at: '{odd}'"))
            at += len(odd)
            continue
        start, at = at, match.end()
        group = match.lastgroup
        if group == "skip":
            continue
        if group == "string":
            literal = _string(text, start, match["string"])
            if isinstance(literal, Issue):
                issues.append(literal)
                at = len(text)
            else:
                token, at = literal
                found.append(token)
        elif group == "name":
            word = match["name"]
            found.append(Token(word if word in _KEYWORDS else "IDENTIFIER", word, start))
        elif group == "quoted":
            found.append(Token("ESC_IDENTIFIER", match["quoted"], start, match["quoted"][1:-1]))
        elif group == "operator":
            found.append(Token(match["operator"], match["operator"], start))
        elif group == "float":
            found.append(Token("NUM_FLOAT", match["float"], start))
        else:
            found.append(Token("NUM_UINT" if match["unsigned"] else "NUM_INT", match[0], start))
    found.append(Token(END, END, len(text)))
    return found, issues


def _string(text: str, start: int, opening: str) -> tuple[Token, int] | Issue:
    """A string or bytes literal, and where it ends."""
    prefix, mark = opening.rstrip("'\"").lower(), opening.lstrip("rRbB")
    begin = at = start + len(opening)
    raw = "r" in prefix
    while not text.startswith(mark, at):
        char = text[at : at + 1]
        if not char or (char in "\r\n" and len(mark) == 1):
            return Issue(start, f"Syntax error: token recognition error at: '{text[start:at]}'")
        at += 2 if char == "\\" and not raw else 1
    body = text[begin:at]
    if "b" in prefix:
        return Token("BYTES", text[start:at], start, _bytes(body, raw, start)), at + len(mark)
    return Token("STRING", text[start:at], start, body if raw else _unescape(body, start)), at + len(mark)


def _unescape(body: str, start: int) -> str:
    if "\\" not in body:
        return body
    return "".join(_pieces(body, start))


def _pieces(body: str, start: int) -> list[str]:
    out: list[str] = []
    at = 0
    while (slash := body.find("\\", at)) >= 0:
        match = _ESCAPE.match(body, slash)
        if match is None:
            raise LexicalError(start, "Syntax error: token recognition error at: '" + body[: slash + 2] + "'")
        simple, byte, short, long, octal = match.groups()
        out.append(body[at:slash])
        if simple:
            out.append(_ESCAPES[simple])
        else:
            code = int(byte or short or long or octal, 8 if octal else 16)
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                raise LexicalError(start, "invalid unicode code point")
            out.append(chr(code))
        at = match.end()
    out.append(body[at:])
    return out


def _bytes(body: str, raw: bool, start: int) -> bytes:
    """In bytes, `\\x` and octal escapes are bytes, all else is UTF-8."""
    if raw or "\\" not in body:
        return body.encode()
    out = bytearray()
    at = 0
    while (slash := body.find("\\", at)) >= 0:
        match = _ESCAPE.match(body, slash)
        if match is None or match[3] or match[4]:
            raise LexicalError(start, "Syntax error: token recognition error at: '" + body[: slash + 2] + "'")
        out += body[at:slash].encode()
        simple, byte, _, _, octal = match.groups()
        out += _ESCAPES[simple].encode() if simple else bytes([int(byte or octal, 8 if octal else 16)])
        at = match.end()
    return bytes(out + body[at:].encode())
