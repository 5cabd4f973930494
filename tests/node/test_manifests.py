"""Manifests of static pods."""

from __future__ import annotations

import pytest

from kcore.api.core_v1 import Pod
from kcore.node.sources.manifests import CONFIG_HASH, ManifestError, static_pods

MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: app, image: "nginx:%s"}]}
"""


def parsed(text: str) -> list[Pod]:
    return static_pods(text.encode(), "node-0", "file", "/m/web.yaml", "2026-01-01T00:00:00Z")


def test_a_manifest_becomes_a_pod_of_its_node() -> None:
    (pod,) = parsed(MANIFEST % 1)
    assert (pod.metadata.name, pod.metadata.namespace, pod.spec.node_name) == ("web-node-0", "default", "node-0")
    assert pod.metadata.uid == pod.metadata.annotations[CONFIG_HASH]
    assert pod.spec.containers[0].image_pull_policy == "IfNotPresent"
    assert pod.metadata.uid != parsed(MANIFEST % 2)[0].metadata.uid


def test_lists_hold_pods() -> None:
    text = '{"kind": "PodList", "apiVersion": "v1", "items": [%s, %s]}'
    one = '{"metadata": {"name": "%s"}, "spec": {"containers": [{"name": "a", "image": "x"}]}}'
    assert [pod.metadata.name for pod in parsed(text % (one % "a", one % "b"))] == ["a-node-0", "b-node-0"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{", "neither JSON nor YAML"),
        ("[]", "it holds no object"),
        ("kind: Node\napiVersion: v1", "it holds no Pod or PodList, but v1 Node"),
        ("kind: Pod\napiVersion: v1\nmetadata: {name: x}", "a pod needs a name and containers"),
        (MANIFEST % 1 + "  \nspec: {serviceAccountName: x, containers: [{name: a}]}", "service accounts"),
        (
            "kind: Pod\napiVersion: v1\nmetadata: {name: x}\n"
            "spec: {containers: [{name: a, image: x}], volumes: [{name: v, secret: {secretName: s}}]}",
            "may not reference API objects, as volume v does",
        ),
    ],
)
def test_what_is_no_static_pod_says_why(text: str, why: str) -> None:
    with pytest.raises(ManifestError, match=why):
        parsed(text)
