"""The admissionregistration.k8s.io group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from kcore.api.admissionregistration_v1 import (
    MutatingAdmissionPolicy,
    MutatingAdmissionPolicyBinding,
    MutatingWebhookConfiguration,
    ParamKind,
    ParamRef,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration,
)
from kcore.api.field import FieldError, Path, forbidden
from kcore.api.kind import parse_api_version
from kcore.registry.access import Attributes, is_master
from kcore.registry.defaults.admissionregistration_v1 import (
    default_binding,
    default_mutating_webhooks,
    default_policy,
    default_validating_webhooks,
)
from kcore.registry.request import Request, User
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.validation.admission_policies import (
    validate_mutating_binding,
    validate_mutating_policy,
    validate_validating_binding,
    validate_validating_policy,
)
from kcore.registry.validation.webhooks import validate_webhooks

__all__ = ["STRATEGIES"]


class ValidatingWebhookConfigurationStrategy(Ruled):
    type = ValidatingWebhookConfiguration
    unconditional_update = False
    generation = ("webhooks",)
    rules = Rules(default_validating_webhooks, validate_webhooks)


class MutatingWebhookConfigurationStrategy(Ruled):
    type = MutatingWebhookConfiguration
    unconditional_update = False
    generation = ("webhooks",)
    rules = Rules(default_mutating_webhooks, validate_webhooks)


class _Reading(Ruled):
    """What makes the server read objects for its expressions: only who may read them may write it.

    Else a policy would be a way to look at what one may not see.
    """

    unconditional_update = False
    reading: ClassVar[str]
    """The field of the spec that names what is read."""

    def validate(self, req: Request, obj: Any) -> Sequence[FieldError]:
        return super().validate(req, obj) or self._unread(req, obj)

    def validate_update(self, req: Request, new: Any, old: Any) -> Sequence[FieldError]:
        errors = super().validate_update(req, new, old)
        return errors or (() if self._read_by(new) == self._read_by(old) else self._unread(req, new))

    def _read_by(self, obj: Any) -> Any:
        """All that says what is read; None: nothing is."""
        raise NotImplementedError

    def _refusal(self, req: Request, obj: Any) -> str:
        raise NotImplementedError

    def _unread(self, req: Request, obj: Any) -> Sequence[FieldError]:
        if self._read_by(obj) is None or is_master(req.user):
            return ()
        why = self._refusal(req, obj)
        return [forbidden(Path("spec") / self.reading, why)] if why else ()

    def _may_get(self, req: Request, kind: ParamKind | None, namespace: str, name: str) -> bool:
        """Where the kind is not known, all kinds must be readable."""
        group = resource = "*"
        if kind is not None:
            group, version = parse_api_version(kind.api_version)
            found = self.env.scheme.find_kind(group, version, kind.kind)
            resource = found.plural if found is not None else "*"
        return self.env.authorizer.allowed(Attributes(req.user, "get", group, resource, namespace=namespace, name=name))


class _Policy(_Reading):
    reading = "paramKind"

    def _read_by(self, obj: Any) -> Any:
        return obj.spec.param_kind

    def _refusal(self, req: Request, obj: Any) -> str:
        kind: ParamKind = obj.spec.param_kind
        if self._may_get(req, kind, "*", "*"):
            return ""
        what = f"all objects of the referenced paramKind (kind={kind.kind}, apiVersion={kind.api_version})"
        return f'user {_shown(req.user)} must have "get" permission on {what}'


class _Binding(_Reading):
    reading = "paramRef"
    policy: ClassVar[type[Any]]

    def _read_by(self, obj: Any) -> Any:
        spec = obj.spec
        return (spec.param_ref, spec.policy_name) if spec.param_ref is not None else None

    def _refusal(self, req: Request, obj: Any) -> str:
        record = self.env.store.head(self.env.scheme.of(self.policy).key("", obj.spec.policy_name))
        kind = record.obj.spec.param_kind if record is not None else None
        reference: ParamRef = obj.spec.param_ref
        if self._may_get(req, kind, reference.namespace, reference.name):
            return ""
        return f'user {_shown(req.user)} does not have "get" permission on the object referenced by paramRef'


def _shown(user: User) -> str:
    """A user as Go prints one."""
    extra = " ".join(f"{key}:[{' '.join(values)}]" for key, values in sorted(user.extra.items()))
    return f"&{{{user.name} {user.uid} [{' '.join(user.groups)}] map[{extra}]}}"


class ValidatingAdmissionPolicyStrategy(_Policy):
    type = ValidatingAdmissionPolicy
    generation = ("spec",)
    rules = Rules(default_policy, validate_validating_policy)


class ValidatingAdmissionPolicyBindingStrategy(_Binding):
    type = ValidatingAdmissionPolicyBinding
    policy = ValidatingAdmissionPolicy
    generation = ("spec",)
    rules = Rules(default_binding, validate_validating_binding)


class MutatingAdmissionPolicyStrategy(_Policy):
    type = MutatingAdmissionPolicy
    generation = ("spec",)
    rules = Rules(default_policy, validate_mutating_policy)


class MutatingAdmissionPolicyBindingStrategy(_Binding):
    type = MutatingAdmissionPolicyBinding
    policy = MutatingAdmissionPolicy
    generation = ("spec",)
    rules = Rules(default_binding, validate_mutating_binding)


STRATEGIES = (
    ValidatingWebhookConfigurationStrategy,
    MutatingWebhookConfigurationStrategy,
    ValidatingAdmissionPolicyStrategy,
    ValidatingAdmissionPolicyBindingStrategy,
    MutatingAdmissionPolicyStrategy,
    MutatingAdmissionPolicyBindingStrategy,
)
