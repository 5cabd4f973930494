"""Where a server is and how to prove who one is, as kubeconfig files say it."""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

__all__ = ["Access", "KubeconfigError", "load", "with_pair"]


class KubeconfigError(Exception):
    """The file does not say what it should; the message is one sentence."""


class Access(NamedTuple):
    """`tls` None: plain HTTP."""

    server: str
    tls: ssl.SSLContext | None = None
    token: str = ""
    namespace: str = "default"


def load(path: Path, context: str = "") -> Access:
    """The access that `context` (or the current one) of a kubeconfig gives. Reads files."""
    document = _read(path)
    chosen = _named(document, "contexts", context or document.get("current-context", ""), "context")
    cluster = _named(document, "clusters", chosen.get("cluster", ""), "cluster")
    user = _named(document, "users", chosen.get("user", ""), "user") if chosen.get("user") else {}
    server = str(cluster.get("server", ""))
    if not server:
        raise KubeconfigError(f"{path} names no server")
    tls = _tls(cluster, user, path.parent) if server.startswith("https:") else None
    return Access(server.rstrip("/"), tls, _token(user, path.parent), chosen.get("namespace") or "default")


def with_pair(path: Path, context: str, pair: Path) -> str:
    """A kubeconfig for the same server, by a certificate and key that are together in a file."""
    document = _read(path)
    chosen = _named(document, "contexts", context or document.get("current-context", ""), "context")
    cluster = {**_named(document, "clusters", chosen.get("cluster", ""), "cluster")}
    if authority := cluster.get("certificate-authority"):
        cluster["certificate-authority"] = str((path.parent / authority).absolute())
    user = {"client-certificate": str(pair), "client-key": str(pair)}
    tree = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "default-cluster", "cluster": cluster}],
        "users": [{"name": "default-auth", "user": user}],
        "contexts": [{"name": "default-context", "context": {"cluster": "default-cluster", "user": "default-auth"}}],
        "current-context": "default-context",
    }
    return yaml.safe_dump(tree)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise KubeconfigError(f"cannot read {path}: {error}") from error
    if not isinstance(document, Mapping):
        raise KubeconfigError(f"{path} is no kubeconfig")
    return document


def _named(document: Mapping[str, Any], section: str, name: str, field: str) -> Mapping[str, Any]:
    entries: Iterable[Mapping[str, Any]] = document.get(section) or ()
    for entry in entries:
        if entry.get("name") == name:
            found: Mapping[str, Any] = entry.get(field) or {}
            return found
    raise KubeconfigError(f"the kubeconfig has no {field} {name!r}")


def _token(user: Mapping[str, Any], folder: Path) -> str:
    if user.get("token"):
        return str(user["token"])
    return (folder / user["tokenFile"]).read_text().strip() if user.get("tokenFile") else ""


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    authority = _bytes(cluster, "certificate-authority", folder)
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = _bytes(user, "client-certificate", folder), _bytes(user, "client-key", folder)
    if certificate and key:
        # The ssl module reads certificates from files only.
        with tempfile.NamedTemporaryFile() as both:
            both.write(certificate + b"\n" + key)
            both.flush()
            context.load_cert_chain(both.name)
    return context


def _bytes(entry: Mapping[str, Any], name: str, folder: Path) -> bytes:
    """A field that is given inline (`NAME-data`) or as a path."""
    if entry.get(f"{name}-data"):
        return base64.b64decode(entry[f"{name}-data"])
    return (folder / entry[name]).read_bytes() if entry.get(name) else b""
