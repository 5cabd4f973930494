"""Rules that are objects: policies in CEL refuse, warn or note, where a binding says so (KEP-3488)."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec

from kcore.api.admissionregistration_v1 import ValidatingAdmissionPolicy as Policy
from kcore.api.admissionregistration_v1 import ValidatingAdmissionPolicyBinding as Binding
from kcore.api.errors import ApiError
from kcore.api.kind import Kind
from kcore.api.meta_v1 import StatusCause
from kcore.kit.offload import TooMuch, beside
from kcore.registry.admission.attributes import Attributes
from kcore.registry.admission.forms import Forms
from kcore.registry.admission.matching import is_exempt
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.admission.policies.hooks import Hook, Hooks
from kcore.registry.admission.policies.invocations import Invocation, Misfit, converted_invocations, invocations
from kcore.registry.admission.refusal import Refusal
from kcore.registry.converting import NotConverted
from kcore.registry.request import Request
from kcore.registry.strategy import Environment, Strategies

if TYPE_CHECKING:
    from kcore.registry.policies.validating import CompiledValidation, Denial

    _Hook: TypeAlias = Hook[CompiledValidation | Exception]
    _Turn: TypeAlias = Invocation[CompiledValidation] | Misfit
    _Turns: TypeAlias = Sequence[tuple[Policy, Sequence[_Turn]]]

__all__ = ["ValidatingAdmissionPolicy"]

_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413}
_INVALID = 422
_ANNOTATION_MAX = 10 * 1024


class _Denied(NamedTuple):
    """A reason to refuse: of a rule that does not hold, or of a policy that does not work."""

    policy: Policy
    binding: Binding | None
    message: str
    reason: str = ""

    @property
    def words(self) -> str:
        bound = f" with binding '{self.binding.metadata.name}'" if self.binding is not None else ""
        return f"ValidatingAdmissionPolicy '{self.policy.metadata.name}'{bound} denied request: {self.message}"


class ValidatingAdmissionPolicy(Plugin):
    def __init__(self, env: Environment, strategies: Strategies) -> None:
        super().__init__(env, strategies)
        self._forms = Forms(env.scheme, strategies)
        self._hooks: Hooks[CompiledValidation | Exception] = Hooks(env, self._forms, Policy, Binding, _compiled)

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return not is_exempt(kind)

    def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> Awaitable[None] | None:
        hooks = self._hooks.about((req.kind, operation, req.subresource))
        if not hooks:
            return None
        attributes = Attributes(req, operation, obj, old, self._forms)
        asking = {k for hook in hooks for k in hook.match.kinds if self._forms.takes_asking(req.kind, k)}
        if asking:
            return self._judge_converted(hooks, attributes, asking)
        try:
            turns = [(hook.policy, list(invocations(hook, attributes, self.env))) for hook in hooks]
        except NotConverted:
            return self._judge_converted(hooks, attributes, ())
        try:
            self._judge(turns, attributes)
        except TooMuch:
            return beside(0, lambda: self._judge(turns, attributes))
        return None

    async def _judge_converted(self, hooks: Sequence[_Hook], attributes: Attributes, kinds: Iterable[Kind]) -> None:
        for kind in kinds:
            await attributes.ready_as(kind)
        turns = [(hook.policy, await converted_invocations(hook, attributes, self.env)) for hook in hooks]
        await beside(0, lambda: self._judge(turns, attributes))

    def _judge(self, turns: _Turns, attributes: Attributes) -> None:
        """Raises Refusal, and TooMuch for policies that others should not wait for."""
        denied = [each for policy, its in turns for each in self._judged(policy, its, attributes)]
        if denied:
            raise _refusal(attributes, denied[0])

    def _judged(self, policy: Policy, turns: Sequence[_Turn], attributes: Attributes) -> Iterator[_Denied]:
        """What one policy has against the request."""
        from kcore.registry.admission.policies.inputs import inputs_for

        noted: dict[str, list[str]] = {}
        for turn in turns:
            if isinstance(turn, Misfit):
                if policy.spec.failure_policy != "Ignore":
                    yield _Denied(policy, turn.binding, turn.message)
                continue
            verdict = turn.compiled.judge(inputs_for(attributes, turn.kind, self.env).with_params(turn.param))
            for denial in verdict.denials:
                yield from _enforced(policy, turn.binding, denial, attributes.req)
            _note(noted, verdict.annotations)
        for key, values in noted.items():
            attributes.req.annotate(f"{policy.metadata.name}/{key}", ", ".join(values))


def _compiled(policy: Policy) -> CompiledValidation | Exception:
    from kcore.registry.policies.expressions import BadExpression
    from kcore.registry.policies.validating import CompiledValidation

    try:
        return CompiledValidation(policy)
    except BadExpression as e:
        return e


def _enforced(policy: Policy, binding: Binding, denial: Denial, req: Request) -> Iterator[_Denied]:
    """What a binding wants done about a broken rule."""
    named = f"ValidatingAdmissionPolicy '{policy.metadata.name}' with binding '{binding.metadata.name}'"
    for action in binding.spec.validation_actions:
        if action == "Deny":
            yield _Denied(policy, binding, denial.message, denial.reason)
        elif action == "Warn":
            req.warnings.append(f"Validation failed for {named}: {denial.message}")
        elif action == "Audit":
            failure = {
                "message": denial.message,
                "policy": policy.metadata.name,
                "binding": binding.metadata.name,
                "expressionIndex": denial.position,
                "validationActions": binding.spec.validation_actions,
            }
            told = msgspec.json.encode([failure]).decode()
            req.annotate("validation.policy.admission.k8s.io/validation_failure", told)


def _note(noted: dict[str, list[str]], annotations: Mapping[str, str]) -> None:
    for key, value in annotations.items():
        values = noted.setdefault(key, [])
        if value[:_ANNOTATION_MAX] not in values:
            values.append(value[:_ANNOTATION_MAX])


def _refusal(attributes: Attributes, denied: _Denied) -> ApiError:
    """Forbidden in words, but with the code and the reason that the rule wants."""
    status = forbidden(attributes.req, attributes.obj, denied.words).status
    assert status.details is not None
    details = msgspec.structs.replace(status.details, causes=(StatusCause(message=denied.words),))
    reason = denied.reason or "Invalid"
    return Refusal(msgspec.structs.replace(status, details=details, reason=reason, code=_CODES.get(reason, _INVALID)))
