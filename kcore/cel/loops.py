"""What makes lists and maps: literals and macros, each a plain Python loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kcore.cel.cost import LIST_COST
from kcore.cel.errors import CostExceeded, EvaluationError, no_such_overload
from kcore.cel.frames import END, LIMIT, SPENT, Code, Frame, Run
from kcore.cel.values import Optional, type_of

__all__ = [
    "collect_list",
    "collect_map",
    "exactly_one",
    "make_map",
    "pair_of",
    "pairs_of",
    "present_elements",
    "quantifier",
]


_GO_NAMED = frozenset(("bool", "bytes", "double", "duration", "int", "null", "string", "timestamp", "uint"))

# --- literals ---


def present_elements(f: Frame, marked: Iterable[tuple[Run, bool]]) -> Iterator[Any]:
    for run, optional in marked:
        value = run(f)
        if not optional:
            yield value
        elif not isinstance(value, Optional):
            raise no_such_overload()
        elif value.present:
            yield value.value


def make_map(f: Frame, entries: Iterable[tuple[Run, Run, bool]]) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for key_of, value_of, optional in entries:
        key, value = key_of(f), value_of(f)
        if not isinstance(key, str | int) or isinstance(key, float):
            raise EvaluationError(f"unsupported key type: {type(key).__name__}")
        if optional:
            if not isinstance(value, Optional):
                raise no_such_overload()
            if not value.present:
                continue
            value = value.value
        if key in made:
            raise EvaluationError(f"insert failed: key {key} already exists")
        made[key] = value
    return made


# --- macros ---


def pairs_of(over: Run) -> Run:
    """A range as two variables see it: of lists index and element, of maps key and value."""

    def run(f: Frame) -> Any:
        holder = over(f)
        if isinstance(holder, list):
            return list(enumerate(holder))
        if isinstance(holder, Mapping):
            return list(holder.items())
        raise _no_range(holder)

    return run


def pair_of(slot: int) -> tuple[Run, Run]:
    """The two variables, where a slot holds the pair."""
    return lambda f: f[slot][0], lambda f: f[slot][1]


def _turns(holder: Any) -> Iterator[Any]:
    if isinstance(holder, list | dict | Mapping):
        return iter(holder)
    raise _no_range(holder)


def _no_range(value: Any) -> EvaluationError:
    """Named as the Go type of the value is."""
    kind = type_of(value).kind
    named = f"types.{kind.capitalize()}" if kind in _GO_NAMED else f"*types.{type(value).__name__.lstrip('_')}"
    return EvaluationError(f"got '{named}', expected iterable type")


def quantifier(over: Run, slot: int, predicate: Code, decisive: bool) -> Run:
    """`exists` where `decisive` is True, `all` where it is False."""
    test = predicate.run
    condition = 3 if decisive else 2
    turn_cost = condition + 1 + predicate.cost

    def run(f: Frame) -> Any:
        error: EvaluationError | None = None
        limit = f[LIMIT]
        rest = _turns(over(f))
        for f[slot] in rest:
            f[SPENT] += turn_cost
            if f[SPENT] > limit:
                raise CostExceeded
            try:
                found = test(f)
            except CostExceeded:
                raise
            except EvaluationError as e:
                error = error or e
                continue
            if found is decisive:
                if next(rest, END) is not END:
                    f[SPENT] += condition
                return decisive
            if type(found) is not bool:
                error = error or no_such_overload()
        if error is not None:
            raise error
        return not decisive

    return run


def exactly_one(over: Run, slot: int, predicate: Code) -> Run:
    test, cost = predicate.run, predicate.cost

    def run(f: Frame) -> bool:
        count = 0
        turns = _turns(over(f))
        for f[slot] in turns:
            f[SPENT] += cost
            if f[SPENT] > f[LIMIT]:
                raise CostExceeded
            if _decided(test(f)):
                f[SPENT] += 2
                count += 1
        return count == 1

    return run


def _decided(value: Any) -> bool:
    if type(value) is not bool:
        raise no_such_overload()
    return value


def collect_list(over: Run, slot: int, predicate: Code | None, transform: Code) -> Run:
    test = predicate.run if predicate is not None else None
    cost = predicate.cost if predicate is not None else 0
    make, made_cost = transform.run, transform.cost + LIST_COST + 2

    def run(f: Frame) -> list[Any]:
        found: list[Any] = []
        turns = _turns(over(f))
        for f[slot] in turns:
            f[SPENT] += cost
            if test is None or _decided(test(f)):
                f[SPENT] += made_cost
                found.append(make(f))
            if f[SPENT] > f[LIMIT]:
                raise CostExceeded
        return found

    return run


def collect_map(over: Run, slot: int, predicate: Code | None, key: Run | None, transform: Code) -> Run:
    """Without a key of its own, each turn makes a map whose entries are added."""
    test = predicate.run if predicate is not None else None
    cost = predicate.cost if predicate is not None else 0
    make, made_cost = transform.run, transform.cost + (3 if key is not None else 2)

    def run(f: Frame) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        turns = _turns(over(f))
        for f[slot] in turns:
            f[SPENT] += cost
            if test is None or _decided(test(f)):
                f[SPENT] += made_cost
                made = make(f)
                entries = {key(f): made} if key is not None else made
                if not isinstance(entries, Mapping):
                    raise no_such_overload()
                for name, value in entries.items():
                    if name in found:
                        raise EvaluationError(f"insert failed: key {name} already exists")
                    found[name] = value
            if f[SPENT] > f[LIMIT]:
                raise CostExceeded
        return found

    return run
