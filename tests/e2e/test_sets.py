"""StatefulSets and DaemonSets as people use them, with every kubectl that this machine has."""

from __future__ import annotations

import pytest

from tests.e2e.serving import Kubectl, eventually

pytestmark = pytest.mark.kubectl

SETS = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: app, image: "app:1"}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: app, image: "app:1"}]
"""


def rolled_out(kubectl: Kubectl, owner: str, label: str, image: str) -> bool:
    kubectl("rollout", "status", owner, "--timeout=40s")
    found = kubectl("get", "pods", "-l", label, "-o", "jsonpath={.items[*].spec.containers[0].image}").split()
    return set(found) == {image}


def history(kubectl: Kubectl, owner: str) -> list[str]:
    return [line.split()[0] for line in kubectl("rollout", "history", owner).strip().splitlines()[2:]]


def test_sets_roll_out_back_and_again(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=SETS)
    owners = {"statefulset/db": "app=db", "daemonset/agent": "app=agent"}
    for owner, label in owners.items():
        assert rolled_out(kubectl, owner, label, "app:1")
    assert kubectl("get", "pods", "-l", "app=db", "-o", "name").split() == ["pod/db-0", "pod/db-1"]
    assert kubectl("get", "pvc", "-o", "name").split() == [
        "persistentvolumeclaim/data-db-0",
        "persistentvolumeclaim/data-db-1",
    ]
    nodes = kubectl("get", "pods", "-l", "app=agent", "-o", "jsonpath={.items[*].spec.nodeName}").split()
    assert sorted(nodes) == ["node-0", "node-1", "node-2"]
    for owner, label in owners.items():
        kubectl("set", "image", owner, "app=app:2")
        assert rolled_out(kubectl, owner, label, "app:2")
        assert history(kubectl, owner) == ["1", "2"]
        assert "app:1" in kubectl("rollout", "history", owner, "--revision=1")
        assert "rolled back" in kubectl("rollout", "undo", owner)
        assert rolled_out(kubectl, owner, label, "app:1")
        assert history(kubectl, owner) == ["2", "3"]
        assert "restarted" in kubectl("rollout", "restart", owner)
        assert rolled_out(kubectl, owner, label, "app:1")
        assert history(kubectl, owner) == ["2", "3", "4"]
    kubectl("scale", "statefulset/db", "--replicas=1")
    eventually(lambda: kubectl("get", "pods", "-l", "app=db", "-o", "name").split() == ["pod/db-0"])
