"""The iptables back end for real: packets through network namespaces that the test makes.

One namespace is the node, with a bridge; every pod has its own, on the bridge; the client is a pod, too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from kcore.api.core_v1 import ClientIPConfig, ServicePort, SessionAffinityConfig
from kcore.api.discovery_v1 import EndpointPort
from kcore.proxy.iptables.backend import Iptables
from kcore.proxy.iptables.layout import Settings
from kcore.proxy.rules import Diff, Rule, rules_of_service
from tests.proxy.cluster import endpoint, service, slice_of

PREFIX = f"kc{os.getpid() % 10000}"
NODE, CLIENT = f"{PREFIX}n", f"{PREFIX}c"
PODS = {"10.199.0.11": f"{PREFIX}a", "10.199.0.12": f"{PREFIX}b"}
NODE_IP, CLIENT_IP, VIP = "10.199.0.1", "10.199.0.9", "10.96.0.41"
PORT, POD_PORT, NODE_PORT = 80, 8080, 30080

# What runs in a pod: says which pod it is, over TCP and UDP.
POD = """
import socket, sys, threading
name, port = sys.argv[1], int(sys.argv[2])
tcp = socket.create_server((name, port), backlog=128)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((name, port))
def datagrams():
    while True:
        _, peer = udp.recvfrom(100)
        udp.sendto(name.encode(), peer)
threading.Thread(target=datagrams, daemon=True).start()
print("ready", flush=True)
while True:
    link, _ = tcp.accept()
    link.sendall(name.encode())
    link.close()
