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


WAITING = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: CLASS}
provisioner: kcore.dev/host-path
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], storageClassName: CLASS, resources: {requests: {storage: 1Gi}}}
"""


def test_claim_of_a_class_that_waits_is_bound_where_its_pod_goes(kubectl: Kubectl) -> None:
    name = f"waiting-{kubectl.namespace[-8:]}"
    kubectl("apply", "-f", "-", stdin=WAITING.replace("CLASS", name))

    def told() -> bool:
        """the claim says that it waits"""
        return "waiting for first consumer" in kubectl("describe", "pvc", "data")

    eventually(told)
    assert kubectl("get", "pvc", "data", "-o", "jsonpath={.status.phase}") == "Pending"
    kubectl("apply", "-f", "-", stdin=CLAIM.partition("---")[2])
    kubectl("wait", "pod/user", "--for=condition=Ready", "--timeout=30s")
    node = kubectl("get", "pod", "user", "-o", "jsonpath={.spec.nodeName}")
    claim = kubectl.json("get", "pvc", "data")
    assert claim["status"]["phase"] == "Bound"
    assert claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] == node
    kubectl("delete", "pod/user", "pvc/data", f"storageclass/{name}")


def test_pod_with_an_ephemeral_volume_brings_its_own_claim(kubectl: Kubectl) -> None:
    scratch = """
apiVersion: v1
kind: Pod
metadata: {name: user}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: "app:1"}]
  volumes:
  - name: scratch
    ephemeral:
      volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
"""
    kubectl("apply", "-f", "-", stdin=scratch)
    kubectl("wait", "pod/user", "--for=condition=Ready", "--timeout=30s")
    kubectl("wait", "pvc/user-scratch", "--for=jsonpath={.status.phase}=Bound", "--timeout=30s")
    kubectl("delete", "pod", "user")

    def gone() -> bool:
        """the claim went with its pod"""
        return "NotFound" in kubectl("get", "pvc", "user-scratch", check=False)

    eventually(gone)
