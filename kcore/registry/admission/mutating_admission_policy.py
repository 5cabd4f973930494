"""Changes that are objects: policies in CEL complete what is about to be stored (KEP-3962)."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from kcore.api.admissionregistration_v1 import MutatingAdmissionPolicy as Policy
from kcore.api.admissionregistration_v1 import MutatingAdmissionPolicyBinding as Binding
from kcore.api.errors import ApiError, Forbidden
from kcore.api.kind import Kind
from kcore.api.meta_v1 import StatusCause, StatusDetails
from kcore.registry.admission.attributes import Attributes
from kcore.registry.admission.forms import Forms
from kcore.registry.admission.matching import is_exempt
from kcore.registry.admission.plugin import Operation, Plugin, refused_name
from kcore.registry.admission.policies.hooks import Hook, Hooks
from kcore.registry.admission.policies.params import Misconfigured, find_kind, find_params
from kcore.registry.admission.reinvocation import Reinvocation
from kcore.registry.request import Request
from kcore.registry.strategy import Environment, Strategies

if TYPE_CHECKING:
    from kcore.registry.policies.mutating import CompiledMutation

__all__ = ["MutatingAdmissionPolicy"]


class _Invocation(NamedTuple):
    policy: Policy
    binding: Binding
    compiled: CompiledMutation
    kind: Kind
    param: Any

    @property
    def key(self) -> str:
        metadata = self.param["metadata"] if self.param is not None else {}
        named = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
        return f"{self.policy.metadata.name}/{self.binding.metadata.name}/{named}"


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
        failures: list[_Failure] = []
        invocations = [found for hook in hooks for found in self._invocations(hook, attributes, failures)]
        if invocations:
            self._invoke(invocations, attributes, failures)
        counting = [failure for failure in failures if failure.policy.spec.failure_policy != "Ignore"]
        if counting:
            raise _denied(attributes, counting)
        return attributes.obj

    def _invocations(
        self, hook: Hook[CompiledMutation | Exception], attributes: Attributes, failures: list[_Failure]
    ) -> Iterator[_Invocation]:
        """Each binding with each of its params. Raises NotFound for a namespace that is not there."""
        policy, compiled = hook.policy, hook.compiled
        kind = hook.match.kind_for(attributes, self.env.store)
        if kind is None:
            return
        wanted = policy.spec.param_kind
        param_kind = find_kind(self.env, wanted) if wanted is not None else None
        if isinstance(compiled, Exception):
            failures.append(_Failure(policy, None, f"failed to configure policy: {compiled}"))
            return
        if wanted is not None and param_kind is None:
            named = f"{wanted.api_version}, Kind={wanted.kind}"
            why = f"failed to find resource referenced by paramKind: '{named}'"
            failures.append(_Failure(policy, None, f"failed to configure policy: {why}"))
            return
        for binding, match in hook.bindings:
            if match.kind_for(attributes, self.env.store) is None:
                continue
            reference = binding.spec.param_ref
            try:
                for param in find_params(self.env, self._forms, param_kind, reference, attributes.namespace):
                    yield _Invocation(policy, binding, compiled, kind, param)
            except Misconfigured as e:
                failures.append(_Failure(policy, binding, f"failed to configure binding: {e}"))

    def _invoke(self, invocations: Sequence[_Invocation], attributes: Attributes, failures: list[_Failure]) -> None:
        req = attributes.req
        reinvocation = req.reinvocation = req.reinvocation or Reinvocation()
        replay = reinvocation.replay(type(self).__name__)
        if reinvocation.again and replay.changed_since(attributes.obj):
            replay.recall()
        for invocation in invocations:
            if not self._applies(invocation, attributes, failures):
                continue
            if reinvocation.again and not replay.is_due(invocation.key):
                continue
            before = attributes.object_as(invocation.kind)
            self._mutate(invocation, attributes, failures)
            if attributes.object_as(invocation.kind) != before:
                replay.recall()
                reinvocation.wanted = True
            if invocation.policy.spec.reinvocation_policy == "IfNeeded":
                replay.ran(invocation.key)
        replay.leave(attributes.obj)

    def _inputs(self, invocation: _Invocation, attributes: Attributes) -> Any:
        from kcore.registry.admission.policies.inputs import inputs_for

        return inputs_for(attributes, invocation.kind, self.env).with_params(invocation.param)

    def _applies(self, invocation: _Invocation, attributes: Attributes, failures: list[_Failure]) -> bool:
        from kcore.registry.policies.evaluation import Failed

        try:
            return invocation.compiled.applies_to(self._inputs(invocation, attributes))
        except Failed as failure:
            failures.append(_Failure(invocation.policy, invocation.binding, str(failure), "Invalid"))
            return False

    def _mutate(self, invocation: _Invocation, attributes: Attributes, failures: list[_Failure]) -> None:
        """Each mutation sees what the former made."""
        from kcore.registry.policies.evaluation import Failed

        compiled, kind = invocation.compiled, invocation.kind
        for step in compiled.steps:
            document = attributes.object_as(kind)
            if document is None:
                return
            try:
                tree = msgspec.json.decode(document)
                changed = compiled.changed(step, self._inputs(invocation, attributes), tree, kind)
            except Failed as failure:
                failures.append(_Failure(invocation.policy, invocation.binding, str(failure), "Invalid"))
                continue
            if changed is not None:
                attributes.become(changed, kind)


def _compiled(policy: Policy) -> CompiledMutation | Exception:
    from kcore.registry.policies.expressions import BadExpression
    from kcore.registry.policies.mutating import CompiledMutation

    try:
        return CompiledMutation(policy)
    except BadExpression as e:
        return e


def _denied(attributes: Attributes, failures: Sequence[_Failure]) -> ApiError:
    """The first failure gives message and reason; all are causes."""
    kind, first = attributes.kind, failures[0]
    causes = tuple(StatusCause(message=failure.words) for failure in failures)
    name = refused_name(attributes.req, attributes.obj)
    details = StatusDetails(name=name, group=kind.group, kind=kind.plural, causes=causes)
    return Forbidden(first.words, details, reason=first.reason or None)
