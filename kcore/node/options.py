"""What the kubelets of this process are told on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kcore.api.core_v1 import Taint
from kcore.api.quantity import QuantityError
from kcore.api.quantity import parse as parse_quantity

__all__ = ["NodeOptions", "parse_labels", "parse_taints"]

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
KUBELET_LABELS = ("kubernetes.io", "k8s.io")
OWN_LABELS = ("kubelet.kubernetes.io", "node.kubernetes.io")
WELL_KNOWN_LABELS = {
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
}


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """Fields are called as upstream's flags. Raises ValueError where a value makes no sense."""

    runtime: str = "fake"
    images_file: Path | None = None
    register_node: bool = True
    node_labels: Sequence[str] = ()
    register_with_taints: Sequence[str] = ()
    node_capacity: Sequence[str] = ()
    node_status_update_frequency: float = 10.0
    cloud_provider: str = ""
    pod_manifest_path: Path | None = None
    file_check_frequency: float = 20.0
    manifest_url: str = ""
    manifest_url_header: Sequence[str] = ()
    http_check_frequency: float = 20.0
    enable_crds: Sequence[str] = ()

    def __post_init__(self) -> None:
        parse_labels(self.node_labels)
        parse_taints(self.register_with_taints)
        self.capacity()
        self.headers()
        if unknown := set(self.enable_crds) - {"Stage"}:
            raise ValueError(f"--enable-crds: {min(unknown)!r} is not Stage, the only one there is")
        for name in ("node_status_update_frequency", "file_check_frequency", "http_check_frequency"):
            if getattr(self, name) <= 0:
                raise ValueError(f"--{name.replace('_', '-')} must be greater than 0")

    def capacity(self) -> dict[str, str]:
        """What nodes have to give, where the flag says."""
        given = dict(_pair(text, "--node-capacity", "cpu=8") for text in self.node_capacity)
        for name, amount in given.items():
            try:
                parse_quantity(amount)
            except QuantityError as error:
                raise ValueError(f"--node-capacity: {name}={amount}: {error}") from error
        return given

    def headers(self) -> list[tuple[str, str]]:
        """What is sent along when the manifest URL is read."""
        found = []
        for text in self.manifest_url_header:
            name, colon, value = text.partition(":")
            if not colon or not name.strip():
                raise ValueError(f"--manifest-url-header: {text!r} is not NAME:VALUE")
            found.append((name.strip(), value.strip()))
        return found


def parse_labels(texts: Sequence[str]) -> dict[str, str]:
    """Labels as `--node-labels` gives them; those that only Kubernetes itself may give are refused."""
    labels = dict(_pair(text, "--node-labels", "name=value") for text in texts)
    for name in labels:
        prefix = name.partition("/")[0] if "/" in name else ""
        reserved = any(prefix == domain or prefix.endswith(f".{domain}") for domain in KUBELET_LABELS)
        allowed = any(prefix == domain or prefix.endswith(f".{domain}") for domain in OWN_LABELS)
        if reserved and not allowed and name not in WELL_KNOWN_LABELS:
            raise ValueError(f"--node-labels: unknown label {name} in the 'kubernetes.io' or 'k8s.io' namespaces")
    return labels


def parse_taints(texts: Sequence[str]) -> tuple[Taint, ...]:
    """Taints as `--register-with-taints` gives them: `key=value:Effect` or `key:Effect`."""
    taints = []
    for text in texts:
        rest, _, effect = text.rpartition(":")
        key, _, value = rest.partition("=")
        if not key or effect not in EFFECTS:
            raise ValueError(f"--register-with-taints: {text!r} is not KEY=VALUE:EFFECT, of {', '.join(EFFECTS)}")
        taints.append(Taint(key=key, value=value, effect=effect))
    return tuple(taints)


def _pair(text: str, flag: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"{flag}: {text!r} is not such as {example}")
    return name, value
