from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from kcore.server.kubeconfig import KubeconfigError, write_kubeconfig


def write(path: Path, server: str = "https://127.0.0.1:6443") -> Any:
    write_kubeconfig(path, server, b"ca", b"certificate", b"key")
    return yaml.safe_load(path.read_text())


def test_new_file_is_private_and_complete(tmp_path: Path) -> None:
    path = tmp_path / "kube" / "kcore.yaml"
    config = write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert config["current-context"] == "kcore"
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
    assert [p.name for p in path.parent.iterdir()] == ["kcore.yaml"]


def test_second_write_replaces_only_our_entries(tmp_path: Path) -> None:
    path = tmp_path / "config"
    other = {"name": "prod", "cluster": {"server": "https://prod"}}
    path.write_text(yaml.safe_dump({"kind": "Config", "clusters": [other], "current-context": "prod"}))
    write(path)
    config = write(path, "https://127.0.0.1:7777")
    assert config["clusters"][0] == other
    assert [c["cluster"]["server"] for c in config["clusters"]] == ["https://prod", "https://127.0.0.1:7777"]


@pytest.mark.parametrize(
    "text",
    [
        "a: [b",
        "kind: Secret\n",
        "- a\n",
        "clusters:\n- name: kcore\n  cluster: {server: 'https://mine'}\n",
    ],
)
def test_what_kcore_did_not_write_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(KubeconfigError, match="left alone"):
        write(path)
    assert path.read_text() == text


def test_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").exists()


def test_unwritable_place_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KubeconfigError, match="can not write the kubeconfig"):
        write(tmp_path / "file" / "config")
