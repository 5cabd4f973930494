"""The rules in force, and the text for `iptables-restore --noflush` that leads from them to other ones.

With --noflush a chain that the text declares is emptied and filled anew, and all others stay as they are. So a change
of one endpoint costs three short chains, not the table; shared chains come along only when a line of theirs changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from kcore.proxy.iptables.chains import OURS
from kcore.proxy.iptables.layout import Block, Settings, block_of, filter_base, nat_base
from kcore.proxy.rules import Diff, Rule
from kcore.proxy.serviceport import PortName

__all__ = ["RuleTable"]

LARGE_CLUSTER_ENDPOINTS = 1000
"""Beyond so many endpoints the comments on their rules are left out."""

Chains = Mapping[str, list[str]]


class RuleTable:
    """The rules of one IP family."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rules: dict[PortName, Rule] = {}
        self._blocks: dict[PortName, Block] = {}
        self._filter: Chains = filter_base((), settings)
        self._nat: Chains = nat_base(())
        self._endpoints = 0

    def update(self, diff: Diff) -> str:
        """Take a difference over; the text that applies it, empty where nothing changes in this family."""
        before = {name: self._blocks[name] for name in (*diff.put, *diff.gone) if name in self._blocks}
        for name, rule in diff.put.items():
            if name.family == self._settings.family:
                self._put(name, rule)
        for name in diff.gone:
            self._drop(name)
        if self._comments_wanted() != self._settings.comments:
            before = self._render_again()
        old_own = _own_chains(before.values())
        own = _own_chains(self._blocks[name] for name in {*before, *diff.put} if name in self._blocks)
        nat, filter_ = nat_base(self._blocks.values()), filter_base(self._blocks.values(), self._settings)
        nat_changes = {**_changed(self._nat, nat), **_changed(old_own, own)}
        filter_changes = _changed(self._filter, filter_)
        self._nat, self._filter = nat, filter_
        return _text("filter", filter_changes) + _text("nat", nat_changes, old_own.keys() - own.keys())

    def full(self, existing: Iterable[str] = ()) -> str:
        """Everything. Chains of ours among the `existing` ones of the nat table that nobody needs any more go."""
        own = _own_chains(self._blocks.values())
        stale = [name for name in existing if name.startswith(OURS) and name not in own]
        return _text("filter", self._filter) + _text("nat", {**self._nat, **own}, stale)

    def _put(self, name: PortName, rule: Rule) -> None:
        self._drop(name)
        self._rules[name] = rule
        self._blocks[name] = block_of(rule, self._settings)
        self._endpoints += len(rule.endpoints.all)

    def _drop(self, name: PortName) -> None:
        old = self._rules.pop(name, None)
        if old is not None:
            self._endpoints -= len(old.endpoints.all)
            del self._blocks[name]

    def _comments_wanted(self) -> bool:
        return self._endpoints <= LARGE_CLUSTER_ENDPOINTS

    def _render_again(self) -> dict[PortName, Block]:
        """With or without comments now; returns what was there before."""
        before = dict(self._blocks)
        self._settings = replace(self._settings, comments=self._comments_wanted())
        self._blocks = {name: block_of(rule, self._settings) for name, rule in self._rules.items()}
        return before


def _own_chains(blocks: Iterable[Block]) -> dict[str, list[str]]:
    return {name: rules for block in blocks for name, rules in block.chains.items()}


def _changed(old: Chains, new: Chains) -> dict[str, list[str]]:
    return {name: rules for name, rules in new.items() if old.get(name) != rules}


def _text(table: str, chains: Chains, gone: Iterable[str] = ()) -> str:
    """One table's part. A chain must be empty before it can go, and is: it is declared, and no rule follows."""
    gone = sorted(gone)
    if not chains and not gone:
        return ""
    lines = [f"*{table}"]
    lines += [f":{name} - [0:0]" for name in (*chains, *gone)]
    for rules in chains.values():
        lines += rules
    lines += [f"-X {name}" for name in gone]
    lines.append("COMMIT\n")
    return "\n".join(lines)
