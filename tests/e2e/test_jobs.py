"""Jobs and CronJobs, as people type them."""

from __future__ import annotations

import pytest

from tests.e2e.serving import Kubectl, eventually

pytestmark = pytest.mark.kubectl

FAILING = """
apiVersion: batch/v1
kind: Job
metadata: {name: failing}
spec:
  backoffLimit: 0
  template:
    metadata:
      annotations: {kcore.dev/exit-code: "3"}
    spec:
      restartPolicy: Never
      containers: [{name: app, image: app}]
"""


def test_a_job_completes(kubectl: Kubectl) -> None:
    assert kubectl("create", "job", "one", "--image=busybox", "--", "true") == "job.batch/one created\n"
    assert "condition met" in kubectl("wait", "--for=condition=complete", "job/one", "--timeout=30s")
    status = kubectl.json("get", "job", "one")["status"]
    assert status["succeeded"] == 1
    assert "failed" not in status
    (pod,) = kubectl.json("get", "pods", "-l", "job-name=one")["items"]
    assert pod["status"]["phase"] == "Succeeded"
    assert "finalizers" not in pod["metadata"]
    assert "Job completed" in kubectl("describe", "job", "one")
    assert "deleted" in kubectl("delete", "job", "one")
    eventually(lambda: not kubectl.json("get", "pods", "-l", "job-name=one")["items"])


def test_a_job_whose_pod_fails_says_why(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=FAILING)
    assert "condition met" in kubectl("wait", "--for=condition=failed", "job/failing", "--timeout=30s")
    assert kubectl.json("get", "job", "failing")["status"]["failed"] == 1
    assert "Job has reached the specified backoff limit" in kubectl("describe", "job", "failing")


def test_a_cron_job_makes_jobs_by_hand_too(kubectl: Kubectl) -> None:
    kubectl("create", "cronjob", "x", "--image=busybox", "--schedule=0 0 1 1 *", "--", "date")
    kubectl("create", "job", "manual", "--from=cronjob/x")
    assert "condition met" in kubectl("wait", "--for=condition=complete", "job/manual", "--timeout=30s")
    owner = kubectl.json("get", "job", "manual")["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("CronJob", "x")
    kubectl("delete", "cronjob", "x")
    eventually(lambda: "NotFound" in kubectl("get", "job", "manual", check=False))
