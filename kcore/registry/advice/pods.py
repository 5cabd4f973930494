"""What upstream warns of in pods and pod templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kcore.api import names, quantity
from kcore.api.core_v1 import (
    Container,
    EphemeralContainer,
    NodeSelectorTerm,
    Pod,
    PodAffinityTerm,
    PodSpec,
    PodTemplateSpec,
    Volume,
)
from kcore.api.field import Path, quote
from kcore.api.meta_v1 import ObjectMeta
from kcore.registry.validation.windows import containers_with_path

__all__ = ["name_advice", "pod_advice", "template_advice"]

_NULL_SELECTOR = "a null labelSelector results in matching no pod"
_OLD_NODE_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}
_OLD_VOLUMES = {
    "photon_persistent_disk": "photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+",
    "git_repo": "gitRepo: deprecated in v1.11",
    "scale_io": "scaleIO: deprecated in v1.16, non-functional in v1.22+",
    "flocker": "flocker: deprecated in v1.22, non-functional in v1.25+",
    "storageos": "storageOS: deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "quobyte: deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "glusterfs: deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "cephfs: deprecated in v1.28, non-functional in v1.31+",
    "rbd": "rbd: deprecated in v1.28, non-functional in v1.31+",
}
_SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"
_CONTAINER_SECCOMP = "container.seccomp.security.alpha.kubernetes.io/"
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
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
    yield from name_advice(pod.metadata.name, "the Pod's hostname")
    yield from _advice(pod.spec, pod.metadata, Path("spec"), Path("metadata"))


def template_advice(template: PodTemplateSpec | None, path: Path) -> Iterator[str]:
    if template is not None:
        yield from _advice(template.spec, template.metadata, path / "spec", path / "metadata")


def _advice(spec: PodSpec, metadata: ObjectMeta, path: Path, metadata_path: Path) -> Iterator[str]:
    for key in sorted(spec.node_selector):
        if key in _OLD_NODE_LABELS:
            yield f"{(path / 'nodeSelector').key(key)}: {_OLD_NODE_LABELS[key]}"
    if spec.affinity is not None:
        yield from _affinity_advice(spec, path / "affinity")
    for i, constraint in enumerate(spec.topology_spread_constraints):
        at = path / "topologySpreadConstraints" @ i
        if constraint.topology_key in _OLD_NODE_LABELS:
            yield f"{at / 'topologyKey'}: {constraint.topology_key} is {_OLD_NODE_LABELS[constraint.topology_key]}"
        if constraint.label_selector is None:
            yield f"{at / 'labelSelector'}: {_NULL_SELECTOR}"
    if metadata.annotations:
        yield from _annotation_advice(metadata.annotations, metadata_path / "annotations")
    yield from _host_alias_advice(spec, path / "hostAliases")
    yield from _pull_secret_advice(spec, path / "imagePullSecrets")
    for i, volume in enumerate(spec.volumes):
        yield from _volume_advice(volume, path / "volumes" @ i)
    yield from _fraction_advice(spec.overhead, path / "overhead")
    for container, at in containers_with_path(spec, path):
        if container.ports or container.env or container.resources.limits or container.resources.requests:
            yield from _container_advice(container, at)
    yield from _port_advice(spec, path)
    grace = spec.termination_grace_period_seconds
    if grace is not None and grace < 0:
        at = path / "terminationGracePeriodSeconds"
        yield f"{at}: must be >= 0; negative values are invalid and will be treated as 1"


def _affinity_advice(spec: PodSpec, path: Path) -> Iterator[str]:
    affinity = spec.affinity
    if affinity is None:
        return
    node = affinity.node_affinity
    if node is not None:
        at = path / "nodeAffinity"
        must = node.required_during_scheduling_ignored_during_execution
        for i, term in enumerate(must.node_selector_terms if must is not None else ()):
            yield from _node_term_advice(
                term, at / "requiredDuringSchedulingIgnoredDuringExecution" / "nodeSelectorTerms" @ i
            )
        for i, preferred in enumerate(node.preferred_during_scheduling_ignored_during_execution):
            where = at / "preferredDuringSchedulingIgnoredDuringExecution" @ i / "preference"
            yield from _node_term_advice(preferred.preference, where)
    for name, pods in (("podAffinity", affinity.pod_affinity), ("podAntiAffinity", affinity.pod_anti_affinity)):
        if pods is None:
            continue
        at = path / name / "requiredDuringSchedulingIgnoredDuringExecution"
        for i, must_term in enumerate(pods.required_during_scheduling_ignored_during_execution):
            yield from _pod_term_advice(must_term, at @ i)
        at = path / name / "preferredDuringSchedulingIgnoredDuringExecution"
        for i, weighted in enumerate(pods.preferred_during_scheduling_ignored_during_execution):
            yield from _pod_term_advice(weighted.pod_affinity_term, at @ i / "podAffinityTerm")


def _node_term_advice(term: NodeSelectorTerm, path: Path) -> Iterator[str]:
    for i, expression in enumerate(term.match_expressions):
        if expression.key in _OLD_NODE_LABELS:
            at = path / "matchExpressions" @ i / "key"
            yield f"{at}: {expression.key} is {_OLD_NODE_LABELS[expression.key]}"


def _pod_term_advice(term: PodAffinityTerm, path: Path) -> Iterator[str]:
    if term.label_selector is None:
        yield f"{path / 'labelSelector'}: {_NULL_SELECTOR}"


def _annotation_advice(annotations: Mapping[str, str], path: Path) -> Iterator[str]:
    if _SECCOMP in annotations:
        yield f'{path.key(_SECCOMP)}: non-functional in v1.27+; use the "seccompProfile" field instead'
    for key in sorted(annotations):
        if key.startswith(_CONTAINER_SECCOMP):
            yield f'{path.key(key)}: non-functional in v1.27+; use the "seccompProfile" field instead'
        elif key.startswith(_APP_ARMOR):
            yield f'{path.key(key)}: deprecated since v1.30; use the "appArmorProfile" field instead'


def _host_alias_advice(spec: PodSpec, path: Path) -> Iterator[str]:
    seen: set[str] = set()
    for i, alias in enumerate(spec.host_aliases):
        if alias.ip in seen:
            yield f"{path @ i / 'ip'}: duplicate ip {quote(alias.ip)}"
        seen.add(alias.ip)


def _pull_secret_advice(spec: PodSpec, path: Path) -> Iterator[str]:
    seen: set[str] = set()
    for i, secret in enumerate(spec.image_pull_secrets):
        if not secret.name:
            yield f'{path @ i}: invalid empty name ""'
        elif secret.name in seen:
            yield f"{path @ i}: duplicate name {quote(secret.name)}"
        seen.add(secret.name)


def _volume_advice(volume: Volume, path: Path) -> Iterator[str]:
    for field, words in _OLD_VOLUMES.items():
        if getattr(volume, field) is not None:
            yield f"{path}.{words}"
    if volume.empty_dir is not None and volume.empty_dir.size_limit is not None:
        yield from _fraction_advice({"": volume.empty_dir.size_limit}, path / "emptyDir" / "sizeLimit")


def _fraction_advice(amounts: Mapping[str, str], path: Path) -> Iterator[str]:
    """Bytes do not come in parts."""
    for name, amount in sorted(amounts.items()):
        if (not name or name in _BYTES) and quantity.milli_value(amount) % 1000:
            at = path.key(name) if name else path
            yield f"{at}: fractional byte value {quote(amount)} is invalid, must be an integer"


def _container_advice(container: Container | EphemeralContainer, path: Path) -> Iterator[str]:
    yield from _fraction_advice(container.resources.limits, path / "resources" / "limits")
    yield from _fraction_advice(container.resources.requests, path / "resources" / "requests")
    for i, port in enumerate(container.ports):
        if port.host_ip and not port.host_port:
            shown = (
                f"{{Name:{port.name} HostPort:{port.host_port} ContainerPort:{port.container_port} "
                f"Protocol:{port.protocol} HostIP:{port.host_ip}}}"
            )
            yield f"{path / 'ports' @ i}: hostIP set without hostPort: {shown}"
    seen: dict[str, str] = {}
    for i, variable in enumerate(container.env):
        if variable.name in seen and not variable.value.count(f"$({variable.name})"):
            hidden = quote(variable.name)
            yield f"{path / 'env' @ i}: hides previous definition of {hidden}, which may be dropped when using apply"
        seen[variable.name] = variable.value


def _port_advice(spec: PodSpec, path: Path) -> Iterator[str]:
    """Ports and their names are looked up across containers: the second of two is never found."""
    ports: dict[tuple[str, int], Path] = {}
    named: dict[str, Path] = {}
    for container, at in containers_with_path(spec, path):
        if isinstance(container, EphemeralContainer) or not container.ports:
            continue
        for i, port in enumerate(container.ports):
            here = at / "ports" @ i
            first = named.setdefault(port.name, here) if port.name else here
            if first is not here:
                yield (
                    f"{here}: duplicate port name {quote(port.name)} with {first}, "
                    f"services and probes that select ports by name will use {first}"
                )
            key = (port.protocol, port.container_port)
            same = ports.setdefault(key, here)
            if same is not here and not port.host_port:
                yield f"{here}: duplicate port definition with {same}"
