"""Manifests of static pods: what may stand in a file, and what a node adds to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from kcore.api.core_v1 import Pod, PodStatus, Toleration
from kcore.api.decoding import decode_tree
from kcore.api.errors import ApiError
from kcore.api.qos import qos_class
from kcore.api.yaml_syntax import YAMLSyntaxError, parse_yaml
from kcore.registry.defaults.pods import default_pod

__all__ = ["CONFIG_HASH", "CONFIG_SOURCE", "MIRROR", "ManifestError", "static_pods"]

CONFIG_HASH = "kubernetes.io/config.hash"
CONFIG_SOURCE = "kubernetes.io/config.source"
CONFIG_SEEN = "kubernetes.io/config.seen"
MIRROR = "kubernetes.io/config.mirror"

_EVERYTHING = Toleration(operator="Exists", effect="NoExecute")


class ManifestError(Exception):
    """What was read is no pod; the message says why."""


def static_pods(data: bytes, node: str, source: str, origin: str, seen: str) -> list[Pod]:
    """The pods of a manifest, ready to run on `node`. `origin` is the file or URL: part of what a pod is."""
    return [_static(tree, node, source, origin, seen) for tree in _pods(_parse(data))]


def _parse(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        pass
    try:
        return parse_yaml(data).tree
    except YAMLSyntaxError as error:
        raise ManifestError(f"neither JSON nor YAML: {error}") from error


def _pods(document: Any) -> Iterator[Any]:
    if not isinstance(document, dict):
        raise ManifestError("it holds no object")
    kind = document.get("kind")
    if kind == "Pod" and document.get("apiVersion") == "v1":
        yield document
    elif kind in ("PodList", "List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _pods({"kind": "Pod", "apiVersion": "v1", **item} if isinstance(item, dict) else item)
    else:
        raise ManifestError(f"it holds no Pod or PodList, but {document.get('apiVersion')} {kind}")


def _static(tree: dict[str, Any], node: str, source: str, origin: str, seen: str) -> Pod:
    try:
        pod: Pod = decode_tree(Pod, tree).obj
    except (ApiError, ValueError) as error:
        raise ManifestError(str(getattr(error, "message", error))) from error
    if not pod.metadata.name or not pod.spec.containers:
        raise ManifestError("a pod needs a name and containers")
    _refuse_references(pod)
    default_pod(pod)
    encoded = msgspec.json.encode(tree, order="deterministic")
    digest = hashlib.md5(encoded + f"|{node}|{origin}".encode(), usedforsecurity=False).hexdigest()
    annotations = {CONFIG_HASH: digest, CONFIG_SEEN: seen, CONFIG_SOURCE: source}
    metadata = replace(
        pod.metadata,
        name=f"{pod.metadata.name}-{node}",
        namespace=pod.metadata.namespace or "default",
        uid=digest,
        generation=1,
        creation_timestamp=seen,
        annotations={**pod.metadata.annotations, **annotations},
    )
    spec = replace(pod.spec, node_name=node, tolerations=(*pod.spec.tolerations, _EVERYTHING))
    return replace(pod, metadata=metadata, spec=spec, status=PodStatus(phase="Pending", qos_class=qos_class(spec)))


def _refuse_references(pod: Pod) -> None:
    """A static pod may not need what only the API server has."""
    if pod.spec.service_account_name:
        raise ManifestError("static pods may not reference service accounts")
    for volume in pod.spec.volumes:
        if any((volume.config_map, volume.secret, volume.projected, volume.persistent_volume_claim)):
            raise ManifestError(f"static pods may not reference API objects, as volume {volume.name} does")
