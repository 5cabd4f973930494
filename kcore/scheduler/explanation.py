"""Why a pod is where it is, or nowhere: every node with what refused it or how it scored, and what preemption would do.

The verdict is of the moment of the question. A pod that has a node already is judged as if it had none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

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
from kcore.scheduler.framework import PostFilterResult
from kcore.scheduler.plugins.default_preemption import Candidate, DefaultPreemption, choose
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.profile import Profile
from kcore.scheduler.queue import SchedulingQueue

__all__ = ["SchedulingExplainer"]


class SchedulingExplainer:
    """Answers for the profiles of one scheduler."""

    def __init__(
        self, cache: SchedulerCache, queue: SchedulingQueue, profiles: Mapping[str, Profile], pods: Informer[Pod]
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._profiles = profiles
        self._pods = pods

    def explain(self, namespace: str, name: str) -> PodExplanation | None:
        """Of a pod that exists; None: there is none."""
        pod = self._pods.get_object(namespace, name)
        if pod is None:
            return None
        unbound = replace(pod, spec=replace(pod.spec, node_name=""))
        with self._cache.without(pod.metadata.uid):
            explanation = self._explain(PodInfo(unbound))
        uid = pod.metadata.uid
        return replace(
            explanation,
            state="scheduled" if pod.spec.node_name else self._queue[uid].state if uid in self._queue else "unknown",
            node_name=pod.spec.node_name,
            nominated_node_name=pod.status.nominated_node_name,
            gated_by=self._queue[uid].gated_by if uid in self._queue else "",
        )

    def rehearse(self, pod: Pod) -> PodExplanation:
        """Of a pod that does not exist. Raises BadRequest where nobody here would schedule it."""
        info = PodInfo(pod)
        objection = self._profile(info).may_enqueue(pod)
        gated_by = objection.plugin if objection is not None else ""
        return replace(self._explain(info), state="rehearsed", gated_by=gated_by)

    def _profile(self, info: PodInfo) -> Profile:
        name = info.pod.spec.scheduler_name
        profile = self._profiles.get(name)
        if profile is None:
            known = ", ".join(map(quote, self._profiles))
            raise BadRequest(f"no profile of this scheduler is named {quote(name)}; there are {known}")
        return profile

    def _explain(self, info: PodInfo) -> PodExplanation:
        profile = self._profile(info)
        evaluation = Evaluation(profile, info, self._cache.columns, complete=True)
        diagnosis = evaluation.diagnose()
        best = [self._cache.columns.node(row).name for row in evaluation.best_rows()]
        metadata = info.pod.metadata
        explanation = PodExplanation(
            metadata=ObjectMeta(name=metadata.name, namespace=metadata.namespace, uid=metadata.uid),
            scheduler_name=profile.scheduler_name,
            candidates=tuple(best),
        )
        if best:
            return replace(explanation, nodes=tuple(self._verdicts(evaluation, diagnosis, {})))
        found = self._preemption(profile, info, diagnosis, evaluation)
        victims = {one.node_name: one for one in found} if not isinstance(found, PostFilterResult) else {}
        message = found.message if isinstance(found, PostFilterResult) else ""
        count = self._cache.columns.count
        return replace(
            explanation,
            message=fit_error(count, diagnosis.reasons(), diagnosis.pre_filter, message),
            preemption=choose(victims.values()).node_name if victims else message,
            nodes=tuple(self._verdicts(evaluation, diagnosis, victims)),
        )

    @staticmethod
    def _preemption(
        profile: Profile, info: PodInfo, diagnosis: Diagnosis, evaluation: Evaluation
    ) -> Sequence[Candidate] | PostFilterResult:
        for plugin in profile.post_filter:
            if isinstance(plugin, DefaultPreemption):
                return plugin.look(info, diagnosis, evaluation)
        return ()

    def _verdicts(
        self, evaluation: Evaluation, diagnosis: Diagnosis, victims: Mapping[str, Candidate]
    ) -> Iterator[NodeVerdict]:
        breakdown = evaluation.breakdown()
        columns = self._cache.columns
        for name, row in sorted(columns.rows.items()):
            status = diagnosis.statuses.get(name)
            if status is None and not diagnosis.pre_filter:
                total = int(evaluation.totals[row])
                yield NodeVerdict(name=name, fits=True, total=total, scores=tuple(_scores(breakdown, row)))
                continue
            candidate = victims.get(name)
            yield NodeVerdict(
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
