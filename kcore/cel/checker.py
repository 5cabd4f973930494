"""Types, before anything runs: every name must be declared, every call must have an overload that fits.

The rules are cel-go's: parameters of a declaration are bound by unification, `dyn` fits everywhere, and where several
overloads fit (because an argument is dyn) the choice is left to the running program. Findings are collected, not
raised: a wrong expression is told all that is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kcore.cel.errors import Issue
from kcore.cel.functions import FunctionTable, Overload
from kcore.cel.syntax import (
    Bind,
    Call,
    Comprehension,
    Identifier,
    ListLiteral,
    Literal,
    MapLiteral,
    Node,
    OptionalMap,
    Select,
    StructLiteral,
    qualified_name,
)
from kcore.cel.types import (
    BOOL,
    DYN,
    ERROR,
    INT,
    ObjectType,
    Type,
    is_dyn,
    list_of,
    map_of,
    optional_of,
    parameter,
    type_of_type,
)
from kcore.cel.values import type_of

__all__ = ["Bindings", "Checker", "settled"]

Bindings = dict[str, Type]
"""What parameters stand for."""

# What the elements of an empty literal are, as long as nothing says more.
_FREE = parameter("")
_NULLABLE = frozenset(("opaque", "object", "duration", "timestamp"))


def _substitute(of: Type, bound: Bindings) -> Type:
    """A type with its parameters replaced; a parameter that nothing bound is dyn."""
    if of.kind == "param":
        return _substitute(bound[of.name], bound) if of.name in bound else DYN
    if not of.parameters:
        return of
    return Type(of.kind, of.name, tuple(_substitute(each, bound) for each in of.parameters))


def settled(of: Type) -> Type:
    """The type of a whole expression: what nothing has bound by its end is dyn."""
    return _substitute(of, {})


def _fits(wanted: Type, given: Type, bound: Bindings) -> bool:
    """Whether a value of type `given` may stand where `wanted` is; binds parameters on the way."""
    if wanted.kind == "param":
        if wanted.name not in bound:
            bound[wanted.name] = given
            return True
        known = bound[wanted.name]
        if given == _FREE:
            return True
        if is_dyn(given) and not is_dyn(known):
            bound[wanted.name] = given
            return True
        return _fits(known, given, bound) or _fits(given, known, bound)
    if is_dyn(wanted) or is_dyn(given) or given == _FREE:
        return True
    if given.kind == "null":
        return wanted.kind == "null" or wanted.kind in _NULLABLE
    if wanted.kind == "null":
        return given.kind in _NULLABLE
    if wanted.kind != given.kind or wanted.name != given.name:
        return False
    if wanted.kind == "type":
        return True
    return len(wanted.parameters) == len(given.parameters) and all(
        _fits(a, b, bound) for a, b in zip(wanted.parameters, given.parameters, strict=True)
    )


class Checker:
    """Checks one expression; `issues` are what it found."""

    def __init__(
        self,
        functions: FunctionTable,
        variables: Mapping[str, Type],
        find_type: Callable[[str], Type | None],
    ) -> None:
        self._functions = functions
        self._scopes: list[Mapping[str, Type]] = [variables]
        self._find_type = find_type
        self.issues: list[Issue] = []
        self.used: set[str] = set()
        """The declared variables that the expression names."""

    def check(self, node: Node) -> Type:
        node.type = self._checked(node)
        return node.type

    def _report(self, offset: int, message: str) -> Type:
        self.issues.append(Issue(offset, message))
        return ERROR

    def _checked(self, node: Node) -> Type:
        match node:
            case Literal():
                return type_of(node.value)
            case Identifier():
                return self._identifier(node)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListLiteral():
                return self._list(node)
            case MapLiteral():
                return self._map(node)
            case StructLiteral():
                return self._struct(node)
            case Comprehension():
                return self._comprehension(node)
            case Bind():
                value = self.check(node.value)
                return self._within({node.name: value}, node.body)
            case OptionalMap():
                return self._optional_map(node)

    # --- names ---

    def _lookup(self, name: str) -> Type | None:
        for depth in range(len(self._scopes) - 1, -1, -1):
            if name in self._scopes[depth]:
                if depth == 0:
                    self.used.add(name)
                return self._scopes[depth][name]
        return None

    def _identifier(self, node: Identifier) -> Type:
        found = self._lookup(node.name)
        if found is not None:
            return found
        named = self._find_type(node.name)
        if named is not None:
            node.constant = named
            return type_of_type(named)
        return self._report(node.offset, f"undeclared reference to '{node.name}' (in container '')")

    def _select(self, node: Select) -> Type:
        name = qualified_name(node)
        declared = self._lookup(name) if name else None
        if declared is not None:
            node.variable = name
            return declared
        if name and self._lookup(name.partition(".")[0]) is None:
            named = self._find_type(name)
            if named is not None:
                node.constant = named
                return type_of_type(named)
        operand = self.check(node.operand)
        optional = operand.name == "optional_type"
        target = operand.parameters[0] if optional else operand
        found = self._field(node, target)
        if node.test:
            return BOOL
        return optional_of(found) if (optional or node.optional) and found is not ERROR else found

    def _field(self, node: Select, target: Type) -> Type:
        if target.kind == "map":
            key = target.parameters[0]
            if not (is_dyn(key) or key.kind == "string"):
                return self._report(node.offset, f"type '{target}' does not support field selection")
            return target.parameters[1]
        if isinstance(target, ObjectType):
            field = target.fields.get(node.field)
            if field is None:
                return self._report(node.offset, f"undefined field '{node.field}'")
            node.key = field.key or node.field
            return field.type
        if is_dyn(target):
            return target
        return self._report(node.offset, f"type '{target}' does not support field selection")

    # --- calls ---

    def _call(self, node: Call) -> Type:
        if node.target is not None:
            space = qualified_name(node.target)
            if space and f"{space}.{node.function}" in self._functions and self._lookup(space) is None:
                node.function, node.target = f"{space}.{node.function}", None
        member = node.target is not None
        given = [self.check(each) for each in node.operands]
        candidates = self._functions.named(node.function)
        if not candidates:
            return self._report(node.offset, f"undeclared reference to '{node.function}' (in container '')")
        return self._resolve(node, candidates, given, member)

    def _resolve(self, node: Call, candidates: Sequence[Overload], given: Sequence[Type], member: bool) -> Type:
        result: Type | None = None
        fitting: list[Overload] = []
        for overload in candidates:
            if overload.member is not member or len(overload.arguments) != len(given):
                continue
            bound: Bindings = {}
            if all(_fits(wanted, each, bound) for wanted, each in zip(overload.arguments, given, strict=True)):
                fitting.append(overload)
                made = _substitute(overload.result, bound)
                result = made if result is None or made == result else DYN
        node.overloads = fitting
        if result is not None:
            return result
        if ERROR in given:
            return ERROR
        return self._report(node.offset, _no_overload(node.function, given, member))

    # --- literals ---

    def _list(self, node: ListLiteral) -> Type:
        common: Type | None = None
        for i, element in enumerate(node.elements):
            found = self.check(element)
            if i in node.optional:
                found = self._opened(element, found)
            common = self._join(common, found, element)
        return list_of(_FREE if common is None else common)

    def _map(self, node: MapLiteral) -> Type:
        keys: Type | None = None
        values: Type | None = None
        for key, value, optional in node.entries:
            keys = self._join(keys, self.check(key), key)
            found = self.check(value)
            values = self._join(values, self._opened(value, found) if optional else found, value)
        return map_of(
            _FREE if keys is None else keys,
            _FREE if values is None else values,
        )

    def _opened(self, node: Node, found: Type) -> Type:
        """What an optional element holds."""
        if found.name == "optional_type":
            return found.parameters[0]
        return DYN if is_dyn(found) else self._report(node.offset, f"expected type 'optional_type' but found '{found}'")

    def _join(self, common: Type | None, found: Type, node: Node) -> Type:
        """Elements are of one type, unless one of them may be anything."""
        if common is None or is_dyn(found):
            return found
        if is_dyn(common) or _fits(common, found, {}):
            return common
        if _fits(found, common, {}):
            return found
        return self._report(node.offset, f"expected type '{common}' but found '{found}'")

    def _struct(self, node: StructLiteral) -> Type:
        named = self._find_type(node.name)
        if named is None:
            for _, value, _, _ in node.entries:
                self.check(value)
            return self._report(node.offset, f"undeclared reference to '{node.name}' (in container '')")
        if not isinstance(named, ObjectType):
            return self._report(node.offset, f"'{node.name}' is not a message type")
        for name, value, optional, at in node.entries:
            found = self.check(value)
            if optional:
                found = self._opened(value, found)
            field = named.fields.get(name)
            if field is None:
                self._report(at, f"undefined field '{name}'")
            elif not _fits(field.type, found, {}):
                self._report(at, f"expected type of field '{name}' is '{field.type}' but provided type is '{found}'")
        return named

    # --- macros ---

    def _within(self, variables: Mapping[str, Type], node: Node) -> Type:
        self._scopes.append(variables)
        found = self.check(node)
        self._scopes.pop()
        return found

    def _comprehension(self, node: Comprehension) -> Type:
        over = self.check(node.range)
        variables = self._ranged(node, over)
        if node.predicate is not None:
            found = self._within(variables, node.predicate)
            if not _fits(BOOL, found, {}):
                self._not_bool(node, found)
        if node.transform is None:
            return BOOL if node.macro != "filter" else list_of(next(iter(variables.values())))
        made = self._within(variables, node.transform)
        if node.macro == "transformMap":
            return map_of(next(iter(variables.values())), made)
        if node.macro == "transformMapEntry":
            return (
                made
                if made.kind == "map" or is_dyn(made)
                else self._report(
                    node.transform.offset, f"found no matching overload for 'cel.@mapInsert' applied to '({made})'"
                )
            )
        return list_of(made)

    def _ranged(self, node: Comprehension, over: Type) -> Mapping[str, Type]:
        if over.kind == "list":
            types = [over.parameters[0]] if len(node.variables) == 1 else [INT, over.parameters[0]]
        elif over.kind == "map":
            types = list(over.parameters)
        elif is_dyn(over):
            types = [DYN, DYN]
        else:
            why = f"expression of type '{over}' cannot be range of a comprehension (must be list, map, or dynamic)"
            self._report(node.range.offset, why)
            types = [ERROR, ERROR]
        # An empty literal has elements of any type.
        types = [DYN if each.kind == "param" else each for each in types]
        return dict(zip(node.variables, types, strict=False))

    def _not_bool(self, node: Comprehension, found: Type) -> None:
        """The words of the operator that cel-go would have put there."""
        assert node.predicate is not None
        if node.macro in ("all", "exists"):
            function, given = ("_&&_" if node.macro == "all" else "_||_"), [BOOL, found]
        else:
            kept = INT if node.macro == "exists_one" else list_of(DYN)
            function, given = "_?_:_", [found, kept, kept]
        self._report(node.offset, _no_overload(function, given, False))

    def _optional_map(self, node: OptionalMap) -> Type:
        target = self.check(node.target)
        if target.name != "optional_type" and not is_dyn(target):
            name = "optFlatMap" if node.flat else "optMap"
            return self._report(node.offset, _no_overload("hasValue" if name else name, [target], True))
        held = target.parameters[0] if target.parameters else DYN
        made = self._within({node.name: held}, node.body)
        if not node.flat:
            return optional_of(made)
        if made.name != "optional_type" and not is_dyn(made):
            return self._report(node.offset, _no_overload("_?_:_", [BOOL, made, optional_of(DYN)], False))
        return made


def _no_overload(function: str, given: Sequence[Type], member: bool) -> str:
    shown = [_shown(each) for each in given]
    applied = f"{shown[0]}.({', '.join(shown[1:])})" if member else f"({', '.join(shown)})"
    return f"found no matching overload for '{function}' applied to '{applied}'"


def _shown(of: Type) -> str:
    return str(_substitute(of, {}))
