"""What upstream warns of in pods and pod templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kcore.api import names
from kcore.api.core_v1 import (
    Affinity,
    Container,
    ContainerPort,
    EphemeralContainer,
    NodeAffinity,
    Pod,
    PodAffinityTerm,
    PodSpec,
    PodTemplateSpec,
    Volume,
)
from kcore.api.field import Path, quote
from kcore.registry.advice.labels import OLD_NODE_LABELS, node_term_advice
from kcore.registry.advice.volumes import OLD_VOLUMES, claim_spec_advice, fraction_advice, overlap_advice
from kcore.registry.validation.addresses import address_advice
from kcore.registry.validation.windows import containers_with_path

__all__ = ["name_advice", "pod_advice", "template_advice"]

_NULL_SELECTOR = "a null labelSelector results in matching no pod"
_OLD_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": (
        'non-functional in v1.16+; use the "priorityClassName" field instead'
    ),
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"
_CONTAINER_SECCOMP = "container.seccomp.security.alpha.kubernetes.io/"
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_USE_SECCOMP = 'non-functional in v1.27+; use the "seccompProfile" field instead'
_USE_APP_ARMOR = 'deprecated since v1.30; use the "appArmorProfile" field instead'
_BYTES = ("memory", "ephemeral-storage")


def name_advice(name: str, used_in: str = "Pod names and hostnames") -> Iterator[str]:
    """Names end up in host names, which are stricter."""
    if words := names.dns1123_label(name):
        found = " ".join(words)
        yield (
            f"metadata.name: this is used in {used_in}, which can result in surprising behavior; "
            f"a DNS label is recommended: [{found}]"
        )


def pod_advice(pod: Pod) -> Iterator[str]:
    """Profiles of AppArmor that annotations name were already made fields of, which upstream warns of as it does so."""
    annotations = pod.metadata.annotations
    yield from name_advice(pod.metadata.name, "the Pod's hostname")
    if annotations:
        for container, _ in containers_with_path(pod.spec, Path("spec")):
            key = _APP_ARMOR + container.name
            if key in annotations:
                yield f"{(Path('metadata') / 'annotations').key(key)}: {_USE_APP_ARMOR}"
    yield from _advice(pod.spec, annotations, Path("spec"), Path("metadata") / "annotations")


def template_advice(template: PodTemplateSpec | None, path: Path) -> Iterator[str]:
    if template is not None:
        annotations, at = template.metadata.annotations, path / "metadata" / "annotations"
        yield from _advice(template.spec, annotations, path / "spec", at, is_template=True)


def _advice(
    spec: PodSpec, annotations: Mapping[str, str], path: Path, noted: Path, *, is_template: bool = False
) -> Iterator[str]:
    """`noted`: the path of the annotations."""
    for key in sorted(spec.node_selector):
        if key in OLD_NODE_LABELS:
            yield f"{(path / 'nodeSelector').key(key)}: {OLD_NODE_LABELS[key]}"
    if spec.affinity is not None and spec.affinity.node_affinity is not None:
        yield from _node_affinity_advice(spec.affinity.node_affinity, path / "affinity" / "nodeAffinity")
    for i, constraint in enumerate(spec.topology_spread_constraints):
        at = path / "topologySpreadConstraints" @ i
        if constraint.topology_key in OLD_NODE_LABELS:
            yield f"{at / 'topologyKey'}: {constraint.topology_key} is {OLD_NODE_LABELS[constraint.topology_key]}"
        if constraint.label_selector is None:
            yield f"{at / 'labelSelector'}: {_NULL_SELECTOR}"
    for key, words in _OLD_ANNOTATIONS.items():
        if key in annotations:
            yield f"{noted.key(key)}: {words}"
    for i, volume in enumerate(spec.volumes):
        yield from _volume_advice(volume, path / "volumes" @ i)
    yield from overlap_advice(spec.volumes)
    yield from _host_alias_advice(spec, path / "hostAliases")
    yield from _pull_secret_advice(spec, path / "imagePullSecrets")
    yield from fraction_advice(spec.overhead, _BYTES, path / "overhead")
    if annotations:
        yield from _profile_advice(spec, annotations, noted)
    for container, at in containers_with_path(spec, path):
        if annotations:
            yield from _container_profile_advice(spec, container, annotations, noted, is_template)
        if container.env or container.resources.limits or container.resources.requests:
            yield from _container_advice(container, at)
    yield from _port_advice(spec, path)
    grace = spec.termination_grace_period_seconds
    if grace is not None and grace < 0:
        at = path / "terminationGracePeriodSeconds"
        yield f"{at}: must be >= 0; negative values are invalid and will be treated as 1"
    if spec.affinity is not None:
        yield from _pod_affinity_advice(spec.affinity, path / "affinity")
    if spec.dns_config is not None:
        for i, address in enumerate(spec.dns_config.nameservers):
            yield from address_advice(address, path / "dnsConfig" / "nameservers" @ i)
    for i, alias in enumerate(spec.host_aliases):
        yield from address_advice(alias.ip, path / "hostAliases" @ i / "ip")


def _node_affinity_advice(affinity: NodeAffinity, path: Path) -> Iterator[str]:
    must = affinity.required_during_scheduling_ignored_during_execution
    at = path / "requiredDuringSchedulingIgnoredDuringExecution" / "nodeSelectorTerms"
    for i, term in enumerate(must.node_selector_terms if must is not None else ()):
        yield from node_term_advice(term, at @ i)
    at = path / "preferredDuringSchedulingIgnoredDuringExecution"
    for i, preferred in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
        yield from node_term_advice(preferred.preference, at @ i / "preference", lenient=True)


def _pod_affinity_advice(affinity: Affinity, path: Path) -> Iterator[str]:
    for name, pods in (("podAffinity", affinity.pod_affinity), ("podAntiAffinity", affinity.pod_anti_affinity)):
        if pods is None:
            continue
        at = path / name / "requiredDuringSchedulingIgnoredDuringExecution"
        for i, must_term in enumerate(pods.required_during_scheduling_ignored_during_execution):
            yield from _pod_term_advice(must_term, at @ i)
        at = path / name / "preferredDuringSchedulingIgnoredDuringExecution"
        for i, weighted in enumerate(pods.preferred_during_scheduling_ignored_during_execution):
            yield from _pod_term_advice(weighted.pod_affinity_term, at @ i / "podAffinityTerm")


def _pod_term_advice(term: PodAffinityTerm, path: Path) -> Iterator[str]:
    if term.label_selector is None:
        yield f"{path / 'labelSelector'}: {_NULL_SELECTOR}"


def _profile_advice(spec: PodSpec, annotations: Mapping[str, str], noted: Path) -> Iterator[str]:
    context = spec.security_context
    if _SECCOMP in annotations and (context is None or context.seccomp_profile is None):
        yield f"{noted.key(_SECCOMP)}: {_USE_SECCOMP}"


def _container_profile_advice(
    spec: PodSpec,
    container: Container | EphemeralContainer,
    annotations: Mapping[str, str],
    noted: Path,
    is_template: bool,
) -> Iterator[str]:
    own, pods = container.security_context, spec.security_context
    key = _CONTAINER_SECCOMP + container.name
    if key in annotations and (own is None or own.seccomp_profile is None):
        yield f"{noted.key(key)}: {_USE_SECCOMP}"
    key = _APP_ARMOR + container.name
    told = any(context is not None and context.app_armor_profile is not None for context in (own, pods))
    if is_template and key in annotations and not told:
        yield f"{noted.key(key)}: {_USE_APP_ARMOR}"


def _host_alias_advice(spec: PodSpec, path: Path) -> Iterator[str]:
    seen: set[str] = set()
    for i, alias in enumerate(spec.host_aliases):
        if alias.ip in seen:
            yield f"{path @ i / 'ip'}: duplicate ip {quote(alias.ip)}"
        seen.add(alias.ip)


def _pull_secret_advice(spec: PodSpec, path: Path) -> Iterator[str]:
    seen: set[str] = set()
    for i, secret in enumerate(spec.image_pull_secrets):
        if secret.name in seen:
            yield f"{path @ i / 'name'}: duplicate name {quote(secret.name)}"
        seen.add(secret.name)
    for i, secret in enumerate(spec.image_pull_secrets):
        if not secret.name:
            yield f'{path @ i / "name"}: invalid empty name ""'


def _volume_advice(volume: Volume, path: Path) -> Iterator[str]:
    for field, words in OLD_VOLUMES.items():
        if getattr(volume, field) is not None:
            yield f"{path}.{words}"
        if field == "glusterfs" and volume.ephemeral is not None:  # there they come in upstream
            template = volume.ephemeral.volume_claim_template
            if template is not None:
                yield from claim_spec_advice(template.spec, path / "ephemeral" / "volumeClaimTemplate" / "spec")


def _container_advice(container: Container | EphemeralContainer, path: Path) -> Iterator[str]:
    resources, at = container.resources, path / "resources"
    for name in _BYTES:
        yield from fraction_advice(resources.limits, (name,), at / "limits")
        yield from fraction_advice(resources.requests, (name,), at / "requests")
    seen: set[str] = set()
    for i, variable in enumerate(container.env):
        before = f"$({variable.name})"
        extends = variable.value_from is None and variable.value != before and before in variable.value
        if variable.name in seen and not extends:
            hidden = quote(variable.name)
            yield f"{path / 'env' @ i}: hides previous definition of {hidden}, which may be dropped when using apply"
        seen.add(variable.name)


def _port_advice(spec: PodSpec, path: Path) -> Iterator[str]:
    """Ports and their names are looked up across containers: the second of two is never found."""
    ports = [
        (at / "ports" @ i, port)
        for container, at in containers_with_path(spec, path)
        if container.ports
        for i, port in enumerate(container.ports)
    ]
    for n, (here, port) in enumerate(ports):
        if port.host_ip and not port.host_port:
            shown = (
                f"{{Name:{port.name} HostPort:{port.host_port} ContainerPort:{port.container_port} "
                f"Protocol:{port.protocol} HostIP:{port.host_ip}}}"
            )
            yield f"{here}: hostIP set without hostPort: {shown}"
        for there, other in ports[:n]:
            if (port.container_port, port.protocol) == (other.container_port, other.protocol):
                problem = _port_problem(port, other)
                if problem:
                    yield f"{here}: {problem} port definition with {there}"
    named: dict[str, Path] = {}
    for here, port in ports:
        if port.name and (first := named.setdefault(port.name, here)) is not here:
            yield (
                f"{here}: duplicate port name {quote(port.name)} with {first}, "
                f"services and probes that select ports by name will use {first}"
            )


def _port_problem(port: ContainerPort, other: ContainerPort) -> str:
    if (port.host_ip, port.host_port) == (other.host_ip, other.host_port):
        return "duplicate"
    if not port.host_port or not other.host_port:
        return "overlapping"
    return "dangerously ambiguous" if port.host_port == other.host_port and not (port.host_ip and other.host_ip) else ""
