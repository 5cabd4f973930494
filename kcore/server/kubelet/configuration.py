"""What a kubelet tells of itself and of its machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.api.core_v1 import Node
from kcore.api.quantity import int_value, milli_value

__all__ = ["configuration", "machine"]


def configuration(node: Node) -> Mapping[str, Any]:
    """The part of a KubeletConfiguration that means something here (`/configz`)."""
    status = node.status
    return {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "port": status.daemon_endpoints.kubelet_endpoint.port,
        "authentication": {
            "x509": {},
            "webhook": {"enabled": True, "cacheTTL": "2m0s"},
            "anonymous": {"enabled": False},
        },
        "authorization": {
            "mode": "Webhook",
            "webhook": {"cacheAuthorizedTTL": "5m0s", "cacheUnauthorizedTTL": "30s"},
        },
        "enableDebuggingHandlers": True,
        "maxPods": int_value(status.capacity.get("pods", "0")),
        "podCIDR": node.spec.pod_cidr,
    }


def machine(node: Node) -> Mapping[str, Any]:
    """The machine as cAdvisor describes it (`/spec`)."""
    capacity, info = node.status.capacity, node.status.node_info
    return {
        "num_cores": milli_value(capacity.get("cpu", "0")) // 1000,
        "memory_capacity": int_value(capacity.get("memory", "0")),
        "machine_id": info.machine_id,
        "system_uuid": info.system_uuid,
        "boot_id": info.boot_id,
    }
