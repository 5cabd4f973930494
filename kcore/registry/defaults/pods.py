"""Defaults of pods and pod templates."""

from __future__ import annotations

from kcore.api import quantity
from kcore.api.core_v1 import (
    Container,
    EphemeralContainer,
    GRPCAction,
    HTTPGetAction,
    Lifecycle,
    Pod,
    PodSecurityContext,
    PodSpec,
    PodTemplate,
    PodTemplateSpec,
    Probe,
    ResourceRequirements,
)
from kcore.api.schema import assign, fill
from kcore.registry.defaults.images import pull_policy
from kcore.registry.defaults.volumes import default_volume

__all__ = ["default_pod", "default_pod_spec", "default_pod_template", "default_pod_template_spec"]


def default_pod(pod: Pod) -> None:
    spec = pod.spec
    default_pod_spec(spec)
    if spec.enable_service_links is None:
        assign(spec, "enable_service_links", True)
    for container in (*spec.containers, *spec.init_containers) if spec.init_containers else spec.containers:
        if container.resources.limits:
            _request_what_is_limited(container.resources)
        if spec.host_network and container.ports:
            _open_ports_on_host(container)
    if spec.resources is not None:
        _default_pod_level_requests(spec, spec.resources)


def default_pod_template(template: PodTemplate) -> None:
    default_pod_template_spec(template.template)


def default_pod_template_spec(template: PodTemplateSpec) -> None:
    default_pod_spec(template.spec)


def default_pod_spec(spec: PodSpec) -> None:
    """What pods and pod templates share."""
    if not spec.dns_policy:
        assign(spec, "dns_policy", "ClusterFirst")
    if not spec.restart_policy:
        assign(spec, "restart_policy", "Always")
    if spec.security_context is None:
        assign(spec, "security_context", PodSecurityContext())
    if spec.termination_grace_period_seconds is None:
        assign(spec, "termination_grace_period_seconds", 30)
    if not spec.scheduler_name:
        assign(spec, "scheduler_name", "default-scheduler")
    if spec.service_account or spec.service_account_name:
        _settle_service_account(spec)
    for container in spec.containers:
        default_container(container)
    for container in spec.init_containers:
        default_container(container)
    for debugger in spec.ephemeral_containers:
        default_container(debugger)
    for volume in spec.volumes:
        default_volume(volume)


def _settle_service_account(spec: PodSpec) -> None:
    """`serviceAccount` is the old name of `serviceAccountName`; both are kept equal, the new one wins."""
    name = spec.service_account_name or spec.service_account
    fill(spec, service_account_name=name, service_account=name)


def default_container(container: Container | EphemeralContainer) -> None:
    if not container.image_pull_policy:
        assign(container, "image_pull_policy", pull_policy(container.image))
    if not container.termination_message_path:
        assign(container, "termination_message_path", "/dev/termination-log")
    if not container.termination_message_policy:
        assign(container, "termination_message_policy", "File")
    for port in container.ports:
        if not port.protocol:
            assign(port, "protocol", "TCP")
    for variable in container.env:
        source = variable.value_from
        if source is not None and source.field_ref is not None and not source.field_ref.api_version:
            assign(source.field_ref, "api_version", "v1")
    for probe in (container.liveness_probe, container.readiness_probe, container.startup_probe):
        if probe is not None:
            _default_probe(probe)
    if container.lifecycle is not None:
        _default_lifecycle(container.lifecycle)


def _default_probe(probe: Probe) -> None:
    if not probe.timeout_seconds:
        assign(probe, "timeout_seconds", 1)
    if not probe.period_seconds:
        assign(probe, "period_seconds", 10)
    if not probe.success_threshold:
        assign(probe, "success_threshold", 1)
    if not probe.failure_threshold:
        assign(probe, "failure_threshold", 3)
    if probe.http_get is not None:
        _default_http_get(probe.http_get)
    if probe.grpc is not None:
        _default_grpc(probe.grpc)


def _default_http_get(action: HTTPGetAction) -> None:
    if not action.path:
        assign(action, "path", "/")
    if not action.scheme:
        assign(action, "scheme", "HTTP")


def _default_grpc(action: GRPCAction) -> None:
    if action.service is None:
        fill(action, service="")


def _default_lifecycle(lifecycle: Lifecycle) -> None:
    for handler in (lifecycle.post_start, lifecycle.pre_stop):
        if handler is not None and handler.http_get is not None:
            _default_http_get(handler.http_get)


def _open_ports_on_host(container: Container) -> None:
    for port in container.ports:
        if not port.host_port:
            fill(port, host_port=port.container_port)


def _request_what_is_limited(resources: ResourceRequirements) -> None:
    if resources.limits.keys() <= resources.requests.keys():
        return
    missing = {name: limit for name, limit in resources.limits.items() if name not in resources.requests}
    fill(resources, requests={**resources.requests, **missing})


def _default_pod_level_requests(spec: PodSpec, resources: ResourceRequirements) -> None:
    """A pod requests as a whole what its containers do together, or else what the pod is limited to (KEP-2837)."""
    requests = dict(resources.requests)
    for name, limit in resources.limits.items():
        if name in requests or not (name in ("cpu", "memory") or name.startswith("hugepages-")):
            continue
        together = _total_request(spec, name)
        requests[name] = limit if together is None or name.startswith("hugepages-") else together
    for name in ("cpu", "memory"):
        together = None if name in requests else _total_request(spec, name)
        if together is not None:
            requests[name] = together
    if requests != resources.requests:
        fill(resources, requests=requests)


def _total_request(spec: PodSpec, name: str) -> str | None:
    """What the containers request at the most demanding moment; None: no container mentions the resource.

    That is either the main containers beside all sidecars, or one init container beside the sidecars before it.
    """
    asked = False
    steady = sidecars = peak = "0"
    for container in spec.containers:
        if name in container.resources.requests:
            asked = True
            steady = quantity.add(steady, container.resources.requests[name])
    for container in spec.init_containers:
        if name not in container.resources.requests:
            continue
        asked = True
        running = quantity.add(sidecars, container.resources.requests[name])
        if container.restart_policy == "Always":
            sidecars = running
        peak = _larger(peak, running)
    return _larger(quantity.add(steady, sidecars), peak) if asked else None


def _larger(a: str, b: str) -> str:
    return b if quantity.compare(b, a) > 0 else a
