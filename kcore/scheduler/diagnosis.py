"""Why a pod fits nowhere, and how that is told: upstream's wording, which tools and people read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import Code, Status
from kcore.scheduler.vector import Vector

__all__ = ["NO_NODES", "Diagnosis", "Finding", "fit_error"]

NO_NODES = "no nodes available to schedule pods"


class Finding(NamedTuple):
    """The rows to which a plugin objects for one reason. The plugins come in their order, each row at one of them."""

    plugin: str
    reason: str
    unresolvable: bool
    rows: Vector


class Diagnosis:
    """What was said of all nodes. It is of one moment: `statuses` and `helpable` are to be asked before rows change."""

    def __init__(
        self,
        columns: NodeColumns,
        plugins: Iterable[str],
        findings: Sequence[Finding] = (),
        pre_filter: str = "",
        others: Mapping[str, Status] | None = None,
    ) -> None:
        """`pre_filter` is what was said to the pod as a whole; `others` what extenders or Permit said of nodes that
        the filters had let pass."""
        self._columns = columns
        self._findings = findings
        self._others = others or {}
        self.plugins = frozenset(plugins)
        self.pre_filter = pre_filter
        self._statuses: dict[str, Status] | None = None

    @property
    def statuses(self) -> Mapping[str, Status]:
        """What was said of each node, by name."""
        if self._statuses is None:
            self._statuses = self._by_name()
        return self._statuses

    def reasons(self) -> Mapping[str, int]:
        """How many nodes each reason keeps the pod from."""
        counts = Counter(reason for status in self._others.values() for reason in status.reasons)
        for finding in self._findings:
            count = self._columns.backend.count(finding.rows)
            if count:
                counts[finding.reason] += count
        return counts

    def helpable(self) -> list[int]:
        """The rows of nodes that fewer pods could make fit."""
        backend = self._columns.backend
        refused, hopeless = backend.bools(self._columns.size), backend.bools(self._columns.size)
        for finding in self._findings:
            refused = refused | finding.rows
            if finding.unresolvable:
                hopeless = hopeless | finding.rows
        rows = backend.rows(refused & ~hopeless)
        for row, node in enumerate(self._columns.nodes) if self._others else ():
            status = self._others.get(node.name) if node is not None else None
            if status is not None and status.code is Code.UNSCHEDULABLE:
                rows.append(row)
        return rows

    def is_hopeless(self, row: int) -> bool:
        """Whether no pod's leaving a node would help."""
        return any(finding.unresolvable and finding.rows[row] for finding in self._findings)

    def with_others(self, others: Mapping[str, Status]) -> Diagnosis:
        """The same, and what else was said."""
        said = {**self._others, **others}
        plugins = self.plugins.union(status.plugin for status in others.values())
        return Diagnosis(self._columns, plugins, self._findings, self.pre_filter, said)

    def _by_name(self) -> dict[str, Status]:
        statuses = dict(self._others)
        for finding in self._findings:
            for row in self._columns.backend.rows(finding.rows):
                name = self._columns.node(row).name
                statuses[name] = _with(statuses.get(name), finding)
        return statuses


def _with(status: Status | None, finding: Finding) -> Status:
    """The status of a node with one more reason of the same plugin."""
    code = Code.UNRESOLVABLE if finding.unresolvable else Code.UNSCHEDULABLE
    if status is None:
        return Status(code, (finding.reason,), finding.plugin)
    hopeless = Code.UNRESOLVABLE in (status.code, code)
    return Status(
        Code.UNRESOLVABLE if hopeless else Code.UNSCHEDULABLE, (*status.reasons, finding.reason), finding.plugin
    )


def fit_error(node_count: int, reasons: Mapping[str, int], pre_filter: str = "", post_filter: str = "") -> str:
    """`0/3 nodes are available: 1 Too many pods, 2 Insufficient cpu.` and what PostFilter adds to that."""
    message = f"0/{node_count} nodes are available:"
    if pre_filter:
        message += f" {pre_filter}."
    elif reasons:
        message += f" {', '.join(sorted(f'{count} {reason}' for reason, count in reasons.items()))}."
    return f"{message} {post_filter}" if post_filter else message
