"""Tables of the core group; pods, volumes and events have their own modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kcore.api import core_v1
from kcore.registry.tables.pods import POD
from kcore.registry.tables.printer import AGE, NAME, NONE, Column, Printer, age, at_most, format_labels, wide
from kcore.registry.tables.templates import TEMPLATE_COLUMNS, template_cells

__all__ = ["CORE"]


def _config_map(o: core_v1.ConfigMap, now: float) -> Sequence[Any]:
    return o.metadata.name, len(o.data) + len(o.binary_data), age(o, now)


def _secret(o: core_v1.Secret, now: float) -> Sequence[Any]:
    return o.metadata.name, o.type, len(o.data), age(o, now)


def _service_account(o: core_v1.ServiceAccount, now: float) -> Sequence[Any]:
    return o.metadata.name, age(o, now)


def _namespace(o: core_v1.Namespace, now: float) -> Sequence[Any]:
    return o.metadata.name, o.status.phase, age(o, now)


def _pod_template(o: core_v1.PodTemplate, now: float) -> Sequence[Any]:
    return (o.metadata.name, *template_cells(o.template), format_labels(o.template.metadata.labels))


def _replication_controller(o: core_v1.ReplicationController, now: float) -> Sequence[Any]:
    desired, status, template = o.spec.replicas or 0, o.status, o.spec.template
    cells = template_cells(template) if template else ("", "")
    return (
        *(o.metadata.name, desired, status.replicas, status.ready_replicas, age(o, now)),
        *(*cells, format_labels(o.spec.selector)),
    )


# --- services ---


def _service(o: core_v1.Service, now: float) -> Sequence[Any]:
    spec = o.spec
    return (
        o.metadata.name,
        spec.type,
        spec.cluster_ips[0] if spec.cluster_ips else NONE,
        _external_ip(o),
        ",".join(map(_port, spec.ports)) or NONE,
        age(o, now),
        format_labels(spec.selector),
    )


def _port(port: core_v1.ServicePort) -> str:
    middle = f":{port.node_port}" if port.node_port else ""
    return f"{port.port}{middle}/{port.protocol}"


def _external_ip(o: core_v1.Service) -> str:
    match o.spec.type:
        case "ClusterIP" | "NodePort":
            return ",".join(o.spec.external_ips) or NONE
        case "LoadBalancer":
            balanced = sorted({i.ip or i.hostname for i in o.status.load_balancer.ingress} - {""})
            return ",".join([*balanced, *o.spec.external_ips]) or "<pending>"
        case "ExternalName":
            return o.spec.external_name
    return "<unknown>"


def _endpoints(o: core_v1.Endpoints, now: float) -> Sequence[Any]:
    return o.metadata.name, at_most(3, _addresses(o)) if o.subsets else NONE, age(o, now)


def _addresses(o: core_v1.Endpoints) -> Iterator[str]:
    for subset in o.subsets:
        for port in subset.ports:
            for address in subset.addresses:
                yield f"[{address.ip}]:{port.port}" if ":" in address.ip else f"{address.ip}:{port.port}"
        if not subset.ports:
            yield from (address.ip for address in subset.addresses)


# --- nodes ---


def _node(o: core_v1.Node, now: float) -> Sequence[Any]:
    info = o.status.node_info
    return (
        o.metadata.name,
        _node_status(o),
        ",".join(sorted(_roles(o.metadata.labels))) or NONE,
        age(o, now),
        info.kubelet_version,
        _node_address(o, "InternalIP"),
        _node_address(o, "ExternalIP"),
        info.os_image or "<unknown>",
        info.kernel_version or "<unknown>",
        info.container_runtime_version or "<unknown>",
    )


def _node_status(o: core_v1.Node) -> str:
    ready = next((c.status == "True" for c in o.status.conditions if c.type == "Ready"), None)
    word = "Unknown" if ready is None else "Ready" if ready else "NotReady"
    return f"{word},SchedulingDisabled" if o.spec.unschedulable else word


def _roles(labels: Mapping[str, str]) -> set[str]:
    prefix = "node-role.kubernetes.io/"
    found = {k.removeprefix(prefix) for k in labels if k.startswith(prefix)} | {labels.get("kubernetes.io/role", "")}
    return found - {""}


def _node_address(o: core_v1.Node, type_: str) -> str:
    return next((a.address for a in o.status.addresses if a.type == type_), NONE)


def _quota(o: core_v1.ResourceQuota, now: float) -> Sequence[Any]:
    used = o.status.used
    shown = {name: f"{name}: {used.get(name, '0')}/{hard}" for name, hard in sorted(o.status.hard.items())}
    limits = [text for name, text in shown.items() if name.startswith("limits.")]
    requests = [text for name, text in shown.items() if not name.startswith("limits.")]
    return o.metadata.name, ", ".join(requests), ", ".join(limits), age(o, now)


def _component(o: core_v1.ComponentStatus, now: float) -> Sequence[Any]:
    condition = next((c for c in o.conditions if c.type == "Healthy"), None)
    if condition is None:
        return o.metadata.name, "Unknown", "", ""
    word = "Healthy" if condition.status == "True" else "Unhealthy"
    return o.metadata.name, word, condition.message, condition.error


CORE: Mapping[type[Any], Printer] = {
    core_v1.Pod: POD,
    core_v1.ConfigMap: Printer((NAME, Column("Data", "The number of keys."), AGE), _config_map),
    core_v1.Secret: Printer(
        (NAME, Column("Type", "What the data is for."), Column("Data", "The number of keys."), AGE), _secret
    ),
    core_v1.ServiceAccount: Printer((NAME, AGE), _service_account),
    core_v1.Namespace: Printer((NAME, Column("Status", "Whether the namespace is active or going."), AGE), _namespace),
    core_v1.PodTemplate: Printer(
        (
            NAME,
            Column("Containers", "The names of the containers."),
            Column("Images", "The images of the containers."),
            Column("Pod Labels", "The labels of the pods."),
        ),
        _pod_template,
    ),
    core_v1.ReplicationController: Printer(
        (
            NAME,
            Column("Desired", "How many pods there should be.", "integer"),
            Column("Current", "How many pods there are.", "integer"),
            Column("Ready", "How many pods are ready.", "integer"),
            AGE,
            *TEMPLATE_COLUMNS,
            wide("Selector", "The labels of the pods that are counted."),
        ),
        _replication_controller,
    ),
    core_v1.Service: Printer(
        (
            NAME,
            Column("Type", "How the service is made reachable."),
            Column("Cluster-IP", "The address inside the cluster."),
            Column("External-IP", "Addresses outside the cluster."),
            Column("Port(s)", "The ports, with node ports and protocols."),
            AGE,
            wide("Selector", "The labels of the pods that serve."),
        ),
        _service,
    ),
    core_v1.Endpoints: Printer((NAME, Column("Endpoints", "Addresses and ports that serve."), AGE), _endpoints),
    core_v1.Node: Printer(
        (
            NAME,
            Column("Status", "Whether the node is ready and takes pods."),
            Column("Roles", "The roles that labels give the node."),
            AGE,
            Column("Version", "The version of the kubelet."),
            wide("Internal-IP", "The address inside the cluster."),
            wide("External-IP", "The address outside the cluster."),
            wide("OS-Image", "The operating system."),
            wide("Kernel-Version", "The version of the kernel."),
            wide("Container-Runtime", "What runs the containers."),
        ),
        _node,
    ),
    core_v1.ResourceQuota: Printer(
        (
            NAME,
            Column("Request", "Requests used, and how much there may be."),
            Column("Limit", "Limits used, and how much there may be."),
            AGE,
        ),
        _quota,
    ),
    core_v1.ComponentStatus: Printer(
        (
            NAME,
            Column("Status", "Whether the component is healthy."),
            Column("Message", "What it says of itself."),
            Column("Error", "What is wrong."),
        ),
        _component,
    ),
}
