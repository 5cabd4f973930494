"""The server and its OpenAPI documents, held against each other by schemathesis: requests made up from a document get
answers of the shape that it promises, and none of 5xx."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.serving import serving

pytest.importorskip("schemathesis", reason="pip install -e '.[schema]'")

TOKEN = 'admin-token,admin,admin-uid,"system:masters"'
NAMED = ("web", "default", "kube-system")
# Watches go on; what is beyond a proxy has no shape. Upstream's document promises a Status to who deletes a namespace,
# and upstream, too, answers with the namespace.
LEFT_OUT = ("--exclude-path-regex", "/watch/|/proxy", "--exclude-operation-id", "deleteCoreV1Namespace")
CHECKS = "not_a_server_error,response_schema_conformance,content_type_conformance"
OPTIONS = ("--phases", "fuzzing", "--mode", "positive", "--max-examples", "12", "--no-shrink", "--seed", "1")
QUIET = ("--warnings", "off", "--suppress-health-check", "all", "--continue-on-failure")
WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "image": "registry.example/app:1"}]},
        },
    },
}


def with_empty_moments(document: Any) -> Any:
    """Upstream writes null for moments that never came, of which its documents do not speak."""
    for name, schema in document["components"]["schemas"].items():
        if name.endswith((".v1.Time", ".v1.MicroTime")):
            schema["nullable"] = True
    return document


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("group_version", ["api/v1", "apis/apps/v1", "apis/batch/v1"])
def test_answers_have_the_shape_that_the_document_promises(group_version: str, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKEN)
    with serving(tmp_path, "--ephemeral", "--nodes", "1", "--token-auth-file", str(tokens)) as server:
        server.request("POST", "/apis/apps/v1/namespaces/default/deployments", WEB)
        document = tmp_path / "document.json"
        document.write_text(json.dumps(with_empty_moments(server.request("GET", f"/openapi/v3/{group_version}"))))
        config = tmp_path / "schemathesis.toml"
        config.write_text(
            f'[parameters]\n"path.namespace" = "default"\n"path.name" = {json.dumps(NAMED)}\n"query.watch" = false\n'
        )
        program = str(Path(sys.executable).with_name("st"))
        command = [program, "--config-file", str(config), "run", str(document), "--url", server.url, "--tls-verify"]
        command += ["false", "--header", "Authorization: Bearer admin-token", "--checks", CHECKS]
        done = subprocess.run([*command, *LEFT_OUT, *OPTIONS, *QUIET], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-10_000:] + done.stderr
