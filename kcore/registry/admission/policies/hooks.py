"""The policies of one type that have bindings, by what they are about: found once for each kind and operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from kcore.registry.admission.forms import Forms
from kcore.registry.admission.matching import Place
from kcore.registry.admission.policies.matching import Match
from kcore.registry.mirror import Mirror
from kcore.registry.strategy import Environment
from kcore.store.store import Record

__all__ = ["Bound", "Hook", "Hooks"]

C = TypeVar("C")


class Bound(NamedTuple):
    binding: Any
    match: Match


class Hook(NamedTuple, Generic[C]):
    """A policy with those of its bindings that may be about a place."""

    policy: Any
    compiled: C
    match: Match
    bindings: Sequence[Bound]


class Hooks(Generic[C]):
    """`compile_` makes of a policy what evaluates it; that is kept for as long as the policy stays as it is."""

    def __init__(
        self, env: Environment, forms: Forms, policy: type[Any], binding: type[Any], compile_: Callable[[Any], C]
    ) -> None:
        self._scheme = env.scheme
        self._forms = forms
        self._policies = Mirror(env.store, env.scheme.of(policy).prefix())
        self._bindings = Mirror(env.store, env.scheme.of(binding).prefix())
        self._compile = compile_
        self._compiled: dict[str, tuple[Record, C]] = {}
        self._generation = -1
        self._found: dict[Place, tuple[Hook[C], ...]] = {}

    def about(self, place: Place) -> tuple[Hook[C], ...]:
        """In the order of the policies' names, and of their bindings'."""
        if self._policies.stale or self._bindings.stale or self._generation != self._scheme.generation:
            self._policies.follow()
            self._bindings.follow()
            self._found = {}
            self._compiled = {key: known for key, known in self._compiled.items() if key in self._policies.records}
            self._generation = self._scheme.generation
        found = self._found.get(place)
        if found is None:
            found = self._found[place] = tuple(self._match(place))
        return found

    def _match(self, place: Place) -> Iterator[Hook[C]]:
        bindings: dict[str, list[Any]] = {}
        for record in sorted(self._bindings.records.values(), key=lambda r: r.key):
            bindings.setdefault(record.obj.spec.policy_name, []).append(record.obj)
        for record in sorted(self._policies.records.values(), key=lambda r: r.key):
            policy = record.obj
            match = Match(policy.spec.match_constraints, place, self._forms)
            bound = (
                [
                    Bound(b, Match(b.spec.match_resources, place, self._forms))
                    for b in bindings.get(policy.metadata.name, ())
                ]
                if match.possible
                else []
            )
            bound = [b for b in bound if b.match.possible]
            if bound:
                yield Hook(policy, self._compile_once(record), match, bound)

    def _compile_once(self, record: Record) -> C:
        known = self._compiled.get(record.key)
        if known is None or known[0] is not record:
            known = self._compiled[record.key] = (record, self._compile(record.obj))
        return known[1]
