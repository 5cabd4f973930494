"""Go's text/template, the part that Stages use: if, else, range, with, variables, pipelines and functions.

    {{ range .spec.containers }}- image: {{ .image | Quote }}{{ end }}
    {{ with .status.startTime }}{{ . }}{{ else }}{{ Now | Quote }}{{ end }}

A template is parsed once into a tree of nodes, each of which writes itself into a list of texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

__all__ = ["Function", "Template", "TemplateError", "compile_template"]

Function = Callable[..., Any]

_ACTION = re.compile(r"\{\{(-(?=\s))?\s*(.*?)\s*((?<=\s)-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(?:(?P<string>\"(?:[^\"\\]|\\.)*\"|`[^`]*`)|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<path>\$?(?:[A-Za-z_]\w*)?(?:\.[A-Za-z_]\w*)+|\.(?![A-Za-z_])|\$(?:[A-Za-z_]\w*)?|[A-Za-z_]\w*)"
    r"|(?P<sign>:=|[=|(),]))"
)


class TemplateError(ValueError):
    """Text that is no template, or one that fails on what it is given; the message is one sentence."""


Value = Callable[["Scope"], Any]
Node = Callable[["Scope", list[str]], None]
_NOTHING: Value = lambda scope: None  # noqa: E731


class Cell:
    """What a variable holds."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class _Break(Exception):
    """Out of the innermost range."""


class _Continue(Exception):
    """On with the innermost range."""


class Scope:
    """Variables, those of outer blocks included."""

    def __init__(
        self,
        dot: Any,
        functions: Mapping[str, Function],
        templates: Mapping[str, Sequence[Node]],
        variables: Mapping[str, Cell] | None = None,
    ) -> None:
        self.dot = dot
        self.functions = functions
        self.templates = templates
        self.variables = {"$": Cell(dot)} if variables is None else dict(variables)

    def inner(self, dot: Any) -> Scope:
        """A block's: what it assigns to outer variables stays, what it declares goes with it."""
        return Scope(dot, self.functions, self.templates, self.variables)

    def declare(self, names: Sequence[str], *values: Any) -> None:
        self.variables.update({name: Cell(value) for name, value in zip(names, values, strict=False)})


class Template:
    """A parsed template."""

    def __init__(self, nodes: Sequence[Node], defined: Mapping[str, Sequence[Node]]) -> None:
        self._nodes = nodes
        self._defined = defined

    def render(self, data: Any, functions: Mapping[str, Function]) -> str:
        """Raises TemplateError."""
        out: list[str] = []
        scope = Scope(data, {**_BUILT_IN, **functions}, self._defined)
        try:
            for node in self._nodes:
                node(scope, out)
        except TemplateError:
            raise
        except Exception as error:
            raise TemplateError(f"the template fails: {error}") from error
        return "".join(out)


class _Action(NamedTuple):
    text: str


@lru_cache(maxsize=256)
def compile_template(text: str) -> Template:
    """Raises TemplateError."""
    parser = _Parser(list(_pieces(text)))
    nodes, end = parser.block()
    if end:
        raise TemplateError(f"unexpected {{{{{end}}}}}")
    return Template(nodes, parser.defined)


def _pieces(text: str) -> Iterator[str | _Action]:
    at, trim = 0, False
    for found in _ACTION.finditer(text):
        before = text[at : found.start()]
        if trim:
            before = before.lstrip()
        if found[1]:
            before = before.rstrip()
        if before:
            yield before
        if not found[2].startswith("/*"):
            yield _Action(found[2])
        at, trim = found.end(), bool(found[3])
    rest = text[at:].lstrip() if trim else text[at:]
    if rest:
        yield rest


