"""A MutatingAdmissionPolicy, compiled, and how its mutations change a document (KEP-3962)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kcore.api.admissionregistration_v1 import MutatingAdmissionPolicy, Mutation
from kcore.api.errors import ApiError
from kcore.api.kind import Kind
from kcore.cel import EvaluationError, Program
from kcore.registry.managed_fields.checking import check
from kcore.registry.managed_fields.merging import merge
from kcore.registry.managed_fields.schemas import Schema, Sort
from kcore.registry.managed_fields.scopes import scope_of
from kcore.registry.patching.json_patch import apply_operations
from kcore.registry.policies.conditions import compile_conditions, hold
from kcore.registry.policies.evaluation import Evaluation, Failed, Inputs
from kcore.registry.policies.expressions import JSON_PATCH, PATCHED, Names, compile_one, compile_variables
from kcore.registry.policies.patches import operations_of, tree_of

__all__ = ["CompiledMutation", "atomic_parts"]

Tree = dict[str, Any]


class _Step(NamedTuple):
    program: Program
    applies: bool
    """Whether it makes a configuration to apply, or else operations."""


class CompiledMutation:
    def __init__(self, policy: MutatingAdmissionPolicy) -> None:
        """Raises BadExpression."""
        spec = policy.spec
        params = spec.param_kind is not None
        self._conditions = compile_conditions(spec.match_conditions, params=params)
        variables = [(variable.name, variable.expression) for variable in spec.variables]
        names = Names.of(params=params, patches=True)
        self._variables, names = compile_variables(variables, names)
        self.steps = tuple(_step(mutation, names) for mutation in spec.mutations)

    def applies_to(self, inputs: Inputs) -> bool:
        """Raises Failed."""
        return not self._conditions or hold(self._conditions, inputs)

    def changed(self, step: _Step, inputs: Inputs, document: Tree, kind: Kind) -> Tree | None:
        """What one mutation makes of a document of a kind; None: it leaves it as it is. Raises Failed."""
        made = Evaluation(inputs, self._variables).value(step.program)
        try:
            if step.applies:
                return _merged(tree_of(made), document, kind)
            return _patched(made, document)
        except EvaluationError as e:
            raise Failed(str(e)) from None


def _step(mutation: Mutation, names: Names) -> _Step:
    if mutation.apply_configuration is not None:
        return _Step(compile_one(mutation.apply_configuration.expression, names, PATCHED), applies=True)
    assert mutation.json_patch is not None
    return _Step(compile_one(mutation.json_patch.expression, names, JSON_PATCH), applies=False)


def _patched(patches: Any, document: Tree) -> Tree | None:
    operations = operations_of(patches)
    try:
        return apply_operations(document, operations)
    except ApiError as e:
        if any(operation.op == "test" for operation in operations):
            return None  # the test has said that there is nothing to do
        raise Failed(f"JSONPath: {e}") from None


def _merged(configuration: Tree, document: Tree, kind: Kind) -> Tree:
    schema = scope_of(kind).schema
    names = {"kind": document.get("kind"), "apiVersion": document.get("apiVersion")}
    if why := check(schema, configuration):
        raise Failed(f"error applying patch: failed to convert patch object to typed object: {why}")
    if atomic := list(atomic_parts(schema, configuration)):
        words = f"may not mutate atomic arrays, maps or structs: {', '.join(atomic)}"
        raise Failed(f"error applying patch: invalid ApplyConfiguration: {words}")
    return {**merge(schema, document, configuration), **names}


def atomic_parts(schema: Schema, value: Any, path: str = "") -> Iterator[str]:
    """Where a configuration speaks of parts that are owned as one: to set a piece of them would remove the rest."""
    if isinstance(value, dict) and schema.sort in (Sort.STRUCT, Sort.MAP):
        if schema.leaf:
            yield path
        for wire, held in value.items():
            child = schema.child(wire)
            if child is not None:
                yield from atomic_parts(child, held, f"{path}.{wire}")
    elif isinstance(value, list) and schema.sort is Sort.LIST:
        if schema.leaf:
            yield path
        yield from _atomic_items(schema, value, path)


def _atomic_items(schema: Schema, items: Sequence[Any], path: str) -> Iterator[str]:
    assert schema.element is not None
    for i, item in enumerate(items):
        yield from atomic_parts(schema.element, item, f"{path}[{i}]")
