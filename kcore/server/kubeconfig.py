"""The administrator's kubeconfig: a file of our own, or our entries in a file that the user names.

Entries called `kcore` are ours when they carry our extension. Anything else in the file is the user's and stays.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from kcore.server.certificates import write_private

__all__ = ["KubeconfigError", "write_kubeconfig"]

NAME = "kcore"
_MARK = {"name": "kcore.dev", "extension": {"provider": "kcore"}}


class KubeconfigError(Exception):
    """The file can not be written without harm; the message is one sentence for the user."""


def write_kubeconfig(path: Path, server: str, authority: bytes, certificate: bytes, key: bytes) -> None:
    """Write, or merge into what stands there, and make it the current context. Raises KubeconfigError."""
    import yaml

    path = path.resolve()  # a link stays a link
    entries: dict[str, dict[str, Any]] = {
        "clusters": {
            "cluster": {
                "server": server,
                "certificate-authority-data": _base64(authority),
                "extensions": [_MARK],
            }
        },
        "users": {"user": {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)}},
        "contexts": {"context": {"cluster": NAME, "user": NAME, "extensions": [_MARK]}},
    }
    try:
        config = _read(path)
        for section, entry in entries.items():
            config[section] = _with_entry(config.get(section) or [], {"name": NAME, **entry}, path)
        config["current-context"] = NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, yaml.safe_dump(config, sort_keys=False).encode())
    except OSError as error:
        raise KubeconfigError(f"can not write the kubeconfig {path}: {error.strerror or error}") from error


def _read(path: Path) -> dict[str, Any]:
    """What stands in the file, or the beginning of a new one."""
    import yaml

    try:
        text = path.read_text()
    except FileNotFoundError:
        text = ""
    try:
        config = yaml.safe_load(text) or {"apiVersion": "v1", "kind": "Config"}
    except yaml.YAMLError as error:
        raise KubeconfigError(f"{path} is no YAML, so it is left alone: choose another --kubeconfig") from error
    if not isinstance(config, dict) or config.get("kind", "Config") != "Config":
        raise KubeconfigError(f"{path} is no kubeconfig, so it is left alone: choose another --kubeconfig")
    return config


def _with_entry(section: list[dict[str, Any]], entry: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """The section with our entry in place of our earlier one."""
    for other in section:
        if other.get("name") != NAME:
            continue
        for part in ("cluster", "context"):
            if part in other and _MARK not in (other[part].get("extensions") or []):
                raise KubeconfigError(
                    f"{path} has a {part} called {NAME} that kcore did not write, so it is left alone: "
                    "choose another --kubeconfig"
                )
    return [other for other in section if other.get("name") != NAME] + [entry]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
