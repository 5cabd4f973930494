"""The sample in `examples/three-tier`: started from its manifests, crashed, rolled out, reached through its Service."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import yaml

from tests.e2e.serving import Served, eventually, serving

EXAMPLE = Path(__file__).parents[2] / "examples" / "three-tier"
APPS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"
PATHS = {"ConfigMap": "/api/v1/namespaces/default/configmaps", "Service": "/api/v1/namespaces/default/services"}
SERVICES, ADDRESSES = f"127.{20 + os.getpid() % 50}.0.0/16", f"127.{130 + os.getpid() % 100}.0.0/16"
"""Ranges that others who test on this machine just now hardly use, too."""
PATIENCE = 90


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    options = ["--ephemeral", "--nodes", "2", "--runtime", "process", "--service-cidr", SERVICES]
    options += ["--pod-loopback-cidr", ADDRESSES]
    with serving(tmp_path_factory.mktemp("shop"), *options) as server:
        for file in sorted(EXAMPLE.glob("*.yaml")):
            for document in yaml.safe_load_all(file.read_text().replace("[python3,", f"[{sys.executable},")):
                server.request("POST", PATHS.get(document["kind"], APPS), document)
        yield server


def address(server: Served) -> str:
    return str(server.request("GET", f"{PATHS['Service']}/web")["spec"]["clusterIP"])


def ask(server: Served, path: str, method: str = "GET") -> Any:
    with urllib.request.urlopen(
        urllib.request.Request(f"http://{address(server)}{path}", method=method), timeout=20
    ) as answer:
        return json.load(answer)


def rolled_out(server: Served, name: str) -> bool:
    found = server.request("GET", f"{APPS}/{name}")
    wanted, status = found["spec"]["replicas"], found["status"]
    current = status.get("observedGeneration") == found["metadata"]["generation"]
    counts = {status.get(name) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return current is True and counts == {wanted}


def pods_of(server: Served, app: str) -> list[Any]:
    return list(server.request("GET", f"{PODS}?labelSelector=app%3D{app}")["items"])


def answers(server: Served, expected: dict[str, Any]) -> bool:
    with contextlib.suppress(OSError):
        told: dict[str, Any] = ask(server, "/")
        return expected.items() <= told.items()
    return False


def test_the_shop_takes_and_fulfils_orders(shop: Served) -> None:
    for name in ("store", "web", "worker"):
        eventually(lambda name=name: rolled_out(shop, name), PATIENCE)  # type: ignore[misc]
    placed = [ask(shop, "/orders", "POST")["order"] for _ in range(3)]
    assert placed == [placed[0] + number for number in range(3)]
    eventually(lambda: answers(shop, {"placed": placed[-1], "fulfilled": placed[-1]}), PATIENCE)


def test_a_rollout_fails_no_request(shop: Served) -> None:
    eventually(lambda: rolled_out(shop, "web"), PATIENCE)
    over, failed, served = Event(), list[str](), list[str]()

    def shopping() -> None:
        while not over.is_set():
            try:
                served.append(ask(shop, "/")["version"])
            except (OSError, urllib.error.URLError) as error:
                failed.append(str(error))
            time.sleep(0.02)

    customer = Thread(target=shopping)
    customer.start()
    env = [{"name": "VERSION", "value": "2"}]
    change = {"spec": {"template": {"spec": {"containers": [{"name": "web", "env": env}]}}}}
    shop.request("PATCH", f"{APPS}/web", change, "application/strategic-merge-patch+json")
    try:
        eventually(lambda: rolled_out(shop, "web"), PATIENCE)
        eventually(lambda: served[-1:] == ["2"], PATIENCE)
    finally:
        over.set()
        customer.join()
    assert failed == []
    assert {"1", "2"} == set(served)


def test_a_lost_store_is_missed_and_found_again(shop: Served) -> None:
    (store,) = pods_of(shop, "store")
    shop.request("DELETE", f"{PODS}/{store['metadata']['name']}?gracePeriodSeconds=0")
    eventually(lambda: [p["metadata"]["uid"] for p in pods_of(shop, "store")] != [store["metadata"]["uid"]], PATIENCE)
    for name in ("store", "web"):
        eventually(lambda name=name: rolled_out(shop, name), PATIENCE)  # type: ignore[misc]
    assert ask(shop, "/orders", "POST")["order"] == 1
    eventually(lambda: answers(shop, {"placed": 1, "fulfilled": 1}), PATIENCE)
