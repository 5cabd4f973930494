"""Pods and their specs. The pod template of a workload keeps the rules of the spec, but not those of a live pod."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api import names
from kcore.api.core_v1 import (
    Pod,
    PodDNSConfig,
    PodResourceClaim,
    PodSpec,
    PodTemplate,
    PodTemplateSpec,
    ResourceRequirements,
)
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, required, too_long
from kcore.registry.validation.addresses import validate_ip
from kcore.registry.validation.affinity import validate_affinity, validate_tolerations, validate_topology_spread
from kcore.registry.validation.containers import (
    Surroundings,
    validate_containers,
    validate_ephemeral_containers,
    validate_image_spacing,
    validate_init_containers,
)
from kcore.registry.validation.env import validate_env_files
from kcore.registry.validation.internal import shown
from kcore.registry.validation.labels import validate_labels
from kcore.registry.validation.pod_annotations import (
    MIRROR,
    validate_app_armor_agreement,
    validate_pod_annotations,
    validate_seccomp_agreement,
)
from kcore.registry.validation.pod_resources import validate_pod_resources
from kcore.registry.validation.resources import validate_requirements
from kcore.registry.validation.rules import MAX_INT32, in_range, refuse, validate_annotations
from kcore.registry.validation.security import validate_host_users, validate_pod_security_context
from kcore.registry.validation.values import check, one_of
from kcore.registry.validation.volumes import validate_volumes
from kcore.registry.validation.windows import validate_host_process, validate_os

__all__ = [
    "validate_live_pod",
    "validate_pod",
    "validate_pod_spec",
    "validate_pod_template",
    "validate_pod_template_spec",
]

_SPEC = Path("spec")
_ANNOTATIONS = Path("metadata.annotations")
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_HOSTNAME_OVERRIDE_MAX = 64
_NAMESERVERS_MAX = 3
_SEARCHES_MAX = 32
_SEARCH_CHARACTERS_MAX = 2048


def validate_pod(pod: Pod) -> list[FieldError]:
    """A pod that is being created."""
    errors = validate_live_pod(pod)
    spec = pod.spec
    if spec.ephemeral_containers:
        errors.append(forbidden(_SPEC / "ephemeralContainers", "cannot be set on create"))
    if spec.node_name and spec.scheduling_gates:
        words = "cannot be set until all schedulingGates have been cleared"
        errors.append(forbidden(_SPEC / "nodeName", words))
    if pod.metadata.annotations:
        errors += validate_seccomp_agreement(pod.metadata, spec, _SPEC)
        errors += validate_app_armor_agreement(pod.metadata, spec, _SPEC)
    return errors


def validate_live_pod(pod: Pod) -> list[FieldError]:
    """The rules that every version of a pod keeps."""
    spec = pod.spec
    errors: list[FieldError] = []
    if pod.metadata.annotations:
        errors += validate_pod_annotations(pod.metadata.annotations, spec, _ANNOTATIONS)
    if MIRROR in pod.metadata.annotations:
        errors += (forbidden(Path(""), "static pods do not support resource claims") for _ in spec.resource_claims)
    errors += validate_pod_spec(spec, _SPEC, pod_name=pod.metadata.name, is_pod=True)
    if not spec.service_account_name and spec.volumes:
        errors += _validate_no_tokens(spec)
    for i, container in enumerate(spec.containers):
        if container.image != container.image.strip():
            errors += validate_image_spacing(container, _SPEC / "containers" @ i)
    for i, container in enumerate(spec.init_containers):
        errors += validate_image_spacing(container, _SPEC / "initContainers" @ i)
    return errors


def _validate_no_tokens(spec: PodSpec) -> Iterator[FieldError]:
    """A token speaks for a service account."""
    for i, volume in enumerate(spec.volumes):
        if volume.projected is not None:
            for j, source in enumerate(volume.projected.sources):
                if source.service_account_token is not None:
                    at = _SPEC / "volumes" @ i / "projected" / "sources" @ j / "serviceAccountToken"
                    yield forbidden(at, "must not be specified when serviceAccountName is not set")


def validate_pod_template(template: PodTemplate) -> list[FieldError]:
    return list(validate_pod_template_spec(template.template, Path("template")))


def validate_pod_template_spec(template: PodTemplateSpec, path: Path) -> Iterator[FieldError]:
    metadata, spec = template.metadata, template.spec
    if metadata.labels:
        yield from validate_labels(metadata.labels, path / "labels")
    if metadata.annotations:
        yield from validate_annotations(metadata.annotations, path / "annotations")
        yield from validate_pod_annotations(metadata.annotations, spec, path / "annotations")
    yield from validate_pod_spec(spec, path / "spec")
    yield from validate_seccomp_agreement(metadata, spec, path / "spec")
    yield from validate_app_armor_agreement(metadata, spec, path / "spec")
    if spec.ephemeral_containers:
        yield forbidden(path / "spec" / "ephemeralContainers", "ephemeral containers not allowed in pod template")


def validate_pod_spec(spec: PodSpec, path: Path, *, pod_name: str = "", is_pod: bool = False) -> Iterator[FieldError]:
    """The order is upstream's, because clients see it."""
    grace = spec.termination_grace_period_seconds
    if grace is None:
        yield required(path / "terminationGracePeriodSeconds")
    problems: list[FieldError] = []
    volumes = validate_volumes(spec.volumes, path / "volumes", pod_name, problems) if spec.volumes else {}
    yield from problems
    claims = {c.name for c in spec.resource_claims if c.name}
    if spec.resource_claims:
        yield from _validate_claims(spec.resource_claims, path / "resourceClaims")
    pod = Surroundings(volumes, claims, grace, spec.restart_policy, spec.host_users is not False)
    yield from validate_containers(spec.containers, path / "containers", pod)
    if spec.init_containers:
        yield from validate_init_containers(spec.init_containers, spec.containers, path / "initContainers", pod)
    if spec.ephemeral_containers:
        yield from validate_ephemeral_containers(spec, path / "ephemeralContainers", pod)
    if spec.resources is not None:
        yield from validate_pod_resources(spec, spec.resources, path / "resources", claims)
    if spec.host_network:
        yield from _validate_host_network(spec, path / "containers", is_pod=is_pod)
    if spec.restart_policy not in _RESTART_POLICIES:
        yield from one_of(path / "restartPolicy", spec.restart_policy, _RESTART_POLICIES)
    if spec.dns_policy not in _DNS_POLICIES:
        yield from one_of(path / "dnsPolicy", spec.dns_policy, _DNS_POLICIES)
    if spec.node_selector:
        yield from validate_labels(spec.node_selector, path / "nodeSelector")
    yield from validate_pod_security_context(spec, path)
    if spec.affinity is not None:
        yield from validate_affinity(spec.affinity, path / "affinity")
    if spec.dns_config is not None or spec.dns_policy == "None":
        yield from _validate_dns(spec.dns_config, path / "dnsConfig", spec.dns_policy)
    for i, readiness in enumerate(spec.readiness_gates):
        yield from check(path / "readinessGates" @ i / "conditionType", readiness.condition_type, names.label_key)
    if spec.scheduling_gates:
        yield from _validate_scheduling_gates(spec, path / "schedulingGates")
    if spec.topology_spread_constraints:
        yield from validate_topology_spread(spec.topology_spread_constraints, path / "topologySpreadConstraints")
    yield from validate_host_process(spec, path)
    yield from validate_host_users(spec, path)
    if spec.hostname_override is not None:
        yield from _validate_hostname_override(spec, spec.hostname_override, path / "hostnameOverride")
    yield from _validate_names(spec, path)
    if spec.tolerations:
        yield from validate_tolerations(spec.tolerations, path / "tolerations")
    for i, alias in enumerate(spec.host_aliases):
        yield from validate_ip(alias.ip, path / "hostAliases" @ i / "ip")
        for j, hostname in enumerate(alias.hostnames):
            yield from check(path / "hostAliases" @ i / "hostnames" @ j, hostname, names.dns1123_subdomain)
    if spec.priority_class_name:
        yield from check(path / "priorityClassName", spec.priority_class_name, names.dns1123_subdomain)
    if spec.runtime_class_name is not None:
        yield from check(path / "runtimeClassName", spec.runtime_class_name, names.dns1123_subdomain)
    if spec.preemption_policy is not None and spec.preemption_policy not in ("PreemptLowerPriority", "Never"):
        at = path / "preemptionPolicy"
        yield from one_of(at, spec.preemption_policy, ("PreemptLowerPriority", "Never"))
    if spec.overhead:
        yield from validate_requirements(ResourceRequirements(limits=spec.overhead), path / "overhead", ())
    if spec.os is not None:
        yield from validate_os(spec, path)
    yield from validate_env_files(spec, path)


