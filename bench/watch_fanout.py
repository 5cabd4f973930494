"""How many watch events a second reach the sockets of 1,000 watchers while 200 pods are created? (goal: 150,000)

The watchers are raw TLS sockets in a process of their own: it counts the event lines it has read from them and stops
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import selectors
import socket
import ssl
import time
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from bench.pods import pod
from bench.serving import Served, report, served

WATCHERS = 1000
CREATES = 200
PATH = "/api/v1/namespaces/default/pods"
# One byte that stands once in every event and nowhere else, so that no read can split it.
MARK = b"^"


def request_bytes(server: Served, method: str, target: str, body: bytes = b"") -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def connect(server: Served, context: ssl.SSLContext) -> ssl.SSLSocket:
    address = ("127.0.0.1", urlsplit(server.url).port or 443)
    return context.wrap_socket(socket.create_connection(address), server_hostname="localhost")


def watch_all(url: str, ca: str, token: str, pipe: Connection) -> None:
    """Open the watches, say so, then count event lines until every watcher has seen every create."""
    context = ssl.create_default_context(cafile=ca)
    port = urlsplit(url).port or 443
    head = f"GET {PATH}?watch=true HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    selector = selectors.DefaultSelector()
    for _ in range(WATCHERS):
        raw = socket.create_connection(("127.0.0.1", port))
        sock = context.wrap_socket(raw, server_hostname="localhost")
        sock.sendall(head)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += sock.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ)
    pipe.send("ready")
    buffer = bytearray(1 << 18)
    view = memoryview(buffer)
    seen = received = 0
    while seen < WATCHERS * CREATES:
        for key, _ in selector.select():
            watcher = key.fileobj
            assert isinstance(watcher, ssl.SSLSocket)
            with contextlib.suppress(ssl.SSLWantReadError):
                while size := watcher.recv_into(view):
                    seen += buffer.count(MARK, 0, size)
                    received += size
    pipe.send((time.perf_counter(), received))


def create_all(server: Served) -> tuple[float, list[ssl.SSLSocket]]:
    """200 creates over 32 connections, all requests under way at once; returns when the first was sent, and the
    connections, which must stay open: a server drops the requests of a client that has gone."""
    context = ssl.create_default_context(cafile=str(server.ca))
    connections = [connect(server, context) for _ in range(32)]
    bodies = []
    for i in range(CREATES):
        document = pod(f"fan-{i}", scheduler="none")
        document["metadata"]["annotations"] = {"mark": MARK.decode()}
        bodies.append(json.dumps(document).encode())
    start = time.perf_counter()
    for i, body in enumerate(bodies):
        connections[i % len(connections)].sendall(request_bytes(server, "POST", PATH, body))
    return start, connections


def main() -> None:
    with served("--nodes", "0") as server:
        here, there = multiprocessing.Pipe()
        watchers = multiprocessing.Process(target=watch_all, args=(server.url, str(server.ca), server.token, there))
        watchers.start()
        assert here.poll(60)
        here.recv()
        start, connections = create_all(server)
        assert here.poll(60), "not every event arrived"
        end, received = here.recv()
        watchers.join()
        for connection in connections:
            connection.close()
    seconds = end - start
    report(
        "watch_fanout",
        watchers=WATCHERS,
        creates=CREATES,
        seconds=round(seconds, 3),
        events_per_second=round(WATCHERS * CREATES / seconds),
        megabytes_per_second=round(received / seconds / 1e6),
        goal=150000,
    )


if __name__ == "__main__":
    main()
