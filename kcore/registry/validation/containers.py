"""Containers: main, init, sidecar and ephemeral."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from kcore.api import names
from kcore.api.core_v1 import (
    Container,
    ContainerPort,
    ContainerResizePolicy,
    EphemeralContainer,
    PodSpec,
    ResourceRequirements,
    Volume,
)
from kcore.api.field import (
    FieldError,
    Path,
    duplicate,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
    too_many,
)
from kcore.registry.validation.env import validate_env, validate_env_from
from kcore.registry.validation.mounts import validate_volume_devices, validate_volume_mounts
from kcore.registry.validation.probes import validate_lifecycle, validate_liveness_probe, validate_readiness_probe
from kcore.registry.validation.resources import validate_requirements
from kcore.registry.validation.rules import refuse
from kcore.registry.validation.security import validate_security_context
from kcore.registry.validation.values import one_of

__all__ = [
    "Surroundings",
    "validate_containers",
    "validate_ephemeral_containers",
    "validate_image_spacing",
    "validate_init_containers",
]

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_RESTART_ACTIONS = ("Restart", "RestartAllContainers")
_RESTART_RULES_MAX = 20
_EXIT_CODES_MAX = 255
_NOT_EPHEMERAL = "cannot be set for an Ephemeral Container"


class Surroundings(NamedTuple):
    """What the rules of a container must know of its pod."""

    volumes: Mapping[str, Volume]
    claims: Collection[str]
    grace_period: int | None
    restart_policy: str
    host_users: bool


def validate_containers(containers: tuple[Container, ...], path: Path, pod: Surroundings) -> Iterator[FieldError]:
    if not containers:
        yield required(path)
        return
    seen: set[str] = set()
    for i, container in enumerate(containers):
        at = path @ i
        yield from _validate_common(container, at, pod)
        if container.name in seen:
            yield duplicate(at / "name", container.name)
        seen.add(container.name)
        yield from _validate_hooks(container, at, pod)
        if container.restart_policy is not None or container.restart_policy_rules:
            yield from _validate_restart(container, at)
    yield from _validate_host_ports(containers, path)


def _validate_hooks(container: Container, path: Path, pod: Surroundings) -> Iterator[FieldError]:
    """What only containers that keep running may have."""
    if container.lifecycle is not None:
        yield from validate_lifecycle(container.lifecycle, path / "lifecycle", pod.grace_period)
    if container.liveness_probe is not None:
        yield from validate_liveness_probe(container.liveness_probe, path / "livenessProbe")
    if container.readiness_probe is not None:
        yield from validate_readiness_probe(container.readiness_probe, path / "readinessProbe")
    if container.startup_probe is not None:
        yield from validate_liveness_probe(container.startup_probe, path / "startupProbe")


def validate_init_containers(
    containers: tuple[Container, ...], others: tuple[Container, ...], path: Path, pod: Surroundings
) -> Iterator[FieldError]:
    """One with restartPolicy Always is a sidecar (KEP-753)."""
    seen = {c.name for c in others}
    for i, container in enumerate(containers):
        at = path @ i
        yield from _validate_common(container, at, pod)
        if container.restart_policy is not None or container.restart_policy_rules:
            yield from _validate_restart(container, at)
        if container.name in seen:
            yield duplicate(at / "name", container.name)
        elif container.name:
            seen.add(container.name)
        # They run one by one, so their ports conflict only within one; upstream reports them as if it were the first.
        yield from _validate_host_ports((container,), path)
        if container.restart_policy == "Always":
            yield from _validate_hooks(container, at, pod)
        else:
            words = "may not be set for init containers without restartPolicy=Always"
            for name, value in (
                ("lifecycle", container.lifecycle),
                ("livenessProbe", container.liveness_probe),
                ("readinessProbe", container.readiness_probe),
                ("startupProbe", container.startup_probe),
            ):
                if value is not None:
                    yield forbidden(at / name, words)
            yield from _validate_no_restart_on_resize(container.resize_policy, at / "resizePolicy")


def validate_ephemeral_containers(spec: PodSpec, path: Path, pod: Surroundings) -> Iterator[FieldError]:
    """Containers for debugging a running pod: nothing may depend on them (KEP-277)."""
    others = {c.name for c in (*spec.containers, *spec.init_containers)}
    seen = set(others)
    for i, container in enumerate(spec.ephemeral_containers):
        at = path @ i
        yield from _validate_common(container, at, pod)
        yield from validate_image_spacing(container, at)
        if container.name in seen:
            yield duplicate(at / "name", container.name)
        seen.add(container.name)
        target = container.target_container_name
        if target and target not in others:
            yield not_found(at / "targetContainerName", target)
        for name, is_set in _beyond_ephemeral(container):
            if is_set:
                yield forbidden(at / name, _NOT_EPHEMERAL)
        for j, mount in enumerate(container.volume_mounts):
            if mount.sub_path:
                yield forbidden(at / "volumeMounts" @ j / "subPath", _NOT_EPHEMERAL)
            if mount.sub_path_expr:
                yield forbidden(at / "volumeMounts" @ j / "subPathExpr", _NOT_EPHEMERAL)


def _beyond_ephemeral(container: EphemeralContainer) -> tuple[tuple[str, bool], ...]:
    return (
        ("ports", bool(container.ports)),
        ("resources", container.resources != ResourceRequirements()),
        ("resizePolicy", bool(container.resize_policy)),
        ("restartPolicy", container.restart_policy is not None),
        ("restartPolicyRules", bool(container.restart_policy_rules)),
        ("livenessProbe", container.liveness_probe is not None),
        ("readinessProbe", container.readiness_probe is not None),
        ("startupProbe", container.startup_probe is not None),
        ("lifecycle", container.lifecycle is not None),
    )


def _validate_common(container: Container | EphemeralContainer, path: Path, pod: Surroundings) -> Iterator[FieldError]:
    if not container.name:
        yield required(path / "name")
    elif words := names.dns1123_label(container.name):
        yield from refuse(path / "name", container.name, words)
    if not container.image:
        yield required(path / "image")
    if container.termination_message_policy not in _MESSAGE_POLICIES:
        yield from one_of(path / "terminationMessagePolicy", container.termination_message_policy, _MESSAGE_POLICIES)
    if container.ports:
        yield from _validate_ports(container.ports, path / "ports")
    if container.env:
        yield from validate_env(container.env, path / "env")
    if container.env_from:
        yield from validate_env_from(container.env_from, path / "envFrom")
    if container.volume_mounts:
        yield from validate_volume_mounts(container, path / "volumeMounts", pod.volumes)
    if container.volume_devices:
        yield from validate_volume_devices(container, path / "volumeDevices", pod.volumes)
    if container.image_pull_policy not in _PULL_POLICIES:
        yield from one_of(path / "imagePullPolicy", container.image_pull_policy, _PULL_POLICIES)
    if container.resources.limits or container.resources.requests or container.resources.claims:
        yield from validate_requirements(container.resources, path / "resources", pod.claims)
    if container.resize_policy:
        yield from _validate_resize_policy(container.resize_policy, path / "resizePolicy", pod.restart_policy)
    if container.security_context is not None:
        at = path / "securityContext"
        yield from validate_security_context(container.security_context, at, host_users=pod.host_users)


def validate_image_spacing(container: Container | EphemeralContainer, path: Path) -> Iterator[FieldError]:
    """Only pods are held to this: templates with spaces around an image are as old as pods."""
    if container.image != container.image.strip():
        yield invalid(path / "image", container.image, "must not have leading or trailing whitespace")


def _validate_ports(ports: tuple[ContainerPort, ...], path: Path) -> Iterator[FieldError]:
    seen: set[str] = set()
    for i, port in enumerate(ports):
        if port.name:
            words = names.port_name(port.name)
            yield from refuse(path @ i / "name", port.name, words)
            if not words and port.name in seen:
                yield duplicate(path @ i / "name", port.name)
            elif not words:
                seen.add(port.name)
        if port.container_port == 0:
            yield required(path @ i / "containerPort")
        elif words := names.port_number(port.container_port):
            yield from refuse(path @ i / "containerPort", port.container_port, words)
        if port.host_port and (words := names.port_number(port.host_port)):
            yield from refuse(path @ i / "hostPort", port.host_port, words)
        if port.protocol not in _PROTOCOLS:
            yield from one_of(path @ i / "protocol", port.protocol, _PROTOCOLS)


def _validate_host_ports(containers: Iterable[Container], path: Path) -> Iterator[FieldError]:
    taken: set[str] = set()
    for i, container in enumerate(containers):
        for j, port in enumerate(container.ports):
            if port.host_port == 0:
                continue
            key = f"{port.protocol}/{port.host_ip}/{port.host_port}"
            if key in taken:
                yield duplicate(path @ i / "ports" @ j / "hostPort", key)
            taken.add(key)


def _validate_restart(container: Container, path: Path) -> Iterator[FieldError]:
    """A restart policy of its own, refined by exit codes (KEP-5307)."""
    policy, rules = container.restart_policy, container.restart_policy_rules
    if policy is None:
        yield required(path / "restartPolicy", "must specify restartPolicy when restart rules are used")
    elif policy not in _RESTART_POLICIES:
        yield not_supported(path / "restartPolicy", policy, _RESTART_POLICIES)
    at = path / "restartPolicyRules"
    if len(rules) > _RESTART_RULES_MAX:
        yield too_many(at, len(rules), _RESTART_RULES_MAX)
    for i, rule in enumerate(rules):
        if rule.action not in _RESTART_ACTIONS:
            yield not_supported(at @ i / "action", rule.action, _RESTART_ACTIONS)
        if rule.exit_codes is None:
            yield required(at @ i / "exitCodes", "must be specified")
        else:
            codes = at @ i / "exitCodes"
            if rule.exit_codes.operator not in ("In", "NotIn"):
                yield not_supported(codes / "operator", rule.exit_codes.operator, ("In", "NotIn"))
            if len(rule.exit_codes.values) > _EXIT_CODES_MAX:
                yield too_many(codes / "values", len(rule.exit_codes.values), _EXIT_CODES_MAX)


def _validate_no_restart_on_resize(policies: tuple[ContainerResizePolicy, ...], path: Path) -> Iterator[FieldError]:
    """A container that runs once can not run again for a resize."""
    for i, policy in enumerate(policies):
        if policy.restart_policy == "RestartContainer":
            words = "must not be set to 'RestartContainer' for non-sidecar initContainers"
            yield invalid(path @ i / "restartPolicy", policy.restart_policy, words)


def _validate_resize_policy(
    policies: tuple[ContainerResizePolicy, ...], path: Path, restart_policy: str
) -> Iterator[FieldError]:
    seen: set[str] = set()
    for i, policy in enumerate(policies):
        if policy.resource_name in seen:
            yield duplicate(path @ i, policy.resource_name)
        seen.add(policy.resource_name)
        yield from one_of(path, policy.resource_name, ("cpu", "memory"))
        yield from one_of(path, policy.restart_policy, ("NotRequired", "RestartContainer"))
        if restart_policy == "Never" and policy.restart_policy != "NotRequired":
            words = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            yield invalid(path, policy.restart_policy, words)
