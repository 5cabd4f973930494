"""The pod and the Deployment that the benchmarks create: small, but with what real ones carry."""

from __future__ import annotations

from typing import Any

__all__ = ["deployment", "pod"]


def _spec() -> dict[str, Any]:
    return {
        "containers": [
            {
                "name": "app",
                "image": "registry.example/app:1.0",
                "ports": [{"containerPort": 8080, "name": "http"}],
                "env": [{"name": "MODE", "value": "bench"}],
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
                "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
            }
        ]
    }


def pod(
    name: str, *, generate_name: str = "", scheduler: str = "", labels: dict[str, str] | None = None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"labels": labels or {"app": "bench"}}
    metadata |= {"generateName": generate_name} if generate_name else {"name": name}
    spec = _spec() | ({"schedulerName": scheduler} if scheduler else {})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def deployment(name: str, replicas: int) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": _spec()},
        },
    }
