"""Admission as people meet it: an operator with webhooks of its own, policies by kubectl, a quota under a rush."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import textwrap
import urllib.error
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.serving import Kubectl, Served, eventually
from tests.webhook_server import issue

OPERATOR = """
import kopf

@kopf.on.startup()
def configure(settings, **_):
    settings.admission.server = kopf.WebhookServer(
        addr="127.0.0.1", certfile="pki/apiserver.crt", pkeyfile="pki/apiserver.key", cafile="pki/ca.crt"
    )
    settings.admission.managed = "shop.example.com"

@kopf.on.mutate("configmaps", labels={"shop": kopf.PRESENT}, operation="CREATE")
def label(patch, userinfo, **_):
    patch.metadata.labels["seen"] = "yes"
    patch.metadata.annotations["by"] = userinfo["username"]

@kopf.on.validate("configmaps", labels={"shop": kopf.PRESENT})
def check(body, warnings, old, **_):
    data = body.get("data", {})
    if data.get("price") == "free":
        raise kopf.AdmissionError("nothing is free", code=402)
    if data.get("price") == "cheap":
        warnings.append("that is cheap")
"""


def configmap(name: str, price: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": {"shop": "corner"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"price": price}}


def test_operator_with_webhooks_of_its_own_works(server: Served, namespace: str, tmp_path: Path) -> None:
    issue(tmp_path / "pki", "127.0.0.1")
    (tmp_path / "shop.py").write_text(textwrap.dedent(OPERATOR))
    command = [sys.executable, "-m", "kopf", "run", "shop.py", "-n", namespace, "--standalone"]
    environment = {"KUBECONFIG": str(server.kubeconfig), "PATH": "/usr/bin:/bin"}
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    with (tmp_path / "log").open("w") as log:
        operator = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
        try:

            def registered() -> bool:
                return len(_webhooks(server)) == 2

            eventually(registered)
            made = server.request("POST", path, configmap("dear", "much"))
            assert made["metadata"]["labels"]["seen"] == "yes"
            assert made["metadata"]["annotations"]["by"] == "kubernetes-admin"
            with pytest.raises(urllib.error.HTTPError) as refused:
                server.request("POST", path, configmap("free", "free"))
            told = json.load(refused.value)
            assert told["code"] == 402
            assert told["message"].endswith("denied the request: nothing is free")
            cheaper = {"data": {"price": "free"}}
            with pytest.raises(urllib.error.HTTPError):
                server.request("PATCH", f"{path}/dear", cheaper, "application/merge-patch+json")
            server.request("DELETE", f"{path}/dear")
        finally:
            operator.terminate()
            operator.wait(20)
            for webhook in _webhooks(server):
                server.request("DELETE", webhook)


def _webhooks(server: Served) -> list[str]:
    """The paths of the configurations that the operator has written, once it has put webhooks into them."""
    root = "/apis/admissionregistration.k8s.io/v1"
    found = []
    for resource in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
        items = server.request("GET", f"{root}/{resource}")["items"]
        found += [f"{root}/{resource}/{i['metadata']['name']}" for i in items if i.get("webhooks")]
    return found


POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NAME}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
    - {apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments/scale]}
  validations:
  - expression: object.spec.replicas <= 2
    messageExpression: "'at most 2 replicas, not ' + string(object.spec.replicas)"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NAME}
spec: {policyName: NAME, validationActions: [Deny]}
"""


@pytest.mark.kubectl
def test_policy_holds_for_deployments_and_their_scale(kubectl: Kubectl) -> None:
    """The policy has the namespace's name, so that tests do not meet each other's."""
    text = POLICY.replace("NAMESPACE", kubectl.namespace).replace("NAME", kubectl.namespace)
    kubectl("apply", "-f", "-", stdin=text)
    try:
        said = kubectl("create", "deployment", "web", "--image=nginx", "--replicas=3", check=False)
        assert "denied request: at most 2 replicas, not 3" in said
        kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")
        assert "at most 2 replicas, not 5" in kubectl("scale", "deployment/web", "--replicas=5", check=False)
        kubectl("scale", "deployment/web", "--replicas=1")
        bad = text.replace("object.spec.replicas <= 2", "object.spec.replicas <=")
        assert "spec.validations[0].expression: Invalid value" in kubectl("apply", "-f", "-", stdin=bad, check=False)
    finally:
        kubectl("delete", "-f", "-", stdin=text)


async def test_quota_of_fifty_admits_fifty_of_two_hundred_at_once(server: Served, namespace: str) -> None:
    root = f"{server.url}/api/v1/namespaces/{namespace}"
    hard = {"count/configmaps": "51"}  # one is there already: the authority that every namespace gets
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=server.tls, limit=0)) as session:

        async def post(resource: str, name: str, **more: Any) -> int:
            async with session.post(f"{root}/{resource}", json={"metadata": {"name": name}, **more}) as answer:
                await answer.read()
                return answer.status

        async def status() -> Any:
            async with session.get(f"{root}/resourcequotas/q") as answer:
                return (await answer.json())["status"]

        await post("resourcequotas", "q", spec={"hard": hard})
        async with asyncio.timeout(20):
            while (await status()).get("used") != {"count/configmaps": "1"}:  # noqa: ASYNC110  # it can only be asked
                await asyncio.sleep(0.05)
        codes = Counter(await asyncio.gather(*(post("configmaps", f"cm{i}") for i in range(200))))
        assert codes == {201: 50, 403: 150}
        assert (await status())["used"] == {"count/configmaps": "51"}
