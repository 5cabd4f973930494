"""Starting, stopping, being killed, and saying clearly why it can not start."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.e2e.serving import Served, eventually, serving, start

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


def configmap(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"name": name}}


def deployment(replicas: int) -> dict[str, object]:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def available(server: Served) -> int:
    path = "/apis/apps/v1/namespaces/default/deployments/web"
    return int(server.request("GET", path)["status"].get("availableReplicas", 0))


def test_everything_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    server = start(tmp_path, "--data-dir", data)
    server.request("POST", "/apis/apps/v1/namespaces/default/deployments", deployment(3))
    eventually(lambda: available(server) == 3)
    versions = {
        name: server.request("POST", CONFIGMAPS, configmap(name))["metadata"]["resourceVersion"]
        for name in (f"cm-{i}" for i in range(50))
    }
    pods = {item["metadata"]["uid"] for item in server.request("GET", "/api/v1/namespaces/default/pods")["items"]}
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL

    with serving(tmp_path, "--data-dir", data) as again:
        for name, version in versions.items():
            assert again.request("GET", f"{CONFIGMAPS}/{name}")["metadata"]["resourceVersion"] == version
        assert pods == {
            item["metadata"]["uid"] for item in again.request("GET", "/api/v1/namespaces/default/pods")["items"]
        }
        scale = {"spec": {"replicas": 5}}
        path = "/apis/apps/v1/namespaces/default/deployments/web"
        again.request("PATCH", path, scale, "application/merge-patch+json")
        eventually(lambda: available(again) == 5)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_clean_and_quick(tmp_path: Path, signum: int) -> None:
    server = start(tmp_path, "--ephemeral")
    watching = subprocess.Popen(
        ["curl", "-sN", "--cacert", "/dev/null", "-k", f"{server.url}/version"], stdout=subprocess.DEVNULL
    )
    assert server.stop(signum) == 0
    watching.wait(10)
    assert (tmp_path / "stderr").read_text() == ""


def refused(*options: str) -> str:
    """What `serve` says when it refuses to start; one line, exit code 2."""
    command = [sys.executable, "-m", "kcore", "serve", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2, done
    return done.stderr


def test_a_port_in_use_is_said_clearly(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused("--ephemeral", "--secure-port", str(port), "--kubeconfig", str(tmp_path / "kubeconfig"))
    assert said.count("\n") == 1
    assert f"{port}" in said
    assert "in use" in said


def test_a_wrong_cidr_is_said_clearly() -> None:
    assert "'10.0.0.0/99' is no CIDR" in refused("--ephemeral", "--service-cidr", "10.0.0.0/99")


def test_a_data_directory_that_can_not_be_written_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused("--data-dir", str(tmp_path / "file"), "--secure-port", "0", "--kubeconfig", str(tmp_path / "config"))
    assert said.count("\n") == 1
    assert str(tmp_path / "file") in said


def test_a_second_server_on_the_same_data_is_refused(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    with serving(tmp_path, "--data-dir", data):
        said = refused("--data-dir", data, "--secure-port", "0", "--kubeconfig", str(tmp_path / "other"))
    assert said.count("\n") == 1
    assert data in said


def test_what_the_user_has_in_the_kubeconfig_stays(tmp_path: Path) -> None:
    mine = tmp_path / "kubeconfig"
    user = {"name": "mine", "user": {"token": "secret"}}
    mine.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "users": [user]}))
    with serving(tmp_path, "--ephemeral") as server:
        assert server.config["users"][0] == user
        assert server.config["current-context"] == "kcore"


def test_the_kubeconfig_command_prints_what_serve_wrote(tmp_path: Path) -> None:
    with serving(tmp_path, "--ephemeral") as server:
        command = [sys.executable, "-m", "kcore", "kubeconfig", "--kubeconfig", str(server.kubeconfig)]
        assert (
            subprocess.run(command, capture_output=True, text=True, check=True).stdout == server.kubeconfig.read_text()
        )
        assert server.kubeconfig.stat().st_mode & 0o777 == 0o600


def test_the_insecure_port_answers_as_in_the_article(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serving(tmp_path, "--ephemeral", "--insecure-port", str(port)):
        command = ["curl", "-sf", f"http://localhost:{port}/api/v1/pods"]
        assert '"kind":"PodList"' in subprocess.run(command, capture_output=True, text=True, check=True).stdout.replace(
            " ", ""
        )


def test_help_shows_what_a_newcomer_needs_and_the_rest_by_subject_when_asked() -> None:
    command = [sys.executable, "-m", "kcore", "serve"]
    short = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
    assert "--nodes" in short
    assert "--oidc-issuer-url" not in short
    assert "Authentication" in short.partition("More with --help-all:")[2]
    whole = subprocess.run([*command, "--help-all"], capture_output=True, text=True, check=True).stdout
    assert "--oidc-issuer-url" in whole.partition("\nAuthentication:\n")[2]
