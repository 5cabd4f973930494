"""What makes lists and maps: literals and macros, each a plain Python loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from kcore.cel.cost import LIST_COST
from kcore.cel.errors import CostExceeded, EvaluationError, no_such_overload
from kcore.cel.frames import END, LIMIT, SPENT, Code, Frame, Run
from kcore.cel.values import Optional

__all__ = [
    "collect_list",
    "collect_map",
    "exactly_one",
    "make_map",
    "pair_turns_of",
    "present_elements",
    "quantifier",
    "turns_of",
]


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

Turns: TypeAlias = Callable[[Frame], Iterator[None]]
"""Goes through a range, with the loop's variables set at each turn."""


def turns_of(over: Run, slot: int) -> Turns:
    def turns(f: Frame) -> Iterator[None]:
        holder = over(f)
        if not isinstance(holder, list | Mapping):
            raise no_such_overload()
        for item in holder:
            f[slot] = item
            yield

    return turns


def pair_turns_of(over: Run, slots: Sequence[int]) -> Turns:
    first, second = slots

    def turns(f: Frame) -> Iterator[None]:
        holder = over(f)
        if isinstance(holder, list):
            pairs: Iterable[tuple[Any, Any]] = enumerate(holder)
        elif isinstance(holder, Mapping):
            pairs = holder.items()
        else:
            raise no_such_overload()
        for f[first], f[second] in pairs:
            yield

    return turns


def quantifier(turns: Turns, predicate: Code, decisive: bool) -> Run:
    """`exists` where `decisive` is True, `all` where it is False."""
    test = predicate.run
    condition = 3 if decisive else 2
    turn_cost = condition + 1 + predicate.cost

    def run(f: Frame) -> Any:
        error: EvaluationError | None = None
        limit = f[LIMIT]
        rest = turns(f)
        for _ in rest:
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


def exactly_one(turns: Turns, predicate: Code) -> Run:
    test, cost = predicate

    def run(f: Frame) -> bool:
        count = 0
        for _ in turns(f):
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


def collect_list(turns: Turns, predicate: Code | None, transform: Code) -> Run:
    test = predicate.run if predicate is not None else None
    cost = predicate.cost if predicate is not None else 0
    make, made_cost = transform.run, transform.cost + LIST_COST + 2

    def run(f: Frame) -> list[Any]:
        found: list[Any] = []
        for _ in turns(f):
            f[SPENT] += cost
            if test is None or _decided(test(f)):
                f[SPENT] += made_cost
                found.append(make(f))
            if f[SPENT] > f[LIMIT]:
                raise CostExceeded
        return found

    return run


def collect_map(turns: Turns, predicate: Code | None, key: Run | None, transform: Code) -> Run:
    """Without a key of its own, each turn makes a map whose entries are added."""
    test = predicate.run if predicate is not None else None
    cost = predicate.cost if predicate is not None else 0
    make, made_cost = transform.run, transform.cost + (3 if key is not None else 2)

    def run(f: Frame) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for _ in turns(f):
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
