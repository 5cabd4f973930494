"""Pods keep to the Pod Security Standard that the labels of their namespace name (KEP-2579)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import field

from kcore.api.apps_v1 import DaemonSet, Deployment, ReplicaSet, StatefulSet
from kcore.api.batch_v1 import CronJob, Job
from kcore.api.core_v1 import Container, Namespace, Pod, PodSpec, PodTemplate, PodTemplateSpec, ReplicationController
from kcore.api.errors import Invalid
from kcore.api.field import FieldError, Path, invalid, quote
from kcore.api.kind import Kind
from kcore.api.schema import LIST_ATOMIC, Struct, TypeMeta
from kcore.registry.admission.configuration import PluginConfiguration
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.request import Request
from kcore.registry.security.policy import LEVELS, PRIVILEGED, Demand, Policy, is_version, policy_of, violations
from kcore.registry.strategy import Environment, Strategies
from kcore.store.store import Record

__all__ = ["PodSecurity"]

_TEMPLATED = (PodTemplate, ReplicationController, ReplicaSet, Deployment, StatefulSet, DaemonSet, Job, CronJob)
_PODS_MAX = 3000
_POLICIES_MAX = 1024
_SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"


class _Defaults(Struct):
    enforce: str = "privileged"
    enforce_version: str = field(default="latest", name="enforce-version")
    audit: str = "privileged"
    audit_version: str = field(default="latest", name="audit-version")
    warn: str = "privileged"
    warn_version: str = field(default="latest", name="warn-version")

    @property
    def policy(self) -> Policy:
        return Policy(
            Demand(self.enforce, self.enforce_version),
            Demand(self.audit, self.audit_version),
            Demand(self.warn, self.warn_version),
        )


class _Exemptions(Struct):
    namespaces: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    runtime_classes: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    usernames: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class Configuration(TypeMeta):
    """pod-security.admission.config.k8s.io/v1 PodSecurityConfiguration."""

    defaults: _Defaults = field(default_factory=_Defaults)
    exemptions: _Exemptions = field(default_factory=_Exemptions)


def configuration_errors(configuration: Configuration) -> Iterator[FieldError]:
    path, defaults = Path("defaults"), configuration.defaults
    for mode, demand in zip(("enforce", "audit", "warn"), defaults.policy[:3], strict=True):
        if demand.level not in LEVELS:
            yield invalid(path / mode, demand.level, f"must be one of {', '.join(LEVELS)}")
        if not is_version(demand.version):
            yield invalid(path / f"{mode}-version", demand.version, 'must be "latest" or "v1.x"')


class PodSecurity(Plugin):
    configuration = PluginConfiguration(
        "pod-security.admission.config.k8s.io/v1", "PodSecurityConfiguration", Configuration, configuration_errors
    )

    def __init__(self, env: Environment, strategies: Strategies, settings: Configuration | None = None) -> None:
        super().__init__(env, strategies)
        settings = settings or Configuration()
        self._defaults = settings.defaults.policy
        self._exempt = settings.exemptions
        self._policies: dict[str, tuple[Record, Policy]] = {}

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        if operation not in (Operation.CREATE, Operation.UPDATE):
            return False
        if kind.type is Pod:
            return subresource in ("", "ephemeralcontainers", "resize")
        return not subresource and (kind.type is Namespace or kind.type in _TEMPLATED)

    def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        if isinstance(obj, Namespace):
            self._validate_namespace(req, obj, old)
            return
        if req.namespace in self._exempt.namespaces or req.user.name in self._exempt.usernames:
            return
        policy = self._policy(req.namespace)
        if policy.enforce == policy.warn == policy.audit == PRIVILEGED:
            return
        if not isinstance(obj, Pod):
            template = _template_of(obj)
            if template is not None and not self._exempts(template.spec):
                if req.annotations is not None:
                    _note(req, policy, template.metadata.annotations, template.spec)
                _warn(req, policy, template.metadata.annotations, template.spec)
        elif not self._exempts(obj.spec) and (old is None or _matters(obj, old)):
            self._validate_pod(req, obj, policy)

    def _exempts(self, spec: PodSpec) -> bool:
        return bool(spec.runtime_class_name) and spec.runtime_class_name in self._exempt.runtime_classes

    def _policy(self, namespace: str) -> Policy:
        record = self.env.store.head(f"namespaces/{namespace}")
        if record is None:
            return self._defaults
        known = self._policies.get(namespace)
        if known is None or known[0] is not record:
            if len(self._policies) >= _POLICIES_MAX:
                self._policies.clear()
            known = self._policies[namespace] = (record, policy_of(record.obj.metadata.labels, self._defaults))
        return known[1]

    def _validate_pod(self, req: Request, pod: Pod, policy: Policy) -> None:
        found = violations(policy.enforce, pod.metadata.annotations, pod.spec)
        if req.annotations is not None:
            req.annotate("pod-security.kubernetes.io/enforce-policy", str(policy.enforce))
            _note(req, policy, pod.metadata.annotations, pod.spec)
        if found:
            why = f"violates PodSecurity {quote(str(policy.enforce))}: {', '.join(map(str, found))}"
            raise forbidden(req, pod, why)
        _warn(req, policy, pod.metadata.annotations, pod.spec)

    def _validate_namespace(self, req: Request, new: Namespace, old: Namespace | None) -> None:
        """Labels that are set must make sense; and whoever demands more is told which pods fall short."""
        policy = policy_of(new.metadata.labels, self._defaults)
        before = policy_of(old.metadata.labels, self._defaults) if old is not None else None
        if policy.errors and (before is None or policy.errors != before.errors):
            raise Invalid.of(req.kind, new.metadata.name, policy.errors)
        if before is None or policy.enforce == before.enforce or policy.enforce.level == "privileged":
            return
        if new.metadata.name in self._exempt.namespaces:
            return
        relaxed = LEVELS.index(policy.enforce.level) <= LEVELS.index(before.enforce.level)
        if relaxed and policy.enforce.version == before.enforce.version:
            return
        req.warnings.extend(self._falling_short(new.metadata.name, policy.enforce))

    def _falling_short(self, namespace: str, demand: Demand) -> Iterator[str]:
        records = self.env.store.range(f"pods/{namespace}/").records
        pods_by_words: dict[str, list[str]] = {}
        for record in records[:_PODS_MAX]:
            pod: Pod = record.obj
            if found := violations(demand, pod.metadata.annotations, pod.spec):
                words = ", ".join(violation.reason for violation in found)
                pods_by_words.setdefault(words, []).append(pod.metadata.name)
        if len(records) > _PODS_MAX:
            what = f"the first {_PODS_MAX} of {len(records)} existing pods"
            yield f"new PodSecurity enforce level only checked against {what}"
        if pods_by_words:
            level = quote(str(demand))
            yield f"existing pods in namespace {quote(namespace)} violate the new PodSecurity enforce level {level}"
        yield from sorted(f"{_counted(names)}: {words}" for words, names in pods_by_words.items())


def _counted(names: list[str]) -> str:
    match len(names):
        case 1:
            return names[0]
        case 2:
            return f"{min(names)} (and 1 other pod)"
        case many:
            return f"{min(names)} (and {many - 1} other pods)"


def _warn(req: Request, policy: Policy, annotations: Mapping[str, str], spec: PodSpec) -> None:
    if found := violations(policy.warn, annotations, spec):
        req.warnings.append(f"would violate PodSecurity {quote(str(policy.warn))}: {', '.join(map(str, found))}")


def _note(req: Request, policy: Policy, annotations: Mapping[str, str], spec: PodSpec) -> None:
    """For the audit, if somebody listens."""
    if found := violations(policy.audit, annotations, spec):
        told = f"would violate PodSecurity {quote(str(policy.audit))}: {', '.join(map(str, found))}"
        req.annotate("pod-security.kubernetes.io/audit-violations", told)


def _template_of(obj: Any) -> PodTemplateSpec | None:
    if isinstance(obj, PodTemplate):
        return obj.template
    spec = obj.spec.job_template.spec if isinstance(obj, CronJob) else obj.spec
    template: PodTemplateSpec | None = spec.template
    return template


def _matters(new: Pod, old: Pod) -> bool:
    """Of what may change in a pod only images, seccomp annotations and added containers can break a rule."""
    if new.metadata.annotations.get(_SECCOMP) != old.metadata.annotations.get(_SECCOMP):
        return True
    return any(
        _images(getattr(new.spec, field)) != _images(getattr(old.spec, field))
        for field in ("containers", "init_containers", "ephemeral_containers")
    )


def _images(containers: tuple[Container, ...]) -> list[tuple[str, str]]:
    return [(c.name, c.image) for c in containers]