def _validate_names(spec: PodSpec, path: Path) -> Iterator[FieldError]:
    if spec.service_account_name and (words := names.dns1123_subdomain(spec.service_account_name)):
        yield from refuse(path / "serviceAccountName", spec.service_account_name, words)
    if spec.node_name and (words := names.dns1123_subdomain(spec.node_name)):
        yield from refuse(path / "nodeName", spec.node_name, words)
    if spec.active_deadline_seconds is not None:
        yield from in_range(path / "activeDeadlineSeconds", spec.active_deadline_seconds, 1, MAX_INT32)
    if spec.hostname and (words := names.dns1123_label(spec.hostname)):
        yield from refuse(path / "hostname", spec.hostname, words)
    if spec.subdomain and (words := names.dns1123_label(spec.subdomain)):
        yield from refuse(path / "subdomain", spec.subdomain, words)


def _validate_hostname_override(spec: PodSpec, name: str, path: Path) -> Iterator[FieldError]:
    """The whole host name of a pod, instead of what hostname and subdomain make up (KEP-4762)."""
    if spec.set_hostname_as_fqdn:
        yield forbidden(path, "may not be specified when setHostnameAsFQDN is true")
    if spec.host_network:
        yield forbidden(path, "may not be specified when hostNetwork is true")
    if len(name) > _HOSTNAME_OVERRIDE_MAX:
        yield too_long(path, _HOSTNAME_OVERRIDE_MAX)
    yield from check(path, name, names.dns1123_subdomain)


