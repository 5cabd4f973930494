"""What a Stage says: which objects it is for, after how long it comes, and what becomes of them then."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from kcore.api.timestamp import TimeError, parse
from kcore.node.stages.expressions import ExpressionError, Query, compile_query
from kcore.node.stages.templates import TemplateError, compile_template

__all__ = ["Finalizers", "Patch", "Stage", "StageError", "chosen", "duration_seconds"]

_GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


class StageError(ValueError):
    """A Stage that cannot be followed; the message says which field."""


class From(msgspec.Struct, rename="camel"):
    expression_from: str = ""


class Expression(msgspec.Struct):
    key: str
    operator: str
    values: list[str] = []


class Selector(msgspec.Struct, rename="camel"):
    match_labels: dict[str, str] = {}
    match_annotations: dict[str, str] = {}
    match_expressions: list[Expression] = []


class Delay(msgspec.Struct, rename="camel"):
    duration_milliseconds: int = 0
    duration_from: From | None = None
    jitter_duration_milliseconds: int | None = None
    jitter_duration_from: From | None = None


class Finalizer(msgspec.Struct):
    value: str


class Finalizers(msgspec.Struct):
    add: list[Finalizer] = []
    remove: list[Finalizer] = []
    empty: bool = False


class Happening(msgspec.Struct):
    type: str = "Normal"
    reason: str = ""
    message: str = ""


class Patch(msgspec.Struct):
    template: str = ""
    subresource: str = ""
    root: str = ""
    type: str = ""
    """`merge`, `strategic` or `json`; empty: as fits the kind."""


class Next(msgspec.Struct, rename="camel"):
    event: Happening | None = None
    finalizers: Finalizers | None = None
    delete: bool = False
    patches: list[Patch] = []
    status_template: str = ""
    status_subresource: str = "status"


class Reference(msgspec.Struct, rename="camel"):
    api_group: str = "v1"
    kind: str = ""


class Spec(msgspec.Struct, rename="camel"):
    resource_ref: Reference
    selector: Selector | None = None
    weight: int = 0
    weight_from: From | None = None
    delay: Delay = msgspec.field(default_factory=Delay)
    next: Next = msgspec.field(default_factory=Next)
    immediate_next_stage: bool = False


class Condition(NamedTuple):
    query: Query
    operator: str
    values: Sequence[str]

    def holds(self, tree: Any) -> bool:
        found = self.query(tree)
        match self.operator:
            case "Exists":
                return bool(found)
            case "DoesNotExist":
                return not found
            case "In":
                return any(_text(value) in self.values for value in found)
            case _:
                return not any(_text(value) in self.values for value in found)


class Stage:
    """A Stage whose expressions and templates have been read."""

    def __init__(self, name: str, spec: Mapping[str, Any]) -> None:
        self.name = name
        try:
            self.spec = msgspec.convert(_plain(spec), Spec)
            self._conditions = [_condition(e) for e in self._selector().match_expressions]
            for patch in self.patches:
                compile_template(patch.template)
            for source in self._sources():
                compile_query(source)
        except (msgspec.ValidationError, ExpressionError, TemplateError) as error:
            raise StageError(f"stage {name}: {error}") from error

    @property
    def kind(self) -> str:
        return self.spec.resource_ref.kind

    @property
    def patches(self) -> Sequence[Patch]:
        """What is written when it comes: the status's template is one of them."""
        after = self.spec.next
        if not after.status_template:
            return after.patches
        return [Patch(after.status_template, after.status_subresource, "status"), *after.patches]

    def matches(self, tree: Mapping[str, Any]) -> bool:
        """Whether it is for this object. One without a selector is for none, as in KWOK."""
        if self.spec.selector is None:
            return False
        metadata, selector = tree.get("metadata") or {}, self.spec.selector
        return (
            _contains(metadata.get("labels"), selector.match_labels)
            and _contains(metadata.get("annotations"), selector.match_annotations)
            and all(condition.holds(tree) for condition in self._conditions)
        )

    def weight(self, tree: Any) -> int:
        given = self.spec.weight_from
        found = compile_query(given.expression_from)(tree) if given is not None else []
        return int(found[0]) if found and str(found[0]).isdigit() else self.spec.weight

    def delay(self, tree: Any, now: float, chance: float) -> float:
        """Seconds until it comes: its duration, or with a jitter anything between the two by `chance` (0 to 1)."""
        delay = self.spec.delay
        least = _seconds(delay.duration_from, delay.duration_milliseconds, tree, now)
        if delay.jitter_duration_milliseconds is None and delay.jitter_duration_from is None:
            return least
        most = _seconds(delay.jitter_duration_from, delay.jitter_duration_milliseconds or 0, tree, now)
        return least + chance * (most - least) if most > least else most

    def _selector(self) -> Selector:
        return self.spec.selector or Selector()

    def _sources(self) -> Iterable[str]:
        delay = self.spec.delay
        for source in (self.spec.weight_from, delay.duration_from, delay.jitter_duration_from):
            if source is not None:
                yield source.expression_from


def chosen(stages: Sequence[Stage], tree: Mapping[str, Any], chance: float) -> Stage | None:
    """Which of the stages that match an object comes next: by weight, and where none has any, each as likely."""
    matching = [stage for stage in stages if stage.matches(tree)]
    if not matching:
        return None
    weights = [stage.weight(tree) for stage in matching]
    if not any(weights):
        weights = [1] * len(matching)
    point = chance * sum(weights)
    for stage, weight in zip(matching, weights, strict=True):
        point -= weight
        if point < 0:
            return stage
    return matching[-1]


def duration_seconds(text: str) -> float | None:
    """A duration as Go writes it; None: it is none."""
    parts = _GO_DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _plain(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """A spec in its older form: later KWOKs wrap expressions in `jq`, and give `steps` in place of `next`."""
    tree: Mapping[str, Any] = _unwrapped(spec)
    steps = tree.get("steps")
    if not isinstance(steps, list):
        return tree
    after: dict[str, Any] = {"patches": []}
    for step in steps:
        if "patch" in step:
            after["patches"].append(step["patch"])
        after |= {name: step[name] for name in ("event", "finalizers") if name in step}
        if "delete" in step:
            after["delete"] = step["delete"] is not False
    return {**tree, "next": {**after, **(tree.get("next") or {})}}


def _unwrapped(tree: Any) -> Any:
    if isinstance(tree, dict):
        if set(tree) == {"jq"} and isinstance(tree["jq"], dict):
            inner = dict(tree["jq"])
            return {"expressionFrom": inner.pop("expression"), **inner} if "expression" in inner else inner
        return {name: _unwrapped(value) for name, value in tree.items()}
    return [_unwrapped(value) for value in tree] if isinstance(tree, list) else tree


def _condition(expression: Expression) -> Condition:
    if expression.operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        raise ExpressionError(f"{expression.operator!r} is not a valid operator")
    return Condition(compile_query(expression.key), expression.operator, expression.values)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _contains(given: Mapping[str, str] | None, wanted: Mapping[str, str]) -> bool:
    return all((given or {}).get(key) == value for key, value in wanted.items())


def _seconds(source: From | None, milliseconds: int, tree: Any, now: float) -> float:
    """From an expression that gives a duration or a time, if it gives anything; else as many milliseconds."""
    found = compile_query(source.expression_from)(tree) if source is not None else []
    if found and isinstance(found[0], str):
        if (seconds := duration_seconds(found[0])) is not None:
            return seconds
        try:
            return max(0.0, parse(found[0]) - now)
        except (ValueError, TimeError):
            pass
    return milliseconds / 1000