class _Parser:
    def __init__(self, pieces: Sequence[str | _Action]) -> None:
        self._pieces = pieces
        self._at = 0
        self.defined: dict[str, Sequence[Node]] = {}

    def block(self) -> tuple[list[Node], str]:
        """Nodes up to `end`, `else` or the end of the text, and which of them it was."""
        nodes: list[Node] = []
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            self._at += 1
            if isinstance(piece, str):
                nodes.append(_text(piece))
                continue
            word, _, rest = piece.text.partition(" ")
            if word in ("end", "else"):
                return nodes, piece.text
            nodes.append(self._node(word, rest, piece.text))
        return nodes, ""

    def _node(self, word: str, rest: str, whole: str) -> Node:
        if word in ("if", "with", "range"):
            return self._control(word, rest)
        if word == "define":
            self.defined[_quoted(rest)], _ = self.block()
            return _text("")
        if word == "template":
            name, _, argument = rest.strip().partition(" ")
            return _invoke(_quoted(name), _statement(argument)[1] if argument.strip() else _NOTHING)
        if word in ("break", "continue"):
            return _leave(_Break if word == "break" else _Continue)
        names, value, declares = _statement(whole)
        return _output(value) if not names else _assign(names[0], value, declares)

    def _control(self, word: str, rest: str) -> Node:
        names, value, _ = _statement(rest)
        body, end = self.block()
        otherwise: list[Node] = []
        if end.startswith("else "):
            inner, _, condition = end.removeprefix("else ").strip().partition(" ")
            otherwise = [self._control(inner, condition)]
        elif end == "else":
            otherwise, end = self.block()
            if end != "end":
                raise TemplateError(f"{word} without end")
        elif end != "end":
            raise TemplateError(f"{word} without end")
        make = {"if": _if, "with": _with, "range": _range}[word]
        return make(names, value, body, otherwise)


def _text(text: str) -> Node:
    return lambda scope, out: out.append(text)


def _output(value: Value) -> Node:
    return lambda scope, out: out.append(_written(value(scope)))


def _assign(name: str, value: Value, declares: bool) -> Node:
    def node(scope: Scope, out: list[str]) -> None:
        if not declares and name not in scope.variables:
            raise TemplateError(f"undefined variable {name}")
        if declares:
            scope.declare([name], value(scope))
        else:
            scope.variables[name].value = value(scope)

    return node


def _invoke(name: str, argument: Value) -> Node:
    def node(scope: Scope, out: list[str]) -> None:
        if name not in scope.templates:
            raise TemplateError(f"template {name!r} not defined")
        _run(scope.templates[name], Scope(argument(scope), scope.functions, scope.templates), out)

    return node


def _leave(how: type[Exception]) -> Node:
    def node(scope: Scope, out: list[str]) -> None:
        raise how

    return node


def _quoted(text: str) -> str:
    text = text.strip()
    if len(text) < 2 or text[0] not in '"`' or text[-1] != text[0]:
        raise TemplateError(f"{text!r} is no name in quotes")
    return text[1:-1]


def _run(nodes: Sequence[Node], scope: Scope, out: list[str]) -> None:
    for node in nodes:
        node(scope, out)


def _if(names: Sequence[str], value: Value, body: Sequence[Node], otherwise: Sequence[Node]) -> Node:
    def node(scope: Scope, out: list[str]) -> None:
        found, inner = value(scope), scope.inner(scope.dot)
        inner.declare(names, found)
        _run(body if _true(found) else otherwise, inner, out)

    return node


def _with(names: Sequence[str], value: Value, body: Sequence[Node], otherwise: Sequence[Node]) -> Node:
    def node(scope: Scope, out: list[str]) -> None:
        found = value(scope)
        inner = scope.inner(found if _true(found) else scope.dot)
        inner.declare(names, found)
        _run(body if _true(found) else otherwise, inner, out)

    return node


def _range(names: Sequence[str], value: Value, body: Sequence[Node], otherwise: Sequence[Node]) -> Node:
    def node(scope: Scope, out: list[str]) -> None:
        found = value(scope)
        pairs = sorted(found.items()) if isinstance(found, Mapping) else list(enumerate(found or ()))
        for key, item in pairs:
            inner = scope.inner(item)
            inner.declare(names, *((item,) if len(names) == 1 else (key, item)))
            try:
                _run(body, inner, out)
            except _Break:
                break
            except _Continue:
                continue
        if not pairs:
            _run(otherwise, scope, out)

    return node


def _statement(text: str) -> tuple[list[str], Value, bool]:
    """`$a := pipeline`, `$i, $x := pipeline` or a pipeline alone."""
    tokens = list(_tokens(text))
    for sign in (":=", "="):
        if sign in tokens:
            at = tokens.index(sign)
            return [token for token in tokens[:at] if token != ","], _pipeline(tokens[at + 1 :], text), sign == ":="
    return [], _pipeline(tokens, text), False


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise TemplateError(f"cannot read {text[at:].strip()!r}")
        yield found[found.lastgroup or 0]
        at = found.end()


