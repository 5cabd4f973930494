"""Why a pod is where it is, or nowhere: every node with what refused it or how it scored, and what preemption would do.

The verdict is of the moment of the question. A pod that has a node already is judged as if it had none. On thousands of
nodes that is much to tell, so others have their turn in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from msgspec.structs import replace

from kcore.api.core_v1 import Pod
from kcore.api.errors import BadRequest
from kcore.api.explanation_v1alpha1 import NodeVerdict, PluginScore, PodExplanation, Victim
from kcore.api.field import quote
from kcore.api.meta_v1 import ObjectMeta
from kcore.client.informer import Informer
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.diagnosis import Diagnosis, fit_error
from kcore.scheduler.evaluation import Breakdown, Evaluation
from kcore.scheduler.framework import PostFilterResult, Status
from kcore.scheduler.plugins.default_preemption import DefaultPreemption
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.profile import Profile
from kcore.scheduler.queue import SchedulingQueue
from kcore.scheduler.victims import Candidate, choose

__all__ = ["SchedulingExplainer"]

TOLD_AT_ONCE = 256
"""Of so many nodes is told before others have their turn."""


class _Verdict(NamedTuple):
    """What was found, none of which changes any more. `found` is what preemption would do."""

    evaluation: Evaluation
    diagnosis: Diagnosis
    statuses: Mapping[str, Status]
    rows: Sequence[tuple[str, int]]
    best: Sequence[str]
    found: Sequence[Candidate] | PostFilterResult = ()


class SchedulingExplainer:
    """Answers for the profiles of one scheduler."""

    def __init__(
        self, cache: SchedulerCache, queue: SchedulingQueue, profiles: Mapping[str, Profile], pods: Informer[Pod]
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._profiles = profiles
        self._pods = pods

    async def explain(self, namespace: str, name: str) -> PodExplanation | None:
        """Of a pod that exists; None: there is none."""
        pod = self._pods.get_object(namespace, name)
        if pod is None:
            return None
        unbound = replace(pod, spec=replace(pod.spec, node_name=""))
        uid = pod.metadata.uid
        explanation = await self._explain(PodInfo(unbound), is_there=True)
        return replace(
            explanation,
            state="scheduled" if pod.spec.node_name else self._queue[uid].state if uid in self._queue else "unknown",
            node_name=pod.spec.node_name,
            nominated_node_name=pod.status.nominated_node_name,
            gated_by=self._queue[uid].gated_by if uid in self._queue else "",
        )

    async def rehearse(self, pod: Pod) -> PodExplanation:
        """Of a pod that does not exist. Raises BadRequest where nobody here would schedule it."""
        info = PodInfo(pod)
        objection = self._profile(info).may_enqueue(pod)
        gated_by = objection.plugin if objection is not None else ""
        return replace(await self._explain(info, is_there=False), state="rehearsed", gated_by=gated_by)

    def _profile(self, info: PodInfo) -> Profile:
        name = info.pod.spec.scheduler_name
        profile = self._profiles.get(name)
        if profile is None:
            known = ", ".join(map(quote, self._profiles))
            raise BadRequest(f"no profile of this scheduler is named {quote(name)}; there are {known}")
        return profile

    async def _explain(self, info: PodInfo, is_there: bool) -> PodExplanation:
        profile = self._profile(info)
        verdict = await self._judge(profile, info, is_there)
        found = verdict.found
        metadata = info.pod.metadata
        explanation = PodExplanation(
            metadata=ObjectMeta(name=metadata.name, namespace=metadata.namespace, uid=metadata.uid),
            scheduler_name=profile.scheduler_name,
            candidates=tuple(verdict.best),
        )
        victims = {one.node_name: one for one in found} if not isinstance(found, PostFilterResult) else {}
        explanation = replace(explanation, nodes=tuple(await self._tell(verdict, victims)))
        if verdict.best:
            return explanation
        message = found.message if isinstance(found, PostFilterResult) else ""
        diagnosis = verdict.diagnosis
        return replace(
            explanation,
            message=fit_error(len(verdict.rows), diagnosis.reasons(), diagnosis.pre_filter, message),
            preemption=choose(victims.values()).node_name if victims else message,
        )

    async def _judge(self, profile: Profile, info: PodInfo, is_there: bool) -> _Verdict:
        """What is to be said, as of one moment: where the search for victims takes more than one turn, the last."""
        while True:
            without: AbstractContextManager[None] = self._cache.without(info.uid) if is_there else nullcontext()
            with without:
                verdict = self._look(profile, info)
            if verdict is not None:
                return verdict
            await asyncio.sleep(0)

    def _look(self, profile: Profile, info: PodInfo) -> _Verdict | None:
        """None: there is more to look at."""
        columns = self._cache.columns
        evaluation = Evaluation(profile, info, columns, complete=True)
        diagnosis = evaluation.diagnose()
        best = [columns.node(row).name for row in evaluation.best_rows()]
        found = () if best else self._preemption(profile, info, diagnosis, evaluation)
        if isinstance(found, PostFilterResult) and found.unfinished:
            return None
        return _Verdict(evaluation, diagnosis, diagnosis.statuses, sorted(columns.rows.items()), best, found)

    @staticmethod
    def _preemption(
        profile: Profile, info: PodInfo, diagnosis: Diagnosis, evaluation: Evaluation
    ) -> Sequence[Candidate] | PostFilterResult:
        for plugin in profile.post_filter:
            if isinstance(plugin, DefaultPreemption):
                return plugin.look(info, diagnosis, evaluation)
        return ()

    async def _tell(self, verdict: _Verdict, victims: Mapping[str, Candidate]) -> Sequence[NodeVerdict]:
        breakdown, told = verdict.evaluation.breakdown(), list[NodeVerdict]()
        for start in range(0, len(verdict.rows), TOLD_AT_ONCE):
            if start:
                await asyncio.sleep(0)
            for name, row in verdict.rows[start : start + TOLD_AT_ONCE]:
                told.append(_about(name, row, verdict, breakdown, victims.get(name)))
        return told


def _about(
    name: str, row: int, verdict: _Verdict, breakdown: Sequence[Breakdown], candidate: Candidate | None
) -> NodeVerdict:
    """What is to be told of one node."""
    status, diagnosis = verdict.statuses.get(name), verdict.diagnosis
    if status is None and not diagnosis.pre_filter:
        total = int(verdict.evaluation.totals[row])
        return NodeVerdict(name=name, fits=True, total=total, scores=tuple(_scores(breakdown, row)))
    return NodeVerdict(
        name=name,
        refused_by=status.plugin if status is not None else next(iter(diagnosis.plugins), ""),
        reasons=status.reasons if status is not None else (diagnosis.pre_filter,),
        victims=tuple(_victims(candidate)) if candidate is not None else (),
        pdb_violations=candidate.violations if candidate is not None else 0,
    )


def _scores(breakdown: Sequence[Breakdown], row: int) -> Iterator[PluginScore]:
    for part in breakdown:
        scaled = int(part.scaled[row])
        yield PluginScore(
            plugin=part.plugin,
            score=int(part.raw[row]),
            scaled=scaled,
            weight=part.weight,
            weighted=scaled * part.weight,
        )


def _victims(candidate: Candidate) -> Iterator[Victim]:
    for victim in candidate.victims:
        metadata = victim.pod.metadata
        yield Victim(namespace=metadata.namespace, name=metadata.name, priority=victim.priority)
