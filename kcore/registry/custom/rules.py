"""Validation rules (`x-kubernetes-validations`): compiled when a definition is served, evaluated on every write.

A tree of `RuleNode`s follows the schema as far as there are rules; one walk goes through it, the object, and on an
update the old object beside it. Where old and new values belong together (fields of objects, elements of lists that
are maps) a rule may compare them (`oldSelf`); and where a value is as it was, a rule that it breaks is a warning
(KEP-4008).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec

from kcore.api.apiextensions_v1 import JSONSchemaProps, ValidationRule
from kcore.api.field import OMITTED, FieldError, Path, duplicate, forbidden, invalid, quote, required
from kcore.cel import (
    RUNTIME_LIMIT,
    Budget,
    CompileError,
    CostExceeded,
    Environment,
    EvaluationError,
    PlanError,
    Program,
)
from kcore.cel.estimate import estimate
from kcore.cel.types import BOOL, STRING, optional_of
from kcore.cel.values import NONE, Optional
from kcore.registry.custom.field_paths import FieldPathError, field_path
from kcore.registry.custom.rule_types import Convert, Declaration, converter, declare, escape
from kcore.registry.custom.validation import ABSENT

__all__ = ["CompiledRule", "RuleTree", "compile_rules", "correlates", "rule_tree"]

_MESSAGE_BYTES_MAX = 5 * 1024
_ROOT = Path("")
_OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


# --- compiling ---


@dataclass(slots=True)
class CompiledRule:
    """`error` and `message_error` say why there is no program."""

    rule: ValidationRule
    program: Program | None = None
    error: str = ""
    cost: int = 0
    message: Program | None = None
    message_error: str = ""
    message_cost: int = 0
    field_path: str = ""

    @property
    def uses_old(self) -> bool:
        return self.program is not None and "oldSelf" in self.program.uses


def compile_rules(s: JSONSchemaProps, declared: Declaration) -> Sequence[CompiledRule]:
    """The rules of one schema, those below it left aside."""
    environments = {
        optional: Environment(
            {"self": declared.type, "oldSelf": optional_of(declared.type) if optional else declared.type}
        )
        for optional in {bool(rule.optional_old_self) for rule in s.x_kubernetes_validations}
    }
    return [
        _compile(rule, s, declared, environments[bool(rule.optional_old_self)]) for rule in s.x_kubernetes_validations
    ]


def _compile(rule: ValidationRule, s: JSONSchemaProps, declared: Declaration, environment: Environment) -> CompiledRule:
    compiled = CompiledRule(rule)
    try:
        checked = environment.check(rule.rule)
    except CompileError as e:
        compiled.error = f"compilation failed: {e}"
        return compiled
    if checked.type != BOOL:
        compiled.error = "cel expression must evaluate to a bool"
        return compiled
    try:
        compiled.program = checked.program()
    except PlanError as e:
        compiled.error = f"program instantiation failed: {e}"
        return compiled
    compiled.cost = estimate(checked.node, declared.size_of).most
    if rule.field_path:
        with suppress(FieldPathError):
            compiled.field_path, _ = field_path(rule.field_path, s)
    if rule.message_expression:
        _compile_message(compiled, declared, environment)
    return compiled


def _compile_message(compiled: CompiledRule, declared: Declaration, environment: Environment) -> None:
    try:
        checked = environment.check(compiled.rule.message_expression)
    except CompileError as e:
        compiled.message_error = f"messageExpression compilation failed: {e}"
        return
    if checked.type != STRING:
        compiled.message_error = "messageExpression must evaluate to a string"
        return
    try:
        compiled.message = checked.program()
    except PlanError as e:
        compiled.message_error = f"messageExpression instantiation failed: {e}"
        return
    compiled.message_cost = estimate(checked.node, declared.size_of).most


def correlates(s: JSONSchemaProps) -> bool:
    """Whether elements of a list can be told apart, so that each has a former self."""
    return s.x_kubernetes_list_type == "map"


@dataclass(slots=True, eq=False)
class RuleNode:
    """The rules of one schema, and where there are more below it."""

    type: str
    rules: Sequence[CompiledRule]
    properties: Mapping[str, RuleNode] = field(default_factory=dict)
    values: RuleNode | None = None
    items: RuleNode | None = None
    list_keys: Sequence[str] = ()


@dataclass(slots=True, eq=False)
class RuleTree:
    """All rules of a version."""

    root: RuleNode
    convert: Convert | None

    def check(self, tree: Any, old: Any, warnings: list[str], path: Path = _ROOT) -> list[FieldError]:
        """Broken rules. `tree` is the whole object, or what stands at `path`; `old` the former one or ABSENT."""
        convert = self.convert or (lambda value: value)
        walk = _Walk(Budget(RUNTIME_LIMIT), [], warnings)
        walk.node(self.root, path, _Pair(tree, convert(tree)), _Pair(old, convert(old)), None)
        return walk.errors


def rule_tree(s: JSONSchemaProps) -> RuleTree | None:
    """None where there are no rules. A definition's status changes more often than its schemas do: those are known."""
    return _tree_of(msgspec.json.encode(s))


