"""Which nodes a pod fits and how well, for all nodes at once, and for all pods of the same signature together.

An evaluation remembers how far it has read the columns' list of changed rows. The next pod of the signature has only
the rows judged anew that changed since, above all the one that the pod before it went to; with many changes, or where
a change moves what scores are scaled by, everything is worked out again. Plugins whose opinion of one node depends on
others (`SpanningPlugin`) are told what changed, and asked about all rows again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.diagnosis import Diagnosis, Finding
from kcore.scheduler.framework import (
    Code,
    CycleState,
    Refusal,
    Status,
)
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.profile import Judge, Profile, Scorer
from kcore.scheduler.vector import Vector

__all__ = ["Breakdown", "Evaluation", "no_time"]

FEW_ROWS = 16


def no_time() -> float:
    return 0.0


class _Scores:
    """What one plugin says of all rows. `if_zero` is what its zeros are scaled to as long as it says nothing else."""

    __slots__ = ("if_zero", "normalizer", "plugin", "raw", "scorer", "weight")

    def __init__(self, scorer: Scorer, raw: Vector) -> None:
        self.scorer = scorer
        self.plugin = scorer.plugin
        self.weight = scorer.weight
        self.normalizer = scorer.normalizer
        self.raw = raw
        self.if_zero: int | None = None


class Breakdown(NamedTuple):
    """What one plugin adds to the totals: its own scores, the same scaled, and how often that counts."""

    plugin: str
    raw: Vector
    scaled: Vector
    weight: int


class Evaluation:
    """The verdict of all plugins on one signature."""

    __slots__ = (
        "_absent_reason",
        "_checks",
        "_columns",
        "_complete",
        "_diagnosis",
        "_epoch",
        "_filters",
        "_local",
        "_names",
        "_naming",
        "_now",
        "_only_row",
        "_scores",
        "_seen",
        "_signature",
        "_skipped",
        "_spanning",
        "_times",
        "_totals",
        "feasible",
        "pod",
        "profile",
        "refusal",
        "spent",
        "state",
    )

    def __init__(
        self,
        profile: Profile,
        pod: PodInfo,
        columns: NodeColumns,
        signature: Hashable | None = None,
        now: Callable[[], float] = no_time,
        complete: bool = False,
    ) -> None:
        """`complete`: score even where there is nothing to choose."""
        self.profile = profile
        self.pod = pod
        self._times = profile.times
        self._signature = signature
        self._complete = complete
        self._now = now
        self.spent: dict[str, float] = {}
        """How many seconds each extension point took the last time."""
        self.state: CycleState = {}
        self.refusal: Status | None = None
        """What PreFilter has against the pod as such."""
        self._columns = columns
        self._totals: Vector
        self._only_row = -1
        self._scores: list[_Scores] = []
        self._diagnosis: Diagnosis | None = None
        self._epoch = self._seen = 0
        self._start()

    def refresh(self) -> None:
        """Take in what has changed since."""
        columns = self._columns
        if self._epoch != columns.epoch:
            self._start()
            return
        rows = set(columns.changes[self._seen :])
        self.spent = {}
        if not rows:
            return
        self._diagnosis = None
        # From about a 64th of the rows on, all at once cost less.
        if self._only_row >= 0 or len(rows) > max(FEW_ROWS, columns.size // 64):
            self._start()
            return
        self._seen = len(columns.changes)
        if self.refusal is None:
            began = self._now()
            self._judge_rows(rows)
            self.spent = {"Filter": self._now() - began}

    @property
    def is_quick(self) -> bool:
        """Whether it was made in no time, so that it need not be kept."""
        return self._only_row >= 0

    @property
    def totals(self) -> Vector:
        """The weighted score of each row; -1 where the pod does not fit."""
        if self._only_row < 0:
            return self._totals
        totals = self._columns.backend.ints(self._columns.size) - 1
        totals[self._only_row] = 0
        return totals

    def best_rows(self) -> list[int]:
        """The rows with the highest score; none where the pod fits nowhere."""
        return self._columns.backend.best(self.totals)

    def best_row(self, chance: Callable[[], float]) -> int:
        """One of them, by chance; -1: there is none."""
        return self._only_row if self._only_row >= 0 else self._columns.backend.one_of_best(self._totals, chance)

    def diagnose(self) -> Diagnosis:
        """Why the pod fits nowhere: for each node the reasons of the first plugin that refuses it."""
        if self._diagnosis is None:
            self._diagnosis = self._diagnose()
        return self._diagnosis

    @property
    def shared_as(self) -> Hashable | None:
        """See `framework.Ask`."""
        return None if any(judge.plugin.name in self._spanning for judge in self._filters) else self._signature

    @property
    def demand(self) -> Mapping[str, int] | None:
        """See `framework.Ask`."""
        looking = [judge for judge in self._filters if not judge.is_blind]
        room = looking[0].room if len(looking) == 1 else None
        return room.demand(self.pod) if room is not None else None

    def __call__(self, node: NodeInfo) -> Status | None:
        """What the filters say of the pod on a node as it might be: the first refusal."""
        for judge in self._filters:
            status = judge.plugin.filter(self.state, self.pod, node)
            if status is not None:
                return status._replace(plugin=judge.plugin.name)
        return None

    def share(self, pod: PodInfo) -> None:
        """Another pod of the signature asks."""
        self.pod = pod
        self.refresh()

    def _start(self) -> None:
        """Ask every plugin about every node."""
        columns = self._columns
        self._epoch, self._seen = columns.epoch, len(columns.changes)
        self._diagnosis = None
        self.state = {}
        self._skipped: set[str] = set()
        self._names: frozenset[str] | None = None
        self._absent_reason = ""
        began = self._now()
        self.refusal = self._pre_filter()
        prepared = self._now()
        self._scores = []
        self._filters, self._checks, spanning = self.profile.judges(frozenset(self._skipped))
        self._spanning = set(spanning)
        self._only_row = self._find_only()
        if self._only_row < 0:
            self._judge_all()
        filtered = self._now()
        if self._only_row < 0:
            self._combine()
        scored = self._now() - filtered
        self.spent = {"PreFilter": prepared - began, "Filter": filtered - prepared, "Score": scored}

    def _find_only(self) -> int:
        """The only row that the pod fits of the few that PreFilter names, as for the pods of a DaemonSet: there is
        nothing to choose then, so nothing to score, and no look at any other. -1: it is not as simple as that."""
        names = self._names
        if names is None or len(names) > FEW_ROWS or self._complete or self._spanning or self.refusal is not None:
            return -1
        rows = self._columns.rows
        fitting = [rows[name] for name in names if name in rows and self._fits(rows[name])]
        return fitting[0] if len(fitting) == 1 else -1

    def _judge_all(self) -> None:
        """Ask the filters that look at single nodes about all of them."""
        if self.refusal is not None:
            self._local = self._columns.backend.bools(self._columns.size)
            return
        self._local = self._candidates()
        for judge in self._filters:
            if judge.plugin.name not in self._spanning:
                for refusal in self._refusals(judge, self._local):
                    self._local = self._local & ~refusal.mask

    def _combine(self) -> None:
        """Join what concerns single nodes with what spans them, and score what is left."""
        feasible = self._local
        for judge in self._filters if self.refusal is None else ():
            if judge.plugin.name in self._spanning:
                for refusal in self._refusals(judge, feasible):
                    feasible = feasible & ~refusal.mask
        self.feasible = feasible.copy()
        if not self._columns.backend.any(feasible):
            self._totals = self._columns.backend.ints(self._columns.size) - 1
        elif self._scores:
            self._score_spanning()
            self._rescale()
        else:
            self._score()

    def _pre_filter(self) -> Status | None:
        naming = self._naming = list[str]()
        for plugin in self.profile.pre_filter:
            if self._times.measures:
                result = self._times.of("PreFilter", plugin, plugin.pre_filter, self.state, self.pod, self._columns)
            else:
                result = plugin.pre_filter(self.state, self.pod, self._columns)
            if result is None:
                continue
            if result.status is not None:
                if result.status.code is not Code.SKIP:
                    return result.status._replace(plugin=plugin.name)
                self._skipped.add(plugin.name)
            if result.nodes is not None:
                naming.append(plugin.name)
                self._names = result.nodes if self._names is None else self._names & result.nodes
        if naming:
            self._absent_reason = f"node(s) didn't satisfy plugin(s) [{' '.join(sorted(naming))}]"
        return None

    def _candidates(self) -> Vector:
        """The rows worth asking about."""
        columns = self._columns
        if self._names is None:
            return columns.alive.copy()
        mask = columns.backend.bools(columns.size)
        for name in self._names:
            row = columns.rows.get(name)
            if row is not None:
                mask[row] = True
        return mask

    def _refusals(self, judge: Judge, among: Vector) -> Sequence[Refusal]:
        plugin, columns = judge.plugin, self._columns
        if judge.columns is not None:
            asked = judge.columns.filter_columns
            return self._times.of("Filter", plugin, lambda: list(asked(self.state, self.pod, columns)))
        masks: dict[tuple[str, bool], Vector] = {}
        for row in columns.backend.rows(among):
            status = self._times.of("Filter", plugin, plugin.filter, self.state, self.pod, columns.node(row))
            for reason in status.reasons if status is not None else ():
                assert status is not None
                key = (reason, status.code is Code.UNRESOLVABLE)
                if key not in masks:
                    masks[key] = columns.backend.bools(columns.size)
                masks[key][row] = True
        return [Refusal(mask, reason, unresolvable) for (reason, unresolvable), mask in masks.items()]

    def _score(self) -> None:
        columns, skipped = self._columns, set()
        for plugin in self.profile.pre_score:
            status = self._times.of("PreScore", plugin, plugin.pre_score, self.state, self.pod, columns, self.feasible)
            if status is not None and status.code is Code.SKIP:
                skipped.add(plugin.name)
        scorers = [scorer for scorer in self.profile.score if scorer.plugin.name not in skipped]
        self._scores = [_Scores(scorer, self._raw_scores(scorer)) for scorer in scorers]
        self._spanning |= {s.plugin.name for s in self._scores if s.scorer.spans}
        self._rescale()

    def _score_spanning(self) -> None:
        """Ask those anew whose scores follow from what all nodes are like, or who are asked node by node."""
        for plugin in self.profile.pre_score:
            if plugin.name in self._spanning:
                self._times.of("PreScore", plugin, plugin.pre_score, self.state, self.pod, self._columns, self.feasible)
        for scores in self._scores:
            if scores.plugin.name in self._spanning or scores.scorer.columns is None:
                scores.raw = self._raw_scores(scores.scorer)

    def _raw_scores(self, scorer: Scorer) -> Vector:
        plugin, columns = scorer.plugin, self._columns
        if scorer.columns is not None:
            return self._times.of("Score", plugin, scorer.columns.score_columns, self.state, self.pod, columns)
        scores = columns.backend.ints(columns.size)
        for row in columns.backend.rows(self.feasible):
            scores[row] = self._times.of("Score", plugin, plugin.score, self.state, self.pod, columns.node(row))
        return scores

    def breakdown(self) -> list[Breakdown]:
        """How the totals come about."""
        return [Breakdown(s.plugin.name, s.raw, self._scaled(s), s.weight) for s in self._scores]

    def _scaled(self, scores: _Scores) -> Vector:
        if scores.normalizer is None:
            return scores.raw
        return scores.normalizer.normalize(scores.raw, self.feasible, self._columns)

    def _rescale(self) -> None:
        """Sum the scores up, each scaled and weighted."""
        columns, feasible = self._columns, self.feasible
        backend = columns.backend
        totals: Vector | None = None
        first = backend.first(feasible)
        for scores in self._scores:
            scaled = self._scaled(scores)
            if scores.normalizer is not None and not self._spanning:  # else nothing is mended in place
                flat = first >= 0 and not backend.any(feasible & (scores.raw > 0))
                scores.if_zero = int(scaled[first]) if flat else None
            weighted = scaled if scores.weight == 1 else scaled * scores.weight
            totals = weighted if totals is None else totals + weighted
        self._totals = backend.where(feasible, totals if totals is not None else 0, -1)

    def _judge_rows(self, rows: set[int]) -> None:
        """Judge a few rows anew, and all totals where what they are scaled by may have moved."""
        if self._spanning:
            self._follow(rows)
            return
        in_place = True
        for row in rows:
            fits = self._fits(row)
            if not fits and not self.feasible[row]:
                continue
            if not self._scores:
                self._start()  # the first row that fits: nothing has been scored yet
                return
            self.feasible[row] = fits
            in_place = (self._rescore(row) if fits else self._drop(row)) and in_place
        if not in_place:
            self._rescale()

    def _follow(self, rows: set[int]) -> None:
        """Judge a few rows anew by what concerns them alone, and all by the rest."""
        for plugin in self.profile.spanning:
            if plugin.name in self._spanning:
                plugin.follow(self.state, self.pod, self._columns, rows)
        for row in rows:
            self._local[row] = self._fits(row)
            if self._local[row]:
                for scores in self._scores:
                    if scores.plugin.name not in self._spanning:
                        scores.raw[row] = scores.plugin.score(self.state, self.pod, self._columns.node(row))
        self._combine()

    def _fits(self, row: int) -> bool:
        columns = self._columns
        if not columns.alive[row]:
            return False
        node = columns.node(row)
        if self._names is not None and node.name not in self._names:
            return False
        if not self._times.measures:
            return all(check(self.state, self.pod, node) is None for check in self._checks)
        times = self._times
        plugins = [judge.plugin for judge in self._filters if not judge.spans]
        return all(times.of("Filter", one, one.filter, self.state, self.pod, node) is None for one in plugins)

    def _drop(self, row: int) -> bool:
        """The pod fits this row no more; False: it may have held the score that all others are scaled by."""
        self._totals[row] = -1
        return all(s.if_zero is not None or s.normalizer is None for s in self._scores)

    def _rescore(self, row: int) -> bool:
        """Score one row; False: its total depends on that of others."""
        node, total, in_place = self._columns.node(row), 0, True
        for scores in self._scores:
            plugin = scores.plugin
            score = self._times.of("Score", plugin, plugin.score, self.state, self.pod, node)
            scores.raw[row] = score
            if scores.normalizer is not None:
                in_place = in_place and score == 0 and scores.if_zero is not None
                score = scores.if_zero or 0
            total += score * scores.weight
        self._totals[row] = total
        return in_place

    def _diagnose(self) -> Diagnosis:
        columns = self._columns
        if self.refusal is not None:
            return Diagnosis(columns, (self.refusal.plugin,), pre_filter=", ".join(self.refusal.reasons))
        findings: list[Finding] = []
        plugins: set[str] = set()
        remaining = self._candidates()
        if self._names is not None:
            plugins.update(self._naming)
            findings.append(Finding("", self._absent_reason, True, columns.alive & ~remaining))
        for judge in self._filters:
            refused = columns.backend.bools(columns.size)
            for refusal in self._refusals(judge, remaining):
                hit = refusal.mask & remaining
                refused = refused | hit
                findings.append(Finding(judge.plugin.name, refusal.reason, refusal.unresolvable, hit))
            if columns.backend.any(refused):
                plugins.add(judge.plugin.name)
                remaining = remaining & ~refused
        return Diagnosis(columns, plugins, findings)
