"""Services that carry traffic, from the outside: a served cluster and plain sockets.

Each test has a service range of its own out of 127.0.0.0/8; what answers are small servers on loopback addresses.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest

from tests.e2e.serving import Served, eventually, serving

PODS = ("127.131.0.1", "127.131.0.2", "127.131.0.3")
POD_PORT = 8095


class _Pod(BaseHTTPRequestHandler):
    """Says its own address, and whatever path it was asked for."""

    def do_GET(self) -> None:
        body = f"{self.connection.getsockname()[0]} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def pods() -> Iterator[dict[str, ThreadingHTTPServer]]:
    servers = {address: ThreadingHTTPServer((address, POD_PORT), _Pod) for address in PODS}
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers.values()]
    for thread in threads:
        thread.start()
    try:
        yield servers
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()


def get(host: str, port: int, path: str = "/", source: str = "127.0.0.1") -> str:
    connection = http.client.HTTPConnection(host, port, timeout=10, source_address=(source, 0))
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_service(server: Served, name: str, *addresses: str, **spec: Any) -> dict[str, Any]:
    """A Service without selector, and its endpoints."""
    body = {
        "metadata": {"name": name},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": POD_PORT}], **spec},
    }
    made: dict[str, Any] = server.request("POST", "/api/v1/namespaces/default/services", body)
    slice_ = {
        "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address]} for address in addresses],
        "ports": [{"name": "http", "port": POD_PORT, "protocol": "TCP"}],
    }
    server.request("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", slice_)
    return made


def reached(host: str, port: int) -> bool:
    with contextlib.suppress(OSError):
        return bool(get(host, port))
    return False


def test_a_service_is_reached_by_cluster_ip_node_port_and_name(tmp_path: Path) -> None:
    names = free_port()
    options = ("--ephemeral", "--nodes", "0", "--service-cidr", "127.101.0.0/16", "--dns-port", str(names))
    with pods(), serving(tmp_path, *options) as server:
        made = make_service(server, "web", *PODS, type="NodePort")
        ip, node_port = made["spec"]["clusterIP"], made["spec"]["ports"][0]["nodePort"]
        eventually(lambda: reached(ip, 80))
        eventually(lambda: reached("127.0.0.1", node_port))
        answers = Counter(get(ip, 80).split()[0] for _ in range(30))
        assert answers == dict.fromkeys(PODS, 10)

        query = dns.message.make_query("web.default.svc.cluster.local", "A")
        response = dns.query.udp(query, "127.101.0.10", timeout=10, port=names)
        assert [str(item) for rrset in response.answer for item in rrset] == [ip]


def test_an_endpoint_that_dies_costs_nobody_an_answer_and_affinity_holds(tmp_path: Path) -> None:
    options = ("--ephemeral", "--nodes", "0", "--service-cidr", "127.102.0.0/16", "--cluster-dns=false")
    with pods() as running, serving(tmp_path, *options) as server:
        plain = make_service(server, "plain", *PODS)["spec"]["clusterIP"]
        sticky = make_service(server, "sticky", *PODS, sessionAffinity="ClientIP")["spec"]["clusterIP"]
        eventually(lambda: reached(plain, 80))
        eventually(lambda: reached(sticky, 80))
        running[PODS[0]].shutdown()
        running[PODS[0]].server_close()
        assert {get(plain, 80).split()[0] for _ in range(12)} == set(PODS[1:])
        for client in ("127.131.9.1", "127.131.9.2"):
            assert len({get(sticky, 80, source=client).split()[0] for _ in range(6)}) == 1


def test_a_proxy_of_its_own_process_forwards_for_a_cluster_served_elsewhere(tmp_path: Path) -> None:
    options = ("--ephemeral", "--nodes", "0", "--service-cidr", "127.103.0.0/16", "--proxy-mode", "none")
    with pods(), serving(tmp_path, *options, "--cluster-dns=false") as server:
        ip = make_service(server, "web", *PODS)["spec"]["clusterIP"]
        with pytest.raises(ConnectionRefusedError):
            get(ip, 80)
        command = [sys.executable, "-m", "kcore", "proxy", "--kubeconfig", str(server.kubeconfig)]
        command += ["--service-cidr", "127.103.0.0/16"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
            try:
                assert proxy.stdout
                assert proxy.stdout.readline().startswith("kube-proxy works")
                assert get(ip, 80).split()[0] in PODS
                dumped = subprocess.run([*command, "--dump-rules"], capture_output=True, text=True, check=True).stdout
                assert f'"default/web:http cluster IP" -m tcp -p tcp -d {ip} --dport 80' in dumped
            finally:
                proxy.terminate()
        assert proxy.returncode == 0