@lru_cache(maxsize=256)
def _tree_of(document: bytes) -> RuleTree | None:
    s = msgspec.json.decode(document, type=JSONSchemaProps)
    root = _node(s, declare(s, "selfType", root=True))
    return RuleTree(root, converter(s)) if root is not None else None


def _node(s: JSONSchemaProps, declared: Declaration | None) -> RuleNode | None:
    if declared is None:
        return None
    rules = [rule for rule in compile_rules(s, declared) if rule.program is not None]
    properties = {name: made for name, prop in s.properties.items() if (made := _property(name, prop, declared))}
    below, items = s.additional_properties, s.items
    node = RuleNode(
        s.type,
        rules,
        properties,
        _node(below, declared.items) if isinstance(below, JSONSchemaProps) else None,
        _node(items, declared.items) if isinstance(items, JSONSchemaProps) else None,
        s.x_kubernetes_list_map_keys if correlates(s) else (),
    )
    return node if node.rules or node.properties or node.values or node.items else None


def _property(name: str, s: JSONSchemaProps, outer: Declaration) -> RuleNode | None:
    escaped = escape(name)
    if escaped is None:
        return _node(s, declare(s, name, root=s.x_kubernetes_embedded_resource))
    return _node(s, outer.fields.get(escaped))


# --- evaluating ---


@dataclass(slots=True)
class _Pair:
    """A value as it stands in the object, and as expressions see it."""

    raw: Any
    seen: Any


_NOTHING = _Pair(ABSENT, ABSENT)


class _Stop(Exception):
    """No further rules are to be evaluated."""


