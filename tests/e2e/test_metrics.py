"""What nodes and pods use, as people look at it, and the autoscaler that follows."""

from __future__ import annotations

import pytest

from tests.e2e.serving import Kubectl, eventually

pytestmark = pytest.mark.kubectl

BUSY = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: busy}
spec:
  replicas: 1
  selector: {matchLabels: {app: busy}}
  template:
    metadata:
      labels: {app: busy}
      annotations: {kcore.dev/cpu: 800m, kcore.dev/memory: 96Mi}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: app:1
        resources: {requests: {cpu: 200m}}
"""


SCALED = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: busy}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: busy}
  maxReplicas: 3
  metrics:
  - type: Resource
    resource: {name: memory, target: {type: AverageValue, averageValue: 32Mi}}
"""


def test_usage_of_nodes_and_pods_is_told_and_busy_pods_get_help(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=BUSY)

    def measured() -> bool:
        """kubectl top shows the pod"""
        return "800m" in kubectl("top", "pods", check=False)

    eventually(measured)
    assert "96Mi" in kubectl("top", "pods", "--containers")
    assert "node-0" in kubectl("top", "nodes")
    assert "PodMetrics" in kubectl("api-resources", "--api-group", "metrics.k8s.io")

    kubectl("apply", "-f", "-", stdin=SCALED)

    def scaled() -> bool:
        """the Deployment has three replicas"""
        return kubectl("get", "deployment", "busy", "-o", "jsonpath={.spec.replicas}") == "3"

    eventually(scaled)
    assert "100663296/32Mi" in kubectl("get", "hpa")
    assert "SuccessfulRescale" in kubectl("describe", "hpa", "busy")
