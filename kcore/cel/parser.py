"""Text to tree: precedence climbing over tokens, macros made on the way. Depth and size are bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore.cel.errors import CompileError, Issue
from kcore.cel.macros import expand_macro
from kcore.cel.syntax import (
    Call,
    Identifier,
    ListLiteral,
    Literal,
    MapLiteral,
    Node,
    Select,
    StructLiteral,
    qualified_name,
)
from kcore.cel.tokens import END, RESERVED, LexicalError, Token, tokenize
from kcore.cel.values import INT_MAX, UINT_MAX, UInt

__all__ = ["DEPTH_MAX", "parse"]

DEPTH_MAX = 250
_SIZE_MAX = 100_000

_BINARY = {
    "<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4, "in": 4,
    "+": 5, "-": 5, "*": 6, "/": 6, "%": 6,
}  # fmt: skip
_FUNCTIONS = {"in": "@in", **{operator: f"_{operator}_" for operator in _BINARY if operator != "in"}}
_OPERAND = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
)
_STARTERS = frozenset(
    ("[", "{", "(", ".", "-", "!", "true", "false", "null", "NUM_FLOAT", "NUM_INT", "NUM_UINT", "STRING", "BYTES")
) | {"IDENTIFIER"}


class _SyntaxError(Exception):
    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.issue = Issue(offset, message)


def parse(text: str) -> Node:
    """Raises CompileError."""
    issues: list[Issue] = []
    try:
        if len(text) > _SIZE_MAX:
            why = f"expression code point size exceeds limit: size: {len(text)}, limit {_SIZE_MAX}"
            raise _SyntaxError(0, why)
        tokens, issues = tokenize(text)
        node = _Parser(tokens).whole()
    except (_SyntaxError, LexicalError) as e:
        raise CompileError(text, [*issues, e.issue]) from None
    except RecursionError:
        raise CompileError(text, [Issue(0, f"expression recursion limit exceeded: {DEPTH_MAX}")]) from None
    if issues:
        raise CompileError(text, issues)
    return node


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    # --- tokens ---

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._tokens[self._at]
        if token.kind != END:
            self._at += 1
        return token

    def _accept(self, kind: str) -> bool:
        if self._token.kind != kind:
            return False
        self._take()
        return True

    def _expect(self, kind: str) -> Token:
        token = self._token
        if token.kind != kind:
            if token.kind == END:
                raise _SyntaxError(token.offset, f"Syntax error: missing '{kind}' at '{END}'")
            raise self._unexpected(token, f"'{kind}'")
        return self._take()

    def _unexpected(self, token: Token, wanted: str) -> _SyntaxError:
        """ANTLR's words: a token too many, if what follows it would fit; else one that does not fit."""
        following = self._tokens[self._at + 1].kind if token.kind != END else END
        extra = token.kind != END and (
            following in _STARTERS if wanted == _OPERAND else f"'{following}'" in wanted or following == wanted
        )
        word = "extraneous" if extra else "mismatched"
        return _SyntaxError(token.offset, f"Syntax error: {word} input '{token.text}' expecting {wanted}")

    # --- expressions ---

    def whole(self) -> Node:
        node = self._expression()
        if self._token.kind != END:
            raise self._unexpected(self._token, END)
        return node

    def _expression(self) -> Node:
        """The conditional operator, or anything that binds closer."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise _SyntaxError(self._token.offset, f"expression recursion limit exceeded: {DEPTH_MAX}")
        node = self._logic("||", "_||_")
        if self._token.kind == "?":
            offset = self._take().offset
            then = self._logic("||", "_||_")
            self._expect(":")
            node = Call("_?_:_", [node, then, self._expression()], offset=offset)
        self._depth -= 1
        return node

    def _logic(self, operator: str, function: str) -> Node:
        """A chain of `||`, or within it of `&&`: a balanced tree, so that long chains stay shallow."""
        terms, offsets = [self._term(operator)], []
        while self._token.kind == operator:
            offsets.append(self._take().offset)
            terms.append(self._term(operator))
        return _balanced(function, terms, offsets)

    def _term(self, operator: str) -> Node:
        return self._logic("&&", "_&&_") if operator == "||" else self._binary(4)

    def _binary(self, least: int) -> Node:
        left = self._unary()
        length = 0
        while (strength := _BINARY.get(self._token.kind, 0)) >= least:
            operator = self._take()
            right = self._binary(strength + 1)
            left = Call(_FUNCTIONS[operator.kind], [left, right], offset=operator.offset)
            length += 1
            if length > DEPTH_MAX:
                raise _SyntaxError(operator.offset, f"expression recursion limit exceeded: {DEPTH_MAX}")
        return left

    def _unary(self) -> Node:
        operator = self._token.kind
        if operator not in ("!", "-"):
            return self._member()
        offset = self._token.offset
        count = 0
        while self._accept(operator):
            count += 1
        if operator == "-" and count == 1 and self._token.kind in ("NUM_INT", "NUM_FLOAT"):
            return self._member(negative=offset)
        node = self._unary() if self._token.kind in ("!", "-") and count < DEPTH_MAX else self._member()
        name = "!_" if operator == "!" else "-_"
        return Call(name, [node], offset=offset) if count % 2 else node

    def _member(self, negative: int | None = None) -> Node:
        node = self._primary(negative)
        length = 0
        while (kind := self._token.kind) in (".", "[", "{"):
            if kind == ".":
                node = self._selection(node)
            elif kind == "[":
                offset = self._take().offset
                optional = self._accept("?")
                index = self._expression()
                self._expect("]")
                node = Call("_[?_]" if optional else "_[_]", [node, index], offset=offset)
            else:
                name = qualified_name(node)
                if not name:
                    raise self._unexpected(self._token, END)
                node = self._struct(name, node.offset)
            length += 1
            if length > DEPTH_MAX:
                raise _SyntaxError(self._token.offset, f"expression recursion limit exceeded: {DEPTH_MAX}")
        return node

    def _selection(self, operand: Node) -> Node:
        dot = self._take()
        if self._accept("?"):
            return Select(operand, self._name(), optional=True, offset=dot.offset)
        quoted = self._token.kind == "ESC_IDENTIFIER"
        name = self._name()
        if self._token.kind != "(" or quoted:
            return Select(operand, name, offset=dot.offset)
        opening = self._take()
        arguments = self._list(")")
        macro = expand_macro(name, operand, arguments, opening.offset)
        if isinstance(macro, Issue):
            raise _SyntaxError(macro.offset, macro.message)
        return macro or Call(name, arguments, operand, offset=opening.offset)

    def _name(self) -> str:
        token = self._token
        if token.kind == "ESC_IDENTIFIER":
            self._take()
            return str(token.value)
        if token.kind != "IDENTIFIER":
            raise _SyntaxError(token.offset, f"Syntax error: no viable alternative at input '.{token.text}'")
        return self._take().text

    def _list(self, closing: str) -> list[Node]:
        """Expressions up to the closing bracket, which is taken."""
        found: list[Node] = []
        if self._accept(closing):
            return found
        while True:
            found.append(self._expression())
            if self._accept(closing):
                return found
            self._expect(",")

    # --- primaries ---

    def _primary(self, negative: int | None) -> Node:
        token = self._token
        kind = token.kind
        if kind in ("IDENTIFIER", "."):
            return self._identifier()
        if kind in _LITERALS:
            self._take()
            return _literal(token, negative)
        if kind == "(":
            self._take()
            node = self._expression()
            self._expect(")")
            return node
        if kind == "[":
            return self._list_literal()
        if kind == "{":
            return self._map_literal()
        raise self._unexpected(token, _OPERAND)

    def _identifier(self) -> Node:
        start = self._token.offset
        leading = self._accept(".")
        token = self._token
        if token.kind != "IDENTIFIER":
            raise _SyntaxError(token.offset, f"Syntax error: mismatched input '{token.text}' expecting IDENTIFIER")
        self._take()
        if self._token.kind == "(":
            opening = self._take()
            arguments = self._list(")")
            macro = expand_macro(token.text, None, arguments, opening.offset)
            if isinstance(macro, Issue):
                raise _SyntaxError(macro.offset, macro.message)
            return macro or Call(token.text, arguments, offset=opening.offset)
        if token.text in RESERVED:
            raise _SyntaxError(token.offset, f"reserved identifier: {token.text}")
        return Identifier(token.text, offset=start if leading else token.offset)

    def _list_literal(self) -> Node:
        offset = self._take().offset
        elements: list[Node] = []
        optional: set[int] = set()
        while not self._accept("]"):
            if self._accept("?"):
                optional.add(len(elements))
            elements.append(self._expression())
            if not self._accept(","):
                self._expect("]")
                break
        return ListLiteral(elements, frozenset(optional), offset=offset)

    def _map_literal(self) -> Node:
        offset = self._take().offset
        entries: list[tuple[Node, Node, bool]] = []
        while not self._accept("}"):
            optional = self._accept("?")
            key = self._expression()
            self._expect(":")
            entries.append((key, self._expression(), optional))
            if not self._accept(","):
                self._expect("}")
                break
        return MapLiteral(entries, offset=offset)

    def _struct(self, name: str, offset: int) -> Node:
        self._take()
        entries: list[tuple[str, Node, bool, int]] = []
        while not self._accept("}"):
            optional = self._accept("?")
            at = self._token.offset
            field = self._name()
            self._expect(":")
            entries.append((field, self._expression(), optional, at))
            if not self._accept(","):
                self._expect("}")
                break
        return StructLiteral(name, entries, offset=offset)


_LITERALS = frozenset(("true", "false", "null", "NUM_INT", "NUM_UINT", "NUM_FLOAT", "STRING", "BYTES"))
_WORDS = {"true": True, "false": False, "null": None}


def _literal(token: Token, negative: int | None) -> Literal:
    offset = token.offset if negative is None else negative
    return Literal(_value(token, negative is not None, offset), offset=offset)


def _value(token: Token, negative: bool, offset: int) -> Any:
    if token.kind in _WORDS:
        return _WORDS[token.kind]
    if token.kind in ("STRING", "BYTES"):
        return token.value
    if token.kind == "NUM_FLOAT":
        return -float(token.text) if negative else float(token.text)
    digits = token.text.rstrip("uU")
    number = int(digits, 16 if digits.startswith("0x") else 10) if len(digits) < 100 else UINT_MAX + 1
    if token.kind == "NUM_UINT":
        if number > UINT_MAX:
            raise _SyntaxError(offset, "invalid uint literal")
        return UInt(number)
    if number > INT_MAX + negative:
        raise _SyntaxError(offset, "invalid int literal")
    return -number if negative else number


def _balanced(function: str, terms: Sequence[Node], offsets: Sequence[int]) -> Node:
    if len(terms) == 1:
        return terms[0]
    middle = (len(terms) + 1) // 2 if len(terms) > 2 else 1
    left = _balanced(function, terms[:middle], offsets[: middle - 1])
    right = _balanced(function, terms[middle:], offsets[middle:])
    return Call(function, [left, right], offset=offsets[middle - 1])
