"""The validation rules of a schema, before anything is judged by them: they must compile, and be affordable.

What a rule may cost at worst times how often its schema may occur in one object must stay below a limit, and so must
the sum of all rules of a version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kcore.api.apiextensions_v1 import JSONSchemaProps, ValidationRule
from kcore.api.field import FieldError, Path, forbidden, internal, invalid, not_supported, required
from kcore.cel.estimate import UNBOUNDED
from kcore.registry.custom.field_paths import FieldPathError, field_path
from kcore.registry.custom.rule_types import REQUEST_BYTES_MAX, Declaration, declare, escape
from kcore.registry.custom.rules import CompiledRule, compile_rules, correlates
from kcore.registry.validation.internal_forms import internal_rule

__all__ = ["rule_errors", "rule_faults"]

RULE_LIMIT = 10_000_000
TOTAL_LIMIT = 100_000_000
_WORTH_TELLING = TOTAL_LIMIT // 100
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_ADVICE = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are "
    "declared)"
)
_BREAK = re.compile(r"[\n\r]")


def rule_faults(s: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    """What is wrong with how the rules of one schema are written."""
    for i, rule in enumerate(s.x_kubernetes_validations):
        at = path / "x-kubernetes-validations" @ i
        yield from _rule_faults(rule, at)
        if rule.field_path:
            yield from _path_faults(rule.field_path, s, at / "fieldPath")


def _rule_faults(rule: ValidationRule, at: Path) -> Iterator[FieldError]:
    text, message = rule.rule.strip(), rule.message.strip()
    if not text:
        yield required(at / "rule")
    elif rule.message and not message:
        yield invalid(at / "message", rule.message, "must be non-empty if specified")
    elif _BREAK.search(message):
        yield invalid(at / "message", rule.message, "must not contain line breaks")
    elif _BREAK.search(text) and not message:
        yield required(at / "message", "must be specified if rule contains line breaks")
    if rule.message_expression and not rule.message_expression.strip():
        yield required(at / "messageExpression", "must be non-empty if specified")
    if rule.reason is not None and rule.reason not in _REASONS:
        yield not_supported(at / "reason", rule.reason, _REASONS)


def _path_faults(text: str, s: JSONSchemaProps, at: Path) -> Iterator[FieldError]:
    if not text.strip():
        yield invalid(at, text, "must be non-empty if specified")
    if _BREAK.search(text):
        yield invalid(at, text, "must not contain line breaks")
    try:
        field_path(text, s)
    except FieldPathError:
        yield invalid(at, text, "must be a valid path")


def rule_errors(schema: JSONSchemaProps, path: Path, faulty: Sequence[str]) -> Iterator[FieldError]:
    """Rules that do not compile, or cost too much. Where one of `faulty` is at or below a schema, its rules wait."""
    total = _Total(faulty)
    yield from _Scope(total).errors(schema, path, declare(schema, "selfType", root=True))
    if total.sum > TOTAL_LIMIT:
        for at, _ in total.dearest:
            why = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
            yield forbidden(at, why)
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        yield forbidden(path, _too_dear(what, total.sum, TOTAL_LIMIT))


@dataclass(slots=True)
class _Total:
    """What all rules cost together, and which cost most."""

    faulty: Sequence[str]
    sum: int = 0
    dearest: list[tuple[Path, int]] = field(default_factory=list)

    def add(self, path: Path, cost: int) -> None:
        self.sum = min(self.sum + cost, UNBOUNDED)
        if cost >= _WORTH_TELLING:
            self.dearest = sorted([*self.dearest, (path, cost)], key=lambda each: -each[1])[:4]


@dataclass(slots=True)
class _Scope:
    """`occurrences`: how often the schema may occur in an object, None where nothing bounds that. `uncorrelated`: the
    list above whose elements have no former selves."""

    total: _Total
    occurrences: int | None = 1
    uncorrelated: Path | None = None

    def errors(self, s: JSONSchemaProps, path: Path, declared: Declaration | None) -> Iterator[FieldError]:
        below = self._below(s)
        if isinstance(s.additional_properties, JSONSchemaProps):
            at = path / "additionalProperties"
            yield from below.errors(s.additional_properties, at, declared.items if declared else None)
        for name in sorted(s.properties):
            prop, at = s.properties[name], (path / "properties").key(name)
            yield from below.errors(prop, at, _declared_property(name, prop, declared))
        if isinstance(s.items, JSONSchemaProps):
            apart = correlates(s) or self.uncorrelated is not None
            within = below if apart else _Scope(self.total, below.occurrences, path)
            yield from within.errors(s.items, path / "items", declared.items if declared else None)
        if s.x_kubernetes_validations and not any(_is_within(field, path) for field in self.total.faulty):
            yield from self._own(s, path / "x-kubernetes-validations", declared)

    def _below(self, s: JSONSchemaProps) -> _Scope:
        factor: int | None = 1
        if s.type == "array":
            factor = s.max_items
        elif s.type == "object" and s.additional_properties is not None:
            factor = s.max_properties
        if self.occurrences is None or factor is None:
            return _Scope(self.total, None, self.uncorrelated)
        return _Scope(self.total, min(self.occurrences * max(factor, 0), UNBOUNDED), self.uncorrelated)

    def _own(self, s: JSONSchemaProps, path: Path, declared: Declaration | None) -> Iterator[FieldError]:
        if declared is None:
            why = (
                "internal error: failed to construct type information for x-kubernetes-validations rules: "
                "unable to convert structural schema to CEL declarations"
            )
            yield internal(path, why)
            return
        occurrences = self.occurrences
        if occurrences is None:
            occurrences = REQUEST_BYTES_MAX // (declared.least_bytes + 1)
        for i, compiled in enumerate(compile_rules(s, declared)):
            yield from self._rule(compiled, path @ i, occurrences)

    def _rule(self, compiled: CompiledRule, at: Path, occurrences: int) -> Iterator[FieldError]:
        rule, cost = compiled.rule, min(compiled.cost * occurrences, UNBOUNDED)
        if cost > RULE_LIMIT:
            yield forbidden(at / "rule", _too_dear("estimated rule cost", cost, RULE_LIMIT))
        self.total.add(at / "rule", cost)
        if compiled.error:
            yield invalid(at / "rule", internal_rule(rule), compiled.error)
        if compiled.message_error:
            yield invalid(at / "messageExpression", internal_rule(rule), compiled.message_error)
        elif compiled.message is not None:
            if compiled.message_cost > RULE_LIMIT:
                why = _too_dear("estimated messageExpression cost", compiled.message_cost, RULE_LIMIT)
                yield forbidden(at / "messageExpression", why)
            self.total.add(at / "messageExpression", compiled.message_cost)
        if compiled.uses_old:
            if self.uncorrelated is not None:
                why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {self.uncorrelated}"
                yield invalid(at / "rule", rule.rule, why)
        elif rule.optional_old_self is not None:
            why = "may not be set if oldSelf is not used in rule"
            yield invalid(at / "optionalOldSelf", rule.optional_old_self, why)


def _is_within(field: str, path: Path) -> bool:
    return field.startswith(path.text) and field[len(path.text) :][:1] in ("", ".", "[")


def _declared_property(name: str, s: JSONSchemaProps, outer: Declaration | None) -> Declaration | None:
    escaped = escape(name)
    found = outer.fields.get(escaped) if outer is not None and escaped is not None else None
    return found or declare(s, "selfType", root=s.x_kubernetes_embedded_resource)


def _too_dear(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    rounded = f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    return f"{what} exceeds budget by factor of {'more than 100x' if factor > 100 else rounded} {_ADVICE}"
