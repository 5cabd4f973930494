"""From a checked tree to closures, and what running them costs.

Each node becomes a function of a frame. Costs that are known beforehand are summed up while compiling and charged
where a piece of the program begins (the whole, a branch, a turn of a loop); only what depends on the size of values is
charged by the calls themselves. So a small rule pays for one addition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from kcore.cel.calls import (
    constant_members,
    dispatch,
    folded,
    is_quick,
    membership,
    plain_call,
    priced_call,
    quick_equality,
    short_circuit,
    with_bound_pattern,
)
from kcore.cel.cost import CALL_LIMIT, LIST_COST, MAP_COST, STRUCT_COST, price_of
from kcore.cel.errors import no_such_overload
from kcore.cel.fields import field_of_object, optional_selection, presence, selection
from kcore.cel.frames import END, PENDING, SPENT, VARIABLES, Code, Frame, Run, constant
from kcore.cel.loops import (
    collect_list,
    collect_map,
    exactly_one,
    make_map,
    pair_of,
    pairs_of,
    present_elements,
    quantifier,
)
from kcore.cel.program import Program
from kcore.cel.standard import index
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
)
from kcore.cel.types import ObjectType, is_dyn
from kcore.cel.values import NONE, Optional

__all__ = ["compile_program"]


def compile_program(text: str, node: Node, variables: Iterable[str], limit: int = CALL_LIMIT) -> Program:
    """`node` has been checked; `variables` are those that it uses."""
    names = list(variables)
    compiler = _Compiler(names)
    code = compiler.code(node)
    return Program(text, node.type, code, names, compiler.slots - len(names), limit)


class _Compiler:
    def __init__(self, names: Sequence[str]) -> None:
        self._scopes: list[dict[str, Run]] = [{name: itemgetter(i + VARIABLES) for i, name in enumerate(names)}]
        self.slots = len(names)

    def _slot(self) -> int:
        self.slots += 1
        return self.slots - 1 + VARIABLES

    def code(self, node: Node) -> Code:
        match node:
            case Literal():
                return constant(node.value)
            case Identifier():
                if node.constant is not None:
                    return constant(node.constant)
                return Code(next(scope[node.name] for scope in reversed(self._scopes) if node.name in scope), 1)
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
                return self._bind(node)
            case OptionalMap():
                return self._optional_map(node)

    def _within(self, variables: Mapping[str, Run], node: Node) -> Code:
        self._scopes.append(dict(variables))
        code = self.code(node)
        self._scopes.pop()
        return code

    def _select(self, node: Select) -> Code:
        if node.constant is not None:
            return constant(node.constant)
        if node.variable:
            return Code(self._scopes[0][node.variable], 1)
        code = self.code(node.operand)
        operand, cost = code.run, code.cost
        key, known = node.key or node.field, bool(node.key)
        if node.test:
            return Code(presence(operand, key, known), cost)
        if node.optional or node.operand.type.name == "optional_type":
            return Code(optional_selection(operand, key, known), cost + 1)
        return Code(field_of_object(operand, key) if known else selection(operand, key), cost + 1)

    # --- calls ---

    def _call(self, node: Call) -> Code:
        special = _SPECIAL.get(node.function)
        if special is not None and node.target is None:
            return special(self, node)
        if node.function in ("or", "orValue") and node.target is not None:
            return self._optional_or(node)
        codes = [self.code(each) for each in node.operands]
        cost = sum(code.cost for code in codes)
        if node.function in ("_[_]", "_[?_]") and _is_attribute(node.operands[1]):
            cost -= 1  # an attribute as index counts for its qualifiers alone
        runs = [code.run for code in codes]
        single = len(node.overloads) == 1 and not any(map(_uncertain, node.operands))
        if node.function == "_[_]":
            return Code(plain_call(index, codes), cost + 1)
        if not single:
            return self._dispatched(node, runs, cost)
        overload = node.overloads[0]
        known = folded(node, overload)
        if known is not END:
            return constant(known)
        if node.function == "@in" and (members := constant_members(node.operands[1])) is not None:
            return Code(membership(runs[0], members), cost)
        price = price_of(overload.name, overload.id)
        if overload.id in ("equals", "not_equals") and is_quick(node):
            return quick_equality(
                overload.id, runs[0], runs[1], cost, measured=node.operands[0].type.kind in ("string", "bytes")
            )
        run = with_bound_pattern(node, overload)
        if price is None:
            return Code(plain_call(run, codes), cost + 1)
        return Code(priced_call(run, runs, price), cost)

    def _dispatched(self, node: Call, runs: Sequence[Run], cost: int) -> Code:
        """The overload is found by what the arguments are, when they are known."""
        choices = [(each, price_of(each.name, each.id)) for each in node.overloads]
        return Code(dispatch(choices, runs), cost)

    def logic(self, node: Call) -> Code:
        left, right = (self.code(each) for each in node.arguments)
        decisive = node.function == "_||_"
        return Code(short_circuit(left.run, right.run, right.cost, decisive), left.cost)

    def conditional(self, node: Call) -> Code:
        condition, yes, no = (self.code(each) for each in node.arguments)
        # Attributes as branches count for their qualifiers alone.
        yes_cost, no_cost = (
            code.cost - _is_attribute(branch) for code, branch in zip((yes, no), node.arguments[1:], strict=True)
        )
        choose = condition.run
        yes_run, no_run = yes.run, no.run

        def run(f: Frame) -> Any:
            chosen = choose(f)
            if chosen is True:
                f[SPENT] += yes_cost
                return yes_run(f)
            if chosen is False:
                f[SPENT] += no_cost
                return no_run(f)
            raise no_such_overload()

        return Code(run, condition.cost)

    def _optional_or(self, node: Call) -> Code:
        assert node.target is not None
        target, other = self.code(node.target), self.code(node.arguments[0])
        first, second, cost, unwrap = target.run, other.run, other.cost, node.function == "orValue"

        def run(f: Frame) -> Any:
            found = first(f)
            if type(found) is not Optional:
                raise no_such_overload()
            if found.present:
                return found.value if unwrap else found
            f[SPENT] += cost
            return second(f)

        return Code(run, target.cost)

    # --- literals ---

    def _list(self, node: ListLiteral) -> Code:
        codes = [self.code(each) for each in node.elements]
        runs = [code.run for code in codes]
        if all(isinstance(each, Literal) for each in node.elements) and not node.optional:
            return constant([each.value for each in node.elements])  # type: ignore[union-attr]
        cost = LIST_COST + sum(code.cost for code in codes)
        if node.optional:
            marked = [(run, i in node.optional) for i, run in enumerate(runs)]
            return Code(lambda f: list(present_elements(f, marked)), cost)
        return Code(lambda f: [run(f) for run in runs], cost)

    def _map(self, node: MapLiteral) -> Code:
        entries = [(self.code(key), self.code(value), optional) for key, value, optional in node.entries]
        cost = MAP_COST + sum(key.cost + value.cost for key, value, _ in entries)
        runs = [(key.run, value.run, optional) for key, value, optional in entries]
        return Code(lambda f: make_map(f, runs), cost if runs else 0)

    def _struct(self, node: StructLiteral) -> Code:
        made = node.type
        assert isinstance(made, ObjectType)
        codes = [(made.fields[name].key or name, self.code(value), opt) for name, value, opt, _ in node.entries]
        cost = STRUCT_COST + sum(code.cost for _, code, _ in codes)
        entries = [(constant(name).run, code.run, optional) for name, code, optional in codes]
        construct = made.construct
        if construct is None:
            return Code(lambda f: make_map(f, entries), cost)
        return Code(lambda f: construct(make_map(f, entries)), cost)

    # --- macros ---

    def _comprehension(self, node: Comprehension) -> Code:
        over = self.code(node.range)
        slot = self._slot()
        variables: dict[str, Run]
        if len(node.variables) == 1:
            turns, variables = over.run, {node.variables[0]: itemgetter(slot)}
        else:
            turns, variables = pairs_of(over.run), dict(zip(node.variables, pair_of(slot), strict=True))
        predicate = self._within(variables, node.predicate) if node.predicate is not None else None
        transform = self._within(variables, node.transform) if node.transform is not None else None
        if node.macro in ("all", "exists"):
            assert predicate is not None
            return Code(quantifier(turns, slot, predicate, node.macro == "exists"), over.cost + 1)
        if node.macro == "exists_one":
            assert predicate is not None
            return Code(exactly_one(turns, slot, predicate), over.cost + 2)
        if node.macro == "filter":
            transform = Code(itemgetter(slot), 1)
        assert transform is not None
        if node.macro.startswith("transformMap"):
            key = variables[node.variables[0]] if node.macro == "transformMap" else None
            return Code(collect_map(turns, slot, predicate, key, transform), over.cost + 1)
        return Code(collect_list(turns, slot, predicate, transform), over.cost + 1)

    def _bind(self, node: Bind) -> Code:
        code = self.code(node.value)
        value, cost = code.run, code.cost
        slot = self._slot()

        def lookup(f: Frame) -> Any:
            found = f[slot]
            if found is PENDING:
                f[SPENT] += cost
                found = f[slot] = value(f)
            return found

        body = self._within({node.name: lookup}, node.body)
        inner = body.run

        def run(f: Frame) -> Any:
            f[slot] = PENDING
            return inner(f)

        return Code(run, body.cost)

    def _optional_map(self, node: OptionalMap) -> Code:
        target, slot, flat = self.code(node.target), self._slot(), node.flat
        body = self._within({node.name: itemgetter(slot)}, node.body)
        first, inner = target.run, body.run
        # Spelled out it would ask for the target twice: once whether it is there, once for its value.
        cost = target.cost + body.cost + (1 if flat else 2)

        def run(f: Frame) -> Any:
            found = first(f)
            if type(found) is not Optional:
                raise no_such_overload()
            if not found.present:
                return NONE
            f[SPENT] += cost
            f[slot] = found.value
            made = inner(f)
            return made if flat else Optional(True, made)

        return Code(run, target.cost + 1)


_SPECIAL: Mapping[str, Callable[[_Compiler, Call], Code]] = {
    "_&&_": _Compiler.logic,
    "_||_": _Compiler.logic,
    "_?_:_": _Compiler.conditional,
}


def _is_attribute(node: Node) -> bool:
    if isinstance(node, Identifier | Select):
        return node.constant is None
    return isinstance(node, Call) and node.function in ("_[_]", "_[?_]")


def _uncertain(node: Node) -> bool:
    return is_dyn(node.type) or node.type.kind == "param"
