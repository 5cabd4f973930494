"""The composition root of a node that lives by itself: its kubelet, and the HTTPS API by which it is asked."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kcore.client import kubeconfig as kubeconfigs
from kcore.kit.clock import SystemClock
from kcore.kit.process import CannotStart
from kcore.kit.service import Service
from kcore.node.certificate import (
    CertificateRefused,
    CertificateRotation,
    is_current,
    request_certificate,
    write_pair,
)
from kcore.node.engine import KubeletEngine, KubeletOptions, api_server_variables
from kcore.node.options import NodeOptions
from kcore.node.runtimes import ProcessOptions
from kcore.server.certificates import Pki
from kcore.server.kubelet.server import KubeletServer
from kcore.standalone import Remote, Surroundings, ask

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
        access = around.access
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
        if str(self.pair) in self.kubeconfig.read_text():
            yield self._rotation(around)
        yield server
        engine.nodes.kubelet_port = server.port
        yield engine

    @property
    def pair(self) -> Path:
        """Where a certificate is kept that the node has asked for itself, with its key."""
        return self.root / "pki" / "kubelet-client-current.pem"

    def introduce(self, bootstrap: Path) -> None:
        """Get an identity by means of a kubeconfig that may do little else, if there is none that is valid.

        Raises CannotStart.
        """
        own = self.kubeconfig.exists()
        if own and (str(self.pair) not in self.kubeconfig.read_text() or is_current(self.pair, SystemClock().now())):
            return
        try:
            pair = ask(Remote(bootstrap), lambda client: request_certificate(client, self.name))
            write_pair(self.pair, pair)
            self.kubeconfig.write_text(kubeconfigs.with_pair(bootstrap, "", self.pair))
        except (CertificateRefused, OSError) as error:
            raise CannotStart(f"no certificate for the node {self.name}: {error}") from error

    def _rotation(self, around: Surroundings) -> Service:
        def renewed() -> None:
            if around.access.tls is not None:  # what is connected stays so; what connects from now on shows the new one
                around.access.tls.load_cert_chain(self.pair)

        request = partial(request_certificate, around.client, self.name)
        return CertificateRotation(request, self.pair, renewed, around.clock, around.chance)

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