@dataclass(slots=True)
class _Walk:
    budget: Budget
    errors: list[FieldError]
    warnings: list[str]

    def node(self, node: RuleNode, path: Path, new: _Pair, old: _Pair, nearest: tuple[Any, Any] | None) -> None:
        """`nearest`: the closest value above that has a former self, and that one."""
        try:
            self._visit(node, path, new, old, nearest)
        except _Stop:
            return

    def _visit(self, node: RuleNode, path: Path, new: _Pair, old: _Pair, nearest: tuple[Any, Any] | None) -> None:
        if new.raw is None:
            return
        if old.raw is not ABSENT:
            nearest = (new.raw, old.raw)
        for rule in node.rules:
            self._rule(rule, node, path, new, old, nearest)
        if isinstance(new.raw, dict):
            for key, value in new.raw.items():
                child = node.properties.get(key) or node.values
                if child is not None:
                    at = path / key if key in node.properties else path.key(key)
                    self._visit(child, at, _Pair(value, new.seen[key]), _field(old, key), nearest)
        elif isinstance(new.raw, list) and node.items is not None:
            former = _former_items(old, node.list_keys)
            for i, item in enumerate(new.raw):
                before = former.get(_identity(item, node.list_keys), _NOTHING) if former else _NOTHING
                self._visit(node.items, path @ i, _Pair(item, new.seen[i]), before, nearest)

    def _rule(
        self,
        rule: CompiledRule,
        node: RuleNode,
        path: Path,
        new: _Pair,
        old: _Pair,
        nearest: tuple[Any, Any] | None,
    ) -> None:
        optional = bool(rule.rule.optional_old_self)
        known = old.raw is not ABSENT and old.raw is not None
        if rule.uses_old and not known and not optional:
            return
        variables = {"self": new.seen}
        if optional:
            variables["oldSelf"] = Optional(True, old.seen) if known else NONE
        elif known:
            variables["oldSelf"] = old.seen
        if self._holds(rule, node, path, variables):
            return
        error = self._error(rule, node, path / rule.field_path if rule.field_path else path, new.raw, variables)
        if not rule.uses_old and nearest is not None and _unchanged(*nearest):
            self.warnings.append(str(error))
        else:
            self.errors.append(error)

    def _holds(self, rule: CompiledRule, node: RuleNode, path: Path, variables: Mapping[str, Any]) -> bool:
        """Whether there is nothing more to say of a rule."""
        assert rule.program is not None
        if self.budget.remaining <= 0:
            self._stop(path, node, _OUT_OF_BUDGET)
        try:
            result = rule.program.evaluate(variables, self.budget)
        except EvaluationError as e:
            if self.budget.remaining < 0:
                self._stop(path, node, _OUT_OF_BUDGET)
            words = _failure(e, _text(rule.rule))
            if isinstance(e, CostExceeded):
                self._stop(path, node, words)
            self.errors.append(invalid(_shown(path), node.type, words))
            return True
        if self.budget.remaining < 0:
            self._stop(path, node, _OUT_OF_BUDGET)
        return result is True

    def _stop(self, path: Path, node: RuleNode, why: str) -> None:
        self.errors.append(invalid(_shown(path), node.type, why))
        raise _Stop

    def _error(
        self, rule: CompiledRule, node: RuleNode, path: Path, value: Any, variables: Mapping[str, Any]
    ) -> FieldError:
        detail = self._message(rule, node, path, variables) or _default_message(rule.rule)
        shown = OMITTED if node.type in ("object", "array") else value
        make = _REASONS.get(rule.rule.reason or "", invalid)
        return make(_shown(path), shown, detail)

    def _message(self, rule: CompiledRule, node: RuleNode, path: Path, variables: Mapping[str, Any]) -> str:
        """What its messageExpression makes; nothing where that is no message, or fails."""
        if rule.message is None:
            return ""
        try:
            made = rule.message.evaluate(variables, self.budget)
        except CostExceeded:
            why = "no further validation rules will be run due to call cost exceeds limit for messageExpression"
            self._stop(path, node, f"{why}: {quote(rule.rule.message_expression)}")
        except EvaluationError:
            made = ""
        if self.budget.remaining < 0:
            self._stop(
                path, node, f"messageExpression evaluation failed{_OUT_OF_BUDGET.removeprefix('validation failed')}"
            )
        text = made.strip() if isinstance(made, str) else ""
        return "" if "\n" in text or len(text.encode()) > _MESSAGE_BYTES_MAX else text


def _shown(path: Path) -> Path:
    return path if path.text else Path("<nil>")


_REASONS: Mapping[str, Callable[[Path, Any, str], FieldError]] = {
    "FieldValueForbidden": lambda path, value, detail: forbidden(path, detail),
    "FieldValueRequired": lambda path, value, detail: required(path, detail),
    "FieldValueDuplicate": lambda path, value, detail: duplicate(path, value),
}


def _text(rule: ValidationRule) -> str:
    return (rule.message or rule.rule).strip()


def _default_message(rule: ValidationRule) -> str:
    return rule.message.strip() if rule.message else f"failed rule: {rule.rule.strip()}"


def _failure(error: EvaluationError, rule: str) -> str:
    if isinstance(error, CostExceeded):
        return f"'{error}': no further validation rules will be run due to call cost exceeds limit for rule: {rule}"
    if str(error).startswith("no such overload"):
        why = "call arguments did not match a supported operator, function or macro signature for rule"
        return f"'{error}': {why}: {rule}"
    return f"{error} evaluating rule: {rule}"


def _unchanged(new: Any, old: Any) -> bool:
    return type(new) is type(old) and bool(new == old)


def _field(old: _Pair, key: str) -> _Pair:
    if isinstance(old.raw, dict) and key in old.raw:
        return _Pair(old.raw[key], old.seen[key])
    return _NOTHING


def _identity(item: Any, keys: Sequence[str]) -> Any:
    return tuple(repr(item.get(key)) for key in keys) if isinstance(item, dict) else None


def _former_items(old: _Pair, keys: Sequence[str]) -> Mapping[Any, _Pair]:
    """Former elements by their keys."""
    if not keys or not isinstance(old.raw, list):
        return {}
    return {_identity(raw, keys): _Pair(raw, seen) for raw, seen in zip(old.raw, old.seen, strict=True)}
