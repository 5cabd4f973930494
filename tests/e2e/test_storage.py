"""Claims as people use them, with every kubectl that this machine has."""

from __future__ import annotations

import pytest

from tests.e2e.serving import Kubectl, eventually

pytestmark = pytest.mark.kubectl

CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: user}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: "app:1"}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
"""


def test_claim_is_bound_grows_and_leaves_no_volume_behind(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=CLAIM)
    kubectl("wait", "pod/user", "--for=condition=Ready", "--timeout=30s")
    kubectl("wait", "pvc/data", "--for=jsonpath={.status.phase}=Bound", "--timeout=30s")
    assert "standard (default)" in kubectl("get", "storageclass")
    volume = kubectl("get", "pvc", "data", "-o", "jsonpath={.spec.volumeName}")
    assert volume in kubectl("get", "pv")

    kubectl("patch", "pvc", "data", "-p", '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}')
    kubectl("wait", "pvc/data", "--for=jsonpath={.status.capacity.storage}=2Gi", "--timeout=30s")

    kubectl("delete", "pvc", "data", "--wait=false")
    assert "Terminating" in kubectl("get", "pvc", "data")
    kubectl("delete", "pod", "user")

    def no_volume() -> bool:
        """the volume is gone"""
        return "NotFound" in kubectl("get", "pv", volume, check=False)

    eventually(no_volume)