def _pipeline(tokens: Sequence[str], text: str) -> Value:
    """Commands with `|` between: what one gives is the next one's last argument."""
    commands: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token == "(") - (token == ")")
        if token == "|" and depth == 0:
            commands.append([])
        else:
            commands[-1].append(token)
    if depth or not all(commands):
        raise TemplateError(f"{text!r} is no pipeline")
    value: Value | None = None
    for command in commands:
        value = _command(command, value)
    assert value is not None
    return value


def _command(tokens: Sequence[str], piped: Value | None) -> Value:
    operands = list(_operands(tokens))
    if piped is not None:
        operands.append(("", piped))
    name, first = operands[0]
    if not name:
        if len(operands) > 1:
            raise TemplateError(f"{' '.join(tokens)!r}: what is no function takes no arguments")
        return first
    arguments = [value for _, value in operands[1:]]

    def call(scope: Scope) -> Any:
        return _called(scope, name, *[argument(scope) for argument in arguments])

    return call


def _operands(tokens: Sequence[str]) -> Iterator[tuple[str, Value]]:
    """Each operand, with its name if it is a function's."""
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token == "(":
            end = _closing(tokens, at)
            yield "", _pipeline(tokens[at + 1 : end], " ".join(tokens))
            at = end + 1
            continue
        yield _operand(token)
        at += 1


def _closing(tokens: Sequence[str], start: int) -> int:
    depth = 0
    for at in range(start, len(tokens)):
        depth += (tokens[at] == "(") - (tokens[at] == ")")
        if depth == 0:
            return at
    raise TemplateError("a bracket is not closed")


def _operand(token: str) -> tuple[str, Value]:
    constants = {"true": True, "false": False, "nil": None}
    if token in constants:
        constant = constants[token]
        return "", lambda scope: constant
    if token[0] in '"`':
        text = json.loads(token) if token[0] == '"' else token[1:-1]
        return "", lambda scope: text
    if token[0].isdigit() or token[0] == "-":
        number = float(token) if "." in token else int(token)
        return "", lambda scope: number
    head, *fields = token.split(".")
    fields = [field for field in fields if field]
    if head == "" or head.startswith("$"):
        return "", lambda scope: _followed(_start(scope, head), fields)
    return token, lambda scope: _called(scope, token)


def _called(scope: Scope, name: str, *arguments: Any) -> Any:
    if name not in scope.functions:
        raise TemplateError(f"function {name!r} not defined")
    return scope.functions[name](*arguments)


def _start(scope: Scope, head: str) -> Any:
    if not head:
        return scope.dot
    if head not in scope.variables:
        raise TemplateError(f"undefined variable {head}")
    return scope.variables[head].value


def _followed(value: Any, fields: Sequence[str]) -> Any:
    for field in fields:
        value = value.get(field) if isinstance(value, Mapping) else None
    return value


def _true(value: Any) -> bool:
    """Go's idea of it: nothing empty is."""
    return bool(value)


def _written(value: Any) -> str:
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else json.dumps(value)


def _first_true(*values: Any) -> Any:
    return next((value for value in values if _true(value)), values[-1])


def _last_if_all(*values: Any) -> Any:
    return next((value for value in values if not _true(value)), values[-1])


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        else:
            value = value[key] if isinstance(value, list) and 0 <= key < len(value) else None
    return value


def _as_yaml(value: Any, indent: int = 0) -> str:
    import yaml  # few templates need it

    text: str = yaml.safe_dump(value, default_flow_style=False, sort_keys=False)
    # With an indent, it begins a line of its own, as KWOK's does.
    return f"\n{text}".replace("\n", "\n" + "  " * indent) if indent else text


_BUILT_IN: Mapping[str, Function] = {
    "and": _last_if_all,
    "or": _first_true,
    "not": lambda value: not _true(value),
    "eq": lambda a, *others: any(a == b for b in others),
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "len": lambda value: len(value or ()),
    "index": _index,
    "print": lambda *values: "".join(map(_written, values)),
    "printf": lambda form, *values: form.replace("%v", "%s").replace("%q", '"%s"') % values,
    "default": lambda otherwise, value=None: value if _true(value) else otherwise,
    "add": lambda *numbers: sum(int(number) for number in numbers),
    "add1": lambda number: int(number) + 1,
    "sub": lambda a, b: int(a) - int(b),
    "dict": lambda *pairs: dict(zip(pairs[::2], pairs[1::2], strict=True)),
    "Quote": lambda value: json.dumps(value if isinstance(value, str) else _written(value)),
    "YAML": _as_yaml,
}
