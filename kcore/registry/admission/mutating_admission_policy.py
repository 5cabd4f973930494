"""Changes that are objects: policies in CEL complete what is about to be stored (KEP-3962)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec

from kcore.api.admissionregistration_v1 import MutatingAdmissionPolicy as Policy
from kcore.api.admissionregistration_v1 import MutatingAdmissionPolicyBinding as Binding
from kcore.api.errors import ApiError
from kcore.api.kind import Kind
from kcore.api.meta_v1 import StatusCause
from kcore.api.schema import JSON
from kcore.kit.offload import beside
from kcore.registry.admission.attributes import Attributes
from kcore.registry.admission.forms import Forms
from kcore.registry.admission.matching import is_exempt
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.admission.policies.hooks import Hook, Hooks
from kcore.registry.admission.policies.invocations import Invocation, Misfit, converted_invocations
from kcore.registry.admission.refusal import Refusal
from kcore.registry.admission.reinvocation import Reinvocation
from kcore.registry.request import Request
from kcore.registry.strategy import Environment, Strategies

if TYPE_CHECKING:
    from kcore.registry.policies.mutating import CompiledMutation

    Turn: TypeAlias = Invocation[CompiledMutation]

__all__ = ["MutatingAdmissionPolicy"]


class _Failure(NamedTuple):
    policy: Policy
    binding: Binding | None
    message: str
    reason: str = ""

    @property
    def words(self) -> str:
        name = self.policy.metadata.name
        if self.binding is None:
            return f'policy "{name}" denied request: {self.message}'
        return f"policy '{name}' with binding '{self.binding.metadata.name}' denied request: {self.message}"


class MutatingAdmissionPolicy(Plugin):
    def __init__(self, env: Environment, strategies: Strategies) -> None:
        super().__init__(env, strategies)
        self._forms = Forms(env.scheme, strategies)
        self._hooks: Hooks[CompiledMutation | Exception] = Hooks(env, self._forms, Policy, Binding, _compiled)

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return not is_exempt(kind)

    def admit(self, req: Request, operation: Operation, obj: Any, old: Any) -> Awaitable[Any] | None:
        hooks = self._hooks.about((req.kind, operation, req.subresource))
        return self._run(hooks, Attributes(req, operation, obj, old, self._forms)) if hooks else None

    async def _run(self, hooks: Sequence[Hook[CompiledMutation | Exception]], attributes: Attributes) -> Any:
        found = [turn for hook in hooks for turn in await converted_invocations(hook, attributes, self.env)]
        failures = [
            _Failure(misfit.policy, misfit.binding, misfit.message) for misfit in found if isinstance(misfit, Misfit)
        ]
        turns = [turn for turn in found if not isinstance(turn, Misfit)]
        if turns:
            failures += await self._take(turns, attributes)
        counting = [failure for failure in failures if failure.policy.spec.failure_policy != "Ignore"]
        if counting:
            raise _refusal(attributes, counting)
        return attributes.obj

    async def _take(self, turns: Sequence[Turn], attributes: Attributes) -> Sequence[_Failure]:
        """Each turn sees what the former ones made; answers what went wrong."""
        req = attributes.req
        reinvocation = req.reinvocation = req.reinvocation or Reinvocation()
        replay = reinvocation.replay(type(self).__name__)
        if reinvocation.again and replay.changed_since(attributes.obj):
            replay.recall()
        failures: list[_Failure] = []
        for turn in turns:
            if reinvocation.again and not replay.is_due(_key(turn)):
                continue
            await attributes.ready_as(turn.kind)
            if not await self._applies(turn, attributes, failures):
                continue
            before = attributes.object_as(turn.kind)
            await self._mutate(turn, attributes, failures)
            if attributes.object_as(turn.kind) != before:
                replay.recall()
                reinvocation.wanted = True
            if turn.policy.spec.reinvocation_policy == "IfNeeded":
                replay.ran(_key(turn))
        replay.leave(attributes.obj)
        return failures

    def _inputs(self, turn: Turn, attributes: Attributes) -> Any:
        from kcore.registry.admission.policies.inputs import inputs_for

        return inputs_for(attributes, turn.kind, self.env).with_params(turn.param)

    async def _applies(self, turn: Turn, attributes: Attributes, failures: list[_Failure]) -> bool:
        from kcore.registry.policies.evaluation import Failed

        try:
            return await beside(0, partial(turn.compiled.applies_to, self._inputs(turn, attributes)))
        except Failed as failure:
            failures.append(_Failure(turn.policy, turn.binding, str(failure), "Invalid"))
            return False

    async def _mutate(self, turn: Turn, attributes: Attributes, failures: list[_Failure]) -> None:
        """Each mutation sees what the former made."""
        from kcore.registry.policies.evaluation import Failed

        for step in turn.compiled.steps:
            document = attributes.object_as(turn.kind)
            if document is None:
                return
            try:
                change = partial(self._changed, turn, step, attributes, document)
                changed = await beside(len(document), change)
            except Failed as failure:
                failures.append(_Failure(turn.policy, turn.binding, str(failure), "Invalid"))
                continue
            if changed is not None:
                await attributes.become(changed, turn.kind)

    def _changed(self, turn: Turn, step: Any, attributes: Attributes, document: bytes) -> dict[str, JSON] | None:
        tree = msgspec.json.decode(document)
        return turn.compiled.changed(step, self._inputs(turn, attributes), tree, turn.kind)


def _key(turn: Turn) -> str:
    """What tells one turn from another, from round to round."""
    metadata = turn.param["metadata"] if turn.param is not None else {}
    param = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
    return f"{turn.policy.metadata.name}/{turn.binding.metadata.name}/{param}"


def _compiled(policy: Policy) -> CompiledMutation | Exception:
    from kcore.registry.policies.expressions import BadExpression
    from kcore.registry.policies.mutating import CompiledMutation

    try:
        return CompiledMutation(policy)
    except BadExpression as e:
        return e


def _refusal(attributes: Attributes, failures: Sequence[_Failure]) -> ApiError:
    """The first failure gives message and reason; all are causes."""
    first = failures[0]
    status = forbidden(attributes.req, attributes.obj, first.words).status
    assert status.details is not None
    causes = tuple(StatusCause(message=failure.words) for failure in failures)
    details = msgspec.structs.replace(status.details, causes=causes)
    reason = first.reason or status.reason
    return Refusal(msgspec.structs.replace(status, message=first.words, details=details, reason=reason))
