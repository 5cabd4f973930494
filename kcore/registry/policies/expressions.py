"""Expressions of policies and match conditions: what they may name, and what they must come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from kcore.cel import CompileError, Environment, PlanError, Program
from kcore.cel.libraries.authorizer import AUTHORIZER_TYPE, RESOURCE_CHECK
from kcore.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    UINT,
    Field,
    ObjectType,
    Type,
    list_of,
    map_of,
)
from kcore.registry.policies.patches import JSON_PATCHES, OBJECT, find_patch_type
from kcore.registry.policies.types import NAMESPACE, REQUEST

__all__ = [
    "ANYTHING",
    "CONDITION",
    "JSON_PATCH",
    "MESSAGE",
    "PATCHED",
    "VALUE",
    "BadExpression",
    "Names",
    "UnusableExpression",
    "compile_one",
]

CONDITION = (BOOL,)
MESSAGE = (STRING,)
VALUE = (STRING, NULL)
ANYTHING: tuple[Type, ...] = ()
PATCHED = (OBJECT,)
JSON_PATCH = (JSON_PATCHES,)

_SIMPLE = frozenset((BOOL, BYTES, DOUBLE, DURATION, DYN, INT, NULL, STRING, TIMESTAMP, UINT))


class BadExpression(Exception):
    """It cannot be compiled, or comes to the wrong type; the message is upstream's."""


class UnusableExpression(BadExpression):
    """It can be compiled and yet have no value, whatever it is about."""


class Names(NamedTuple):
    """What an expression may name beside the object, the request and the namespace."""

    params: Type | None = None
    """Their type; None: there are none."""
    authorizer: bool = False
    patches: bool = False
    variables: tuple[tuple[str, Type], ...] | None = None
    """Those that are known so far; None: there will be none."""
    object: Type = DYN

    @classmethod
    def of(cls, *, params: bool, authorizer: bool = True, patches: bool = False, variables: bool = False) -> Names:
        """Those of an expression that knows no types. `variables`: there will be some."""
        return cls(DYN if params else None, authorizer, patches, () if variables else None)

    def with_variable(self, name: str, type_: Type) -> Names:
        """Later variables may name earlier ones."""
        return self._replace(variables=(*(self.variables or ()), (name, _declared(type_))))


def _declared(type_: Type) -> Type:
    """As what a variable's value is known to others: only simple types and collections of such."""
    if type_ in _SIMPLE:
        return type_
    if type_.kind == "list":
        return list_of(_declared(type_.parameters[0]))
    if type_.kind == "map":
        key, value = type_.parameters
        return map_of(_declared(key), _declared(value))
    return DYN


@lru_cache(256)
def _environment(names: Names) -> Environment:
    variables: dict[str, Type] = {
        "object": names.object,
        "oldObject": names.object,
        "namespaceObject": NAMESPACE,
        "request": REQUEST,
    }
    if names.params is not None:
        variables["params"] = names.params
    if names.authorizer:
        variables["authorizer"] = AUTHORIZER_TYPE
        variables["authorizer.requestResource"] = RESOURCE_CHECK
    if names.variables is not None:
        fields = {name: Field(type_) for name, type_ in names.variables}
        variables["variables"] = ObjectType.named("kubernetes.variables", fields)
    return Environment(variables, find_patch_type if names.patches else None)


@lru_cache(4096)
def compile_one(text: str, names: Names, results: Sequence[Type] = ANYTHING) -> Program:
    """Raises BadExpression. Cached: what was compiled to be checked is compiled again to be used."""
    try:
        checked = _environment(names).check(text)
    except CompileError as e:
        raise BadExpression(f"compilation failed: {e}") from None
    if results and not any(_exactly(checked.type, wanted) for wanted in results):
        named = str(results[0]) if len(results) == 1 else f"one of [{' '.join(r.runtime_name for r in results)}]"
        raise BadExpression(f"must evaluate to {named} but got {checked.type}")
    try:
        return checked.program()
    except PlanError as e:
        raise UnusableExpression(f"program instantiation failed: {e}") from None


def _exactly(a: Type, b: Type) -> bool:
    if a.kind != b.kind or a.name != b.name or len(a.parameters) != len(b.parameters):
        return False
    return all(map(_exactly, a.parameters, b.parameters))


def compile_variables(variables: Sequence[tuple[str, str]], names: Names) -> tuple[Mapping[str, Program], Names]:
    """Programs by name, and what expressions may name with them. Raises BadExpression."""
    programs: dict[str, Program] = {}
    for name, text in variables:
        program = programs[name] = compile_one(text, names)
        names = names.with_variable(name, program.result)
    return programs, names
