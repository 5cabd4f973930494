"""Services that carry traffic, from the outside: a served cluster and plain sockets.

Each test has a service range of its own out of 127.0.0.0/8; what answers are small servers on loopback addresses, those
of the test itself or pods that are processes.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest

from tests.e2e.serving import Kubectl, Served, eventually, kubectls, serving

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


def test_a_load_balancer_is_reached_at_the_address_that_it_got(tmp_path: Path) -> None:
    options = ("--ephemeral", "--nodes", "0", "--service-cidr", "127.104.0.0/16", "--cluster-dns=false")
    with pods(), serving(tmp_path, *options, "--load-balancer-cidr", "127.19.104.0/28") as server:
        make_service(server, "web", *PODS, type="LoadBalancer")

        def ingress() -> list[dict[str, str]]:
            status = server.request("GET", "/api/v1/namespaces/default/services/web")["status"]
            return list(status["loadBalancer"].get("ingress", ()))

        eventually(lambda: bool(ingress()))
        assert ingress() == [{"ip": "127.19.104.1", "ipMode": "VIP"}]
        eventually(lambda: reached("127.19.104.1", 80))
        assert {get("127.19.104.1", 80).split()[0] for _ in range(30)} == set(PODS)


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


WEB = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Web(BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["POD_NAME"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
ThreadingHTTPServer((os.environ["POD_IP"], 8080), Web).serve_forever()
"""


def deployment(replicas: int) -> str:
    container = {
        "name": "web",
        "image": "web:1",
        "command": [sys.executable, "-c", WEB],
        "readinessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
    }
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    ports = [{"port": 80, "targetPort": 8080}]
    documents = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": ports},
        },
    ]
    return "\n---\n".join(map(json.dumps, documents))


@contextlib.contextmanager
def serving_web(folder: Path, service_cidr: str, dns_port: int, replicas: int) -> Iterator[tuple[Kubectl, str, int]]:
    """A served cluster with process pods behind a Service: kubectl for it, the cluster IP and the node port."""
    options = ("--ephemeral", "--nodes", "2", "--runtime", "process", "--service-cidr", service_cidr)
    with serving(folder, *options, "--kubelet-port", "0", "--dns-port", str(dns_port)) as server:
        kubectl = Kubectl(kubectls()[-1], server, "default")
        kubectl("apply", "-f", "-", stdin=deployment(replicas))
        kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        found = json.loads(kubectl("get", "service", "web", "-o", "json"))["spec"]
        ip, node_port = found["clusterIP"], found["ports"][0]["nodePort"]
        eventually(lambda: len({get(ip, 80) for _ in range(2 * replicas)}) == replicas if reached(ip, 80) else False)
        yield kubectl, ip, node_port


@pytest.mark.kubectl
@pytest.mark.skipif(not kubectls(), reason="no kubectl on the PATH")
def test_process_pods_are_reached_through_their_service_in_every_way(tmp_path: Path) -> None:
    names = free_port()
    with serving_web(tmp_path, "127.104.0.0/16", names, replicas=2) as (kubectl, ip, node_port):
        pods = set(kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.name}").split())
        assert {get("127.0.0.1", node_port) for _ in range(4)} == pods
        query = dns.message.make_query("web.default.svc.cluster.local", "A")
        answer = dns.query.udp(query, "127.104.0.10", timeout=10, port=names).answer
        assert [str(item) for rrset in answer for item in rrset] == [ip]
        for path in ("namespaces/default/services/web/proxy/", "proxy/namespaces/default/services/web/"):
            assert kubectl("get", "--raw", f"/api/v1/{path}") in pods


@pytest.mark.soak
@pytest.mark.kubectl
@pytest.mark.skipif(not kubectls(), reason="no kubectl on the PATH")
def test_a_rollout_under_load_costs_no_request(tmp_path: Path) -> None:
    with serving_web(tmp_path, "127.105.0.0/16", free_port(), replicas=3) as (kubectl, ip, _):
        ended, failures, answers = threading.Event(), list[str](), Counter[str]()

        def load() -> None:
            while not ended.is_set():
                try:
                    answers[get(ip, 80)] += 1
                except (OSError, http.client.HTTPException) as error:
                    failures.append(repr(error))

        threads = [threading.Thread(target=load) for _ in range(10)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            kubectl("rollout", "restart", "deployment/web")
            kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        ended.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(answers) > 6
        assert sum(answers.values()) > 1000
