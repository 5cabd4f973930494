"""The composition root of a node that lives by itself: its kubelet, and the HTTPS API by which it is asked."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kcore.client import kubeconfig as kubeconfigs
from kcore.kit.service import Service
from kcore.node.engine import KubeletEngine, KubeletOptions, api_server_variables
from kcore.node.options import NodeOptions
from kcore.node.runtimes import ProcessOptions
from kcore.server.certificates import Pki
from kcore.server.kubelet.server import KubeletServer
from kcore.standalone import Surroundings

__all__ = ["StandAloneKubelet"]

FOR_EVER = float("inf")


@dataclass(frozen=True, slots=True)
class StandAloneKubelet:
    """One node. `root` is where it keeps everything of its own."""

    name: str
    node: NodeOptions
    root: Path
    pod_cidr: str
    address: str
    port: int
    kubeconfig: Path
    context: str = ""

    def services(self, around: Surroundings) -> Iterator[Service]:
        """What runs, in the order in which it starts."""
        access = kubeconfigs.load(self.kubeconfig, self.context)
        pki = Pki.ensure(self.root / "pki", around.clock, [self.name, self.address])
        engine = KubeletEngine(
            around.client, around.informers, around.events, around.clock, around.chance, self._options(access)
        )
        server = KubeletServer(
            engine.api,
            around.client,
            around.clock,
            around.chance,
            host=self.address,
            port=self.port,
            ssl_context=pki.server_context(self._authorities(access)),
        )
        yield server
        engine.nodes.kubelet_port = server.port
        yield engine

    def _options(self, access: kubeconfigs.Access) -> KubeletOptions:
        options = KubeletOptions(
            name_prefix=self.name,
            node=self.node,
            cluster_cidr=self.pod_cidr,
            host_address=self.address,
            stand_alone=True,
        )
        if self.node.runtime != "process":
            return options
        host, _, port = access.server.rpartition("//")[2].rpartition(":")
        variables = api_server_variables(host.strip("[]"), int(port)) if port.isdigit() else {}
        process = ProcessOptions(self.root, self.node.images_file, FOR_EVER, stop_at_end=False, variables=variables)
        return options.for_processes(process)

    def _authorities(self, access: kubeconfigs.Access) -> Sequence[Path]:
        """Whose certificates the API server may show here: those of the authority that it is itself known by."""
        if access.tls is None:
            return []
        path = self.root / "pki" / "api-server-ca.crt"
        path.write_text("".join(map(ssl.DER_cert_to_PEM_cert, access.tls.get_ca_certs(binary_form=True))))
        return [path]
