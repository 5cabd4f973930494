"""Custom resources as people use them: defined, applied, read and explained with kubectl; operated on by kopf."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.e2e.serving import Kubectl, Served, eventually

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %(plural)s.shop.example.com}
spec:
  group: shop.example.com
  scope: Namespaced
  names: {plural: %(plural)s, kind: %(kind)s, categories: [wares]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What is wanted.
            properties:
              size:
                type: integer
                default: 3
                minimum: 1
                description: How big it is.
                x-kubernetes-validations: [{rule: self <= 100 || self == oldSelf, message: too big}]
              replicas: {type: integer}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""
THING = """
apiVersion: shop.example.com/v1
kind: %(kind)s
metadata: {name: one}
spec: {replicas: 2}
"""


@pytest.mark.kubectl
def test_kubectl_defines_applies_and_explains(kubectl: Kubectl) -> None:
    # Several kubectls, perhaps at once: each defines a kind of its own.
    words = {"plural": f"{kubectl.namespace}s", "kind": kubectl.namespace.replace("-", "").capitalize()}
    definition = f"crd/{words['plural']}.shop.example.com"
    kubectl("apply", "-f", "-", stdin=DEFINITION % words)
    try:
        kubectl("wait", "--for=condition=Established", definition, "--timeout=10s")
        kubectl("apply", "-f", "-", stdin=THING % words)
        assert kubectl("get", words["plural"]).split() == ["NAME", "SIZE", "one", "3"]
        kubectl("patch", words["plural"], "one", "--type=merge", "-p", '{"spec":{"replicas":9}}')
        bigger = kubectl("patch", words["plural"], "one", "--type=merge", "-p", '{"spec":{"size":500}}', check=False)
        assert "spec.size: Invalid value: 500: too big" in bigger
        assert "configured" in kubectl("apply", "-f", "-", stdin=THING % words)
        kubectl("scale", words["plural"], "one", "--replicas=5")
        assert json.loads(kubectl("get", words["plural"], "one", "-o", "json"))["spec"] == {"replicas": 5, "size": 3}
        refused = kubectl("apply", "--server-side", "-f", "-", stdin=THING % words, check=False)
        assert "conflict" in refused
        assert ".spec.replicas" in refused
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=THING % words)
        assert kubectl.json("get", words["plural"], "one")["spec"] == {"replicas": 2, "size": 3}
        assert "How big it is." in kubectl("explain", f"{words['plural']}.spec")
    finally:
        kubectl("delete", definition, "--timeout=20s")
    assert words["plural"] not in kubectl("api-resources", "--api-group=shop.example.com")


OPERATOR = """
import kopf

@kopf.on.create("shop.example.com", "v1", "wares")
def made(spec, patch, **_):
    patch.status["area"] = spec["size"] * spec["size"]

@kopf.on.delete("shop.example.com", "v1", "wares")
def gone(**_):
    pass
"""


def test_kopf_operates_on_custom_resources(server: Served, namespace: str, tmp_path: Path) -> None:
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    words = {"plural": "wares", "kind": "Ware"}
    server.request("POST", definitions, yaml.safe_load(DEFINITION % words))
    wares = f"/apis/shop.example.com/v1/namespaces/{namespace}/wares"
    eventually(lambda: "shop.example.com" in str(server.request("GET", "/apis")))
    program = tmp_path / "operator.py"
    program.write_text(OPERATOR)
    command = [sys.executable, "-m", "kopf", "run", str(program), "-n", namespace, "--standalone"]
    environment = {"KUBECONFIG": str(server.kubeconfig), "PATH": "/usr/bin:/bin"}
    with (tmp_path / "log").open("w") as log:
        operator = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            server.request("POST", wares, yaml.safe_load(THING % words))
            eventually(lambda: server.request("GET", f"{wares}/one").get("status", {}).get("area") == 9)
            assert server.request("GET", f"{wares}/one")["metadata"]["finalizers"]
            server.request("DELETE", f"{definitions}/wares.shop.example.com")
            eventually(lambda: "shop.example.com" not in str(server.request("GET", "/apis")))
        finally:
            operator.terminate()
            operator.wait(20)