def _validate_claims(claims: tuple[PodResourceClaim, ...], path: Path) -> Iterator[FieldError]:
    seen: set[str] = set()
    for i, claim in enumerate(claims):
        at = path @ i
        if not claim.name:
            yield required(at / "name")
        elif claim.name in seen:
            yield duplicate(at / "name", claim.name)
        else:
            yield from check(at / "name", claim.name, names.dns1123_label)
            seen.add(claim.name)
        direct, template = claim.resource_claim_name, claim.resource_claim_template_name
        if direct is not None and template is not None:
            words = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            yield invalid(at, shown(claim), words)
        if direct is None and template is None:
            words = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            yield invalid(at, shown(claim), words)
        if direct is not None:
            yield from check(at / "resourceClaimName", direct, names.dns1123_subdomain)
        if template is not None:
            yield from check(at / "resourceClaimTemplateName", template, names.dns1123_subdomain)


def _validate_host_network(spec: PodSpec, path: Path, *, is_pod: bool) -> Iterator[FieldError]:
    """Templates may leave the host's port open: it is filled in when they become pods."""
    for i, container in enumerate(spec.containers):
        for j, port in enumerate(container.ports):
            if (is_pod or port.host_port) and port.host_port != port.container_port:
                at = path @ i / "ports" @ j / "hostPort"
                yield invalid(at, port.host_port, "must match `containerPort` when `hostNetwork` is true")


def _validate_dns(config: PodDNSConfig | None, path: Path, policy: str) -> Iterator[FieldError]:
    """The limits are those of the resolver in libc."""
    if config is None:
        yield required(path, "must provide `dnsConfig` when `dnsPolicy` is None")
        return
    if policy == "None" and not config.nameservers:
        words = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        yield required(path / "nameservers", words)
        return
    if len(config.nameservers) > _NAMESERVERS_MAX:
        words = f"must not have more than {_NAMESERVERS_MAX} nameservers"
        yield invalid(path / "nameservers", config.nameservers, words)
    for i, server in enumerate(config.nameservers):
        yield from validate_ip(server, path / "nameservers" @ i)
    if len(config.searches) > _SEARCHES_MAX:
        words = f"must not have more than {_SEARCHES_MAX} search paths"
        yield invalid(path / "searches", config.searches, words)
    if len(" ".join(config.searches)) > _SEARCH_CHARACTERS_MAX:
        words = f"must not have more than {_SEARCH_CHARACTERS_MAX} characters (including spaces) in the search list"
        yield invalid(path / "searches", config.searches, words)
    for i, search in enumerate(config.searches):
        if search != ".":
            yield from check(path / "searches" @ i, search.removesuffix("."), names.dns1123_subdomain_with_underscore)
    for i, option in enumerate(config.options):
        if not option.name:
            yield required(path / "options" @ i, "must not be empty")


def _validate_scheduling_gates(spec: PodSpec, path: Path) -> Iterator[FieldError]:
    seen: set[str] = set()
    for i, gate in enumerate(spec.scheduling_gates):
        yield from check(path @ i, gate.name, names.label_key)
        if gate.name in seen:
            yield duplicate(path @ i, gate.name)
        seen.add(gate.name)
