"""Rules that are objects: policies in CEL refuse, warn or note, where a binding says so (KEP-3488)."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from kcore.api.admissionregistration_v1 import ValidatingAdmissionPolicy as Policy
from kcore.api.admissionregistration_v1 import ValidatingAdmissionPolicyBinding as Binding
from kcore.api.errors import ApiError
from kcore.api.kind import Kind
from kcore.api.meta_v1 import StatusCause, StatusDetails
from kcore.registry.admission.attributes import Attributes
from kcore.registry.admission.forms import Forms
from kcore.registry.admission.matching import is_exempt
from kcore.registry.admission.plugin import Operation, Plugin, refused_name
from kcore.registry.admission.policies.hooks import Hook, Hooks
from kcore.registry.admission.policies.params import Misconfigured, find_kind, find_params
from kcore.registry.request import Request
from kcore.registry.strategy import Environment, Strategies

if TYPE_CHECKING:
    from kcore.registry.policies.validating import CompiledValidation, Denial, Verdict

__all__ = ["ValidatingAdmissionPolicy"]

_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413}
_INVALID = 422
_ANNOTATION_MAX = 10 * 1024


class _Refusal(NamedTuple):
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
        if hooks:
            attributes = Attributes(req, operation, obj, old, self._forms)
            refusals = [refusal for hook in hooks for refusal in self._refusals(hook, attributes)]
            if refusals:
                raise _denied(attributes, refusals[0])
        return None

    def _refusals(self, hook: Hook[CompiledValidation | Exception], attributes: Attributes) -> Iterator[_Refusal]:
        """Raises NotFound for a namespace that is not there."""
        policy = hook.policy
        kind = hook.match.kind_for(attributes, self.env.store)
        if kind is None:
            return
        try:
            compiled, param_kind = self._usable(hook)
        except Misconfigured as e:
            yield from _misconfigured(policy, None, e)
            return
        noted: dict[str, list[str]] = {}
        for binding, match in hook.bindings:
            if match.kind_for(attributes, self.env.store) is None:
                continue
            try:
                verdicts = self._verdicts(compiled, attributes, kind, param_kind, binding)
            except Misconfigured as e:
                yield from _misconfigured(policy, binding, e)
                continue
            for verdict in verdicts:
                for denial in verdict.denials:
                    yield from _enforced(policy, binding, denial, attributes.req)
                _note(noted, verdict.annotations)
        for key, values in noted.items():
            attributes.req.annotate(f"{policy.metadata.name}/{key}", ", ".join(values))

    def _usable(self, hook: Hook[CompiledValidation | Exception]) -> tuple[CompiledValidation, Kind | None]:
        """The policy and the kind of its params. Raises Misconfigured."""
        if isinstance(hook.compiled, Exception):
            raise Misconfigured(str(hook.compiled))
        wanted = hook.policy.spec.param_kind
        found = find_kind(self.env, wanted) if wanted is not None else None
        if wanted is not None and found is None:
            named = f"{wanted.api_version}, Kind={wanted.kind}"
            raise Misconfigured(f"failed to find resource referenced by paramKind: '{named}'")
        return hook.compiled, found

    def _verdicts(
        self,
        compiled: CompiledValidation,
        attributes: Attributes,
        kind: Kind,
        param_kind: Kind | None,
        binding: Binding,
    ) -> Sequence[Verdict]:
        """One for each of the binding's params. Raises Misconfigured."""
        from kcore.registry.admission.policies.inputs import inputs_for

        params = find_params(self.env, self._forms, param_kind, binding.spec.param_ref, attributes.namespace)
        inputs = inputs_for(attributes, kind, self.env)
        return [compiled.judge(inputs.with_params(given)) for given in params]


def _compiled(policy: Policy) -> CompiledValidation | Exception:
    from kcore.registry.policies.validating import compile_validating

    return compile_validating(policy)


def _misconfigured(policy: Policy, binding: Binding | None, why: Misconfigured) -> Iterator[_Refusal]:
    if policy.spec.failure_policy != "Ignore":
        what = "policy" if binding is None else "binding"
        yield _Refusal(policy, binding, f"failed to configure {what}: {why}")


def _enforced(policy: Policy, binding: Binding, denial: Denial, req: Request) -> Iterator[_Refusal]:
    """What a binding wants done about a broken rule."""
    named = f"ValidatingAdmissionPolicy '{policy.metadata.name}' with binding '{binding.metadata.name}'"
    for action in binding.spec.validation_actions:
        if action == "Deny":
            yield _Refusal(policy, binding, denial.message, denial.reason)
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
            req.annotate(
                "validation.policy.admission.k8s.io/validation_failure", msgspec.json.encode([failure]).decode()
            )


def _note(noted: dict[str, list[str]], annotations: Mapping[str, str]) -> None:
    for key, value in annotations.items():
        values = noted.setdefault(key, [])
        if value[:_ANNOTATION_MAX] not in values:
            values.append(value[:_ANNOTATION_MAX])


class _Denied(ApiError):
    """Forbidden in words, but with the code and the reason that the rule wants."""

    def __init__(self, message: str, details: StatusDetails, reason: str) -> None:
        super().__init__(message, details, reason=reason)
        self.code = _CODES.get(reason, _INVALID)  # type: ignore[misc]  # of this one error


def _denied(attributes: Attributes, refusal: _Refusal) -> ApiError:
    kind, name = attributes.kind, refused_name(attributes.req, attributes.obj)
    details = StatusDetails(name=name, group=kind.group, kind=kind.plural, causes=(StatusCause(message=refusal.words),))
    message = f'{kind.group_resource} "{name}" is forbidden: {refusal.words}'
    return _Denied(message, details, refusal.reason or "Invalid")