"""
# What runs at the client: asks so many times, and prints each answer.
ASK = """
import socket, sys
kind, host, port, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for _ in range(times):
    link = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    link.settimeout(5)
    try:
        link.connect((host, port))
        link.sendall(b"?")
        print(link.recv(100).decode(), flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
    link.close()
"""


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


def missing() -> str:
    """Why this can not run here."""
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    for tool in ("ip", "iptables", "iptables-restore", "iptables-save", "nsenter"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    try:
        run("ip", "netns", "add", f"{PREFIX}x")
        run("ip", "netns", "exec", f"{PREFIX}x", "iptables", "-t", "nat", "-L")
    except subprocess.CalledProcessError as error:
        return f"the kernel refuses: {error.stderr.strip()}"
    finally:
        subprocess.run(["ip", "netns", "del", f"{PREFIX}x"], capture_output=True, check=False)
    return ""


def join(name: str, address: str) -> None:
    """A namespace of its own on the node's bridge."""
    link = f"v{name}"
    run("ip", "netns", "add", name)
    run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
    run("ip", "link", "set", link, "netns", NODE)
    inside = ("ip", "netns", "exec", NODE)
    run(*inside, "ip", "link", "set", link, "master", "br0", "up")
    run(*inside, "bridge", "link", "set", "dev", link, "hairpin", "on")
    for command in (
        f"ip address add {address}/24 dev eth0",
        "ip link set eth0 up",
        "ip link set lo up",
        f"ip route add default via {NODE_IP}",
    ):
        run("ip", "netns", "exec", name, *command.split())


@dataclass
class Ground:
    """The namespaces, and a server in each pod."""

    servers: list[subprocess.Popen[str]] = field(default_factory=list)

    def build(self) -> None:
        run("ip", "netns", "add", NODE)
        for command in (
            # What goes to virtual IPs comes in by the bridge and would go out by it again: no reason to tell the sender
            # that it could save itself the way.
            "sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0",
            "ip link set lo up",
            "ip link add br0 type bridge",
            f"ip address add {NODE_IP}/24 dev br0",
            "ip link set br0 up",
            "ip route add 10.96.0.0/16 dev br0",  # a node has a default route; this one has no gateway
            "sysctl -qw net.ipv4.ip_forward=1",
        ):
            run("ip", "netns", "exec", NODE, *command.split())
        join(CLIENT, CLIENT_IP)
        for address, name in PODS.items():
            join(name, address)
            program = ["ip", "netns", "exec", name, sys.executable, "-c", POD, address, str(POD_PORT)]
            server = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
            self.servers.append(server)
            assert server.stdout
            assert server.stdout.readline() == "ready\n"

    def destroy(self) -> None:
        for server in self.servers:
            server.kill()
            server.wait()
            assert server.stdout
            server.stdout.close()
        for name in (*PODS.values(), CLIENT, NODE):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.fixture(scope="module")
def ground() -> Iterator[None]:
    if why := missing():
        pytest.skip(why)
    made = Ground()
    try:
        made.build()
        yield
    finally:
        made.destroy()


def ask(kind: str, host: str, port: int, times: int = 1, where: str = CLIENT) -> list[str]:
    return run("ip", "netns", "exec", where, sys.executable, "-c", ASK, kind, host, str(port), str(times)).split()


def rule(*addresses: str, protocol: str = "TCP", **spec: Any) -> Rule:
    ports = (ServicePort(name="p", port=PORT, protocol=protocol, node_port=NODE_PORT),)
    slices = [slice_of(*map(endpoint, addresses), port=EndpointPort(name="p", port=POD_PORT, protocol=protocol))]
    [made] = rules_of_service(service(ip=VIP, type="NodePort", ports=ports, **spec), slices).values()
    return made


def put(*rules: Rule) -> Diff:
    return Diff(put={rule.name: rule for rule in rules})


@asynccontextmanager
async def programmed(*rules: Rule) -> AsyncIterator[Iptables]:
    backend = Iptables([Settings(cluster_cidr="10.199.0.0/24")], netns=NODE, clean_up=True)
    async with anyio.create_task_group() as tasks:
        await tasks.start(backend.run)
        await backend.apply(put(*rules))
        yield backend
        tasks.cancel_scope.cancel()


def chains() -> list[str]:
    saved = run("ip", "netns", "exec", NODE, "iptables-save")
    return [line for line in saved.splitlines() if "KUBE" in line]


async def test_tcp_and_udp_reach_cluster_ip_and_node_port(ground: None) -> None:
    async with programmed(rule(*PODS), rule(*PODS, protocol="UDP")):
        for kind in ("tcp", "udp"):
            assert set(ask(kind, VIP, PORT, 20)) == set(PODS)
            assert set(ask(kind, NODE_IP, NODE_PORT, 20)) == set(PODS)
        assert set(ask("tcp", VIP, PORT, 20, where=NODE)) == set(PODS)
        # A pod that calls its own Service, and is answered by itself.
        assert set(ask("tcp", VIP, PORT, 20, where=PODS["10.199.0.11"])) == set(PODS)


async def test_connections_spread_as_the_dice_say(ground: None) -> None:
    async with programmed(rule(*PODS)):
        shares = Counter(ask("tcp", VIP, PORT, 400))
        # 400 throws of a fair coin leave this band once in ten million.
        assert all(145 < count < 255 for count in shares.values())
        assert len(shares) == 2


async def test_affinity_keeps_a_client_at_one_pod(ground: None) -> None:
    config = SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=60))
    async with programmed(rule(*PODS, session_affinity="ClientIP", session_affinity_config=config)):
        assert len(set(ask("tcp", VIP, PORT, 30))) == 1


async def test_endpoints_come_and_go_with_small_restores(ground: None) -> None:
    async with programmed(rule("10.199.0.11")) as backend:
        assert set(ask("tcp", VIP, PORT, 5)) == {"10.199.0.11"}
        await backend.apply(put(rule("10.199.0.12")))
        assert set(ask("tcp", VIP, PORT, 5)) == {"10.199.0.12"}
        await backend.apply(put(rule()))
        assert ask("tcp", VIP, PORT) == ["ConnectionRefusedError"]
        await backend.apply(put(rule("10.199.0.11")))
        assert set(ask("tcp", VIP, PORT, 5)) == {"10.199.0.11"}
        assert backend.statistics()["iptables"] == {"restores": 4, "failures": 0}


async def test_nothing_is_left_when_it_ends(ground: None) -> None:
    async with programmed(rule(*PODS)):
        assert chains()
    assert chains() == []


async def test_what_an_earlier_run_left_behind_goes_with_the_first_restore(ground: None) -> None:
    stale = "KUBE-SEP-AAAAAAAAAAAAAAAA"
    run("ip", "netns", "exec", NODE, "iptables", "-t", "nat", "-N", stale)
    async with programmed(rule(*PODS)):
        assert not any(stale in line for line in chains())
