"""The horizontal pod autoscaler: every fifteen seconds it measures, recommends a number of replicas, and sets it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from msgspec.structs import replace

from kcore.api.autoscaling_v1 import Scale
from kcore.api.autoscaling_v2 import (
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerCondition,
    HPAScalingRules,
    MetricSpec,
    MetricStatus,
)
from kcore.api.core_v1 import Pod
from kcore.api.errors import ApiError
from kcore.api.kind import Kind, parse_api_version
from kcore.api.object import Object
from kcore.api.quantity import parse as parse_quantity
from kcore.api.selectors import Selector, SelectorError, parse_label_selector
from kcore.api.timestamp import format_seconds
from kcore.client.informer import key_of
from kcore.client.runner import Controller, MapFunction, Result
from kcore.controllers.autoscaling.behavior import Bounds, Memory, limit, stabilize
from kcore.controllers.autoscaling.metrics import MetricsClient
from kcore.controllers.autoscaling.proposals import Measured, Target, failure_reason, failure_text, measure
from kcore.controllers.autoscaling.replicas import MetricsError, Tolerance
from kcore.controllers.context import Context

__all__ = ["HorizontalPodAutoscalerController"]

PERIOD = 15.0
BY_NAMESPACE = "namespace"
DEFAULT_TOLERANCE = 0.1


class _CannotScale(Exception):
    """Nothing can be recommended; what is to be said of it has been said."""


@dataclass(slots=True)
class _Look:
    """One look at an autoscaler; it collects what its status is to be."""

    autoscaler: HorizontalPodAutoscaler
    now: float
    conditions: dict[str, HorizontalPodAutoscalerCondition] = field(default_factory=dict)
    metrics: tuple[MetricStatus, ...] = ()

    def __post_init__(self) -> None:
        self.conditions = {c.type: c for c in self.autoscaler.status.conditions}

    def tell(self, type_: str, true: bool, reason: str, message: str) -> None:
        status, before = "True" if true else "False", self.conditions.get(type_)
        since = before.last_transition_time if before is not None and before.status == status else None
        self.conditions[type_] = HorizontalPodAutoscalerCondition(
            type=type_,
            status=status,
            reason=reason,
            message=message,
            last_transition_time=since or format_seconds(self.now),
        )


class HorizontalPodAutoscalerController(Controller):
    name = "horizontal-pod-autoscaler-controller"
    root = HorizontalPodAutoscaler

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._metrics = MetricsClient(context.client)
        self._recorder = context.events.recorder("horizontal-pod-autoscaler")
        self._autoscalers = context.informers.of(HorizontalPodAutoscaler)
        self._autoscalers.add_index(BY_NAMESPACE, lambda a: (a.metadata.namespace,))
        self._pods = context.informers.of(Pod)
        self._pods.add_index(BY_NAMESPACE, lambda pod: (pod.metadata.namespace,))
        self._memory: dict[str, Memory] = {}
        self._selectors: dict[str, Selector] = {}

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {HorizontalPodAutoscaler: self._changed}

    def reads(self) -> tuple[type[Object], ...]:
        return (Pod,)

    def _changed(self, old: HorizontalPodAutoscaler | None, new: HorizontalPodAutoscaler | None) -> Iterator[str]:
        """A status is our own; what it is about is looked at in time."""
        if old is None or new is None or old.spec != new.spec or old.metadata.uid != new.metadata.uid:
            some = new if new is not None else old
            assert some is not None
            yield key_of(some)

    async def reconcile(self, key: str) -> Result | None:
        autoscaler = self._autoscalers.get(key)
        if autoscaler is None:
            self._memory.pop(key, None)
            self._selectors.pop(key, None)
            return None
        look = _Look(autoscaler, self._clock.now())
        memory = self._memory.setdefault(key, Memory())
        with suppress(_CannotScale):
            await self._autoscale(key, look, memory)
        return Result(PERIOD)

    async def _autoscale(self, key: str, look: _Look, memory: Memory) -> None:
        kind, scale = await self._scale(look)
        current = scale.spec.replicas
        if not memory.recommendations:
            memory.note(current, look.now)
        try:
            wanted, why = await self._recommend(key, look, memory, scale)
        except _CannotScale:
            await self._write(look, current, look.autoscaler.status.desired_replicas)
            raise
        scaled = wanted != current
        if scaled:
            await self._rescale(look, memory, kind, scale, wanted, why)
        await self._write(look, current, wanted, scaled=scaled)

    async def _scale(self, look: _Look) -> tuple[Kind, Scale]:
        """What is to be scaled, as it is now."""
        autoscaler, ref = look.autoscaler, look.autoscaler.spec.scale_target_ref
        group, version = parse_api_version(ref.api_version)
        kind = self._client.scheme.find_kind(group, version, ref.kind)
        try:
            if kind is None:
                raise ApiError(f'no matches for kind "{ref.kind}" in group "{group}"')
            scale = await self._client.get_scale(kind, ref.name, autoscaler.metadata.namespace)
        except ApiError as error:
            self._recorder.event(autoscaler, "Warning", "FailedGetScale", error.message)
            message = f"the HPA controller was unable to get the target's current scale: {error.message}"
            look.tell("AbleToScale", False, "FailedGetScale", message)
            await self._write(look, autoscaler.status.current_replicas, autoscaler.status.desired_replicas)
            raise _CannotScale from error
        message = "the HPA controller was able to get the target's current scale"
        look.tell("AbleToScale", True, "SucceededGetScale", message)
        return kind, scale

    async def _recommend(self, key: str, look: _Look, memory: Memory, scale: Scale) -> tuple[int, str]:
        """How many replicas there should be, and why, should that be another number than now."""
        spec, current = look.autoscaler.spec, scale.spec.replicas
        bounds = Bounds(1 if spec.min_replicas is None else spec.min_replicas, spec.max_replicas)
        if current == 0 and bounds.minimum != 0:
            message = "scaling is disabled since the replica count of the target is zero"
            look.tell("ScalingActive", False, "ScalingDisabled", message)
            return 0, ""
        if current > bounds.maximum:
            return bounds.maximum, "Current number of replicas above Spec.MaxReplicas"
        if current < bounds.minimum:
            return bounds.minimum, "Current number of replicas below Spec.MinReplicas"
        proposed, metric = await self._propose(key, look, scale)
        why = f"{metric} above target" if proposed > current else "All metrics below target"
        steady = stabilize(memory, spec.behavior, current, proposed, look.now)
        look.tell("AbleToScale", True, steady.reason, steady.message)
        verdict = limit(memory, spec.behavior, current, steady.replicas, bounds, look.now)
        look.tell("ScalingLimited", verdict.replicas != steady.replicas, verdict.reason, verdict.message)
        return verdict.replicas, why

    async def _propose(self, key: str, look: _Look, scale: Scale) -> tuple[int, str]:
        """The largest number that a metric asks for, and that metric's name. Metrics that cannot be had keep it from
        becoming smaller than it is."""
        autoscaler = look.autoscaler
        target = self._target(key, look, scale)
        best: Measured | None = None
        statuses, failures = [], []
        for spec in autoscaler.spec.metrics:
            try:
                measured = await measure(self._metrics, spec, target, _tolerance(autoscaler), look.now)
            except MetricsError as error:
                failures.append((spec, error))
                self._recorder.event(autoscaler, "Warning", failure_reason(spec), str(error))
                statuses.append(MetricStatus())
                continue
            statuses.append(measured.status)
            if best is None or measured.replicas > best.replicas:
                best = measured
        look.metrics = tuple(statuses)
        if failures and (best is None or best.replicas < scale.spec.replicas):
            self._give_up(look, failures)
            raise _CannotScale
        assert best is not None
        message = f"the HPA was able to successfully calculate a replica count from {best.name}"
        look.tell("ScalingActive", True, "ValidMetricFound", message)
        return best.replicas, best.name

    def _give_up(self, look: _Look, failures: Sequence[tuple[MetricSpec, MetricsError]]) -> None:
        spec, error = failures[0]
        message = f"the HPA was unable to compute the replica count: {error}"
        look.tell("ScalingActive", False, failure_reason(spec), message)
        total = len(look.autoscaler.spec.metrics)
        account = f"invalid metrics ({len(failures)} invalid out of {total}), first error is: "
        self._recorder.event(
            look.autoscaler, "Warning", "FailedComputeMetricsReplicas", account + failure_text(spec, error)
        )

    def _target(self, key: str, look: _Look, scale: Scale) -> Target:
        namespace, text = look.autoscaler.metadata.namespace, scale.status.selector
        if not text:
            self._refuse(look, "SelectorRequired", "selector is required", "InvalidSelector")
            look.tell("ScalingActive", False, "InvalidSelector", "the HPA target's scale is missing a selector")
            raise _CannotScale
        try:
            selector = parse_label_selector(text)
        except SelectorError as error:
            message = f"couldn't convert selector into a corresponding internal selector object: {error}"
            self._refuse(look, "InvalidSelector", message, "InvalidSelector")
            raise _CannotScale from error
        self._selectors[key] = selector
        pods = [pod for pod in self._pods.by_index(BY_NAMESPACE, namespace) if selector.matches(pod.metadata.labels)]
        rivals = self._rivals(namespace, pods)
        if len(rivals) > 1:
            message = f"pods by selector {text} are controlled by multiple HPAs: [{' '.join(rivals)}]"
            self._refuse(look, "AmbiguousSelector", message, "AmbiguousSelector")
            raise _CannotScale
        return Target(namespace, scale.spec.replicas, scale.status.replicas, text, pods)

    def _refuse(self, look: _Look, event: str, message: str, reason: str) -> None:
        self._recorder.event(look.autoscaler, "Warning", event, message)
        look.tell("ScalingActive", False, reason, message)

    def _rivals(self, namespace: str, pods: Sequence[Pod]) -> list[str]:
        """The autoscalers of the namespace whose selectors find any of these pods."""
        found: Counter[str] = Counter()
        for autoscaler in self._autoscalers.by_index(BY_NAMESPACE, namespace):
            selector = self._selectors.get(key_of(autoscaler))
            if selector is not None and any(selector.matches(pod.metadata.labels) for pod in pods):
                found[key_of(autoscaler)] += 1
        return sorted(found)

    async def _rescale(self, look: _Look, memory: Memory, kind: Kind, scale: Scale, wanted: int, why: str) -> None:
        autoscaler, current = look.autoscaler, scale.spec.replicas
        try:
            await self._client.set_scale(kind, replace(scale, spec=replace(scale.spec, replicas=wanted)))
        except ApiError as error:
            message = f"New size: {wanted}; reason: {why}; error: {error.message}"
            self._recorder.event(autoscaler, "Warning", "FailedRescale", message)
            message = f"the HPA controller was unable to update the target scale: {error.message}"
            look.tell("AbleToScale", False, "FailedUpdateScale", message)
            await self._write(look, current, autoscaler.status.desired_replicas)
            raise
        message = f"the HPA controller was able to update the target scale to {wanted}"
        look.tell("AbleToScale", True, "SucceededRescale", message)
        self._recorder.event(autoscaler, "Normal", "SuccessfulRescale", f"New size: {wanted}; reason: {why}")
        if autoscaler.spec.behavior is not None:
            memory.note_scaling(current, wanted, look.now, autoscaler.spec.behavior)

    async def _write(self, look: _Look, current: int, desired: int, *, scaled: bool = False) -> None:
        autoscaler = look.autoscaler
        status = replace(
            autoscaler.status,
            conditions=tuple(look.conditions.values()),
            current_metrics=look.metrics or None,
            current_replicas=current,
            desired_replicas=desired,
            last_scale_time=format_seconds(look.now) if scaled else autoscaler.status.last_scale_time,
        )
        if status != autoscaler.status:
            await self._client.update(replace(autoscaler, status=status), subresource="status")


def _tolerance(autoscaler: HorizontalPodAutoscaler) -> Tolerance:
    behavior = autoscaler.spec.behavior
    if behavior is None:
        return Tolerance(DEFAULT_TOLERANCE, DEFAULT_TOLERANCE)
    return Tolerance(_tolerated(behavior.scale_down), _tolerated(behavior.scale_up))


def _tolerated(rules: HPAScalingRules | None) -> float:
    if rules is None or rules.tolerance is None:
        return DEFAULT_TOLERANCE
    return float(parse_quantity(rules.tolerance).exact)
