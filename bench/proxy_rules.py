"""What do 5,000 Services with three endpoints each cost the proxy?

From their objects to the whole iptables text (goal: 1 s); one endpoint's change to the text of its difference (goal:
50 ms); and the memory that the table takes beside the objects (goal: 40 MB). The reference is the encoding of the same
objects as JSON.
"""

from __future__ import annotations

import gc
import time
import tracemalloc

import msgspec
from msgspec.structs import replace

from bench.serving import report
from kcore.api.core_v1 import Service, ServicePort, ServiceSpec
from kcore.api.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from kcore.api.meta_v1 import ObjectMeta
from kcore.proxy.iptables.layout import Settings
from kcore.proxy.iptables.table import RuleTable
from kcore.proxy.rules import Diff, difference, rules_of_service

SERVICES = 5_000
CHANGES = 50


def made(i: int) -> tuple[Service, EndpointSlice]:
    ip = f"10.{96 + i // 65536}.{i // 256 % 256}.{i % 256}"
    spec = ServiceSpec(
        type="NodePort",
        cluster_ip=ip,
        cluster_ips=(ip,),
        ports=(ServicePort(name="http", port=80, protocol="TCP", node_port=30000 + i % 2768),),
    )
    service = Service(metadata=ObjectMeta(name=f"s{i}", namespace="ns"), spec=spec)
    endpoints = tuple(Endpoint(addresses=(f"10.{j}.{i // 256}.{i % 256}",)) for j in (1, 2, 3))
    ports = (EndpointPort(name="http", port=8080, protocol="TCP"),)
    return service, EndpointSlice(address_type="IPv4", endpoints=endpoints, ports=ports)


def main() -> None:
    objects = [made(i) for i in range(SERVICES)]
    start = time.perf_counter()
    for service, slice_ in objects:
        msgspec.json.encode(service)
        msgspec.json.encode(slice_)
    reference = time.perf_counter() - start

    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    rules = {}
    for service, slice_ in objects:
        rules.update(rules_of_service(service, [slice_]))
    table = RuleTable(Settings(cluster_cidr="10.244.0.0/16"))
    table.update(Diff(put=rules))
    gc.collect()
    memory = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    start = time.perf_counter()
    rules = {}
    for service, slice_ in objects:
        rules.update(rules_of_service(service, [slice_]))
    table = RuleTable(Settings(cluster_cidr="10.244.0.0/16"))
    table.update(Diff(put=rules))
    text = table.full()
    whole = time.perf_counter() - start

    start = time.perf_counter()
    for i in range(CHANGES):
        service, slice_ = objects[i]
        fewer = replace(slice_, endpoints=(slice_.endpoints or ())[:2])
        old = {name: rules[name] for name in rules_of_service(service, [slice_])}
        assert table.update(difference(old, rules_of_service(service, [fewer])))
    change = (time.perf_counter() - start) / CHANGES

    report(
        "proxy_rules",
        services=SERVICES,
        whole_seconds=round(whole, 2),
        whole_ratio=round(whole / reference, 1),
        change_ms=round(change * 1000, 2),
        memory_mb=round(memory / 1e6, 1),
        text_mb=round(len(text) / 1e6, 1),
        goal="1 s, 50 ms, 40 MB",
    )


if __name__ == "__main__":
    main()
