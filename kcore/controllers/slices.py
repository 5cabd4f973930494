"""Fits endpoints into EndpointSlices with few writes: slices of at most 100, what may stay where it is stays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from kcore.api.discovery_v1 import Endpoint, EndpointPort, EndpointSlice

__all__ = ["MAX_ENDPOINTS", "Plan", "plan"]

MAX_ENDPOINTS = 100

Ports = tuple[EndpointPort, ...]


class Plan(NamedTuple):
    """What is to be written. `create` holds the ports and endpoints of slices that are to be made."""

    create: list[tuple[Ports | None, tuple[Endpoint, ...] | None]]
    update: list[EndpointSlice]
    delete: list[EndpointSlice]


def plan(wanted: dict[Ports, list[Endpoint]], standing: Iterable[EndpointSlice]) -> Plan:
    """How to get from the `standing` slices of a service and address type to the `wanted` endpoints by ports.

    A service without endpoints keeps one empty slice, so that readers can tell it from one not looked at yet.
    """
    by_ports: dict[Ports, list[EndpointSlice]] = {}
    for slice_ in sorted(standing, key=lambda s: s.metadata.name):
        by_ports.setdefault(slice_.ports or (), []).append(slice_)
    result = Plan([], [], [])
    unused: list[EndpointSlice] = []
    for ports, slices in by_ports.items():
        if ports not in wanted:
            unused += slices
    for ports, endpoints in wanted.items():
        unused += _fit(ports, endpoints, by_ports.get(ports, []), result)
    if not wanted:
        _placeholder(unused, result)
    _reuse(unused, result)
    return result


def _fit(
    ports: Ports, wanted: Sequence[Endpoint], slices: Sequence[EndpointSlice], result: Plan
) -> list[EndpointSlice]:
    """Plan for one set of ports; the slices that end up empty."""
    left = {_identity(endpoint): endpoint for endpoint in wanted}
    kept: list[tuple[EndpointSlice, list[Endpoint]]] = []
    for slice_ in slices:
        stays = [left.pop(_identity(e)) for e in slice_.endpoints or () if _identity(e) in left]
        kept.append((slice_, stays))
    rest = list(left.values())
    # The fullest that changes anyway or has room takes the rest, so that slices stay few.
    for _, stays in sorted(kept, key=lambda k: (tuple(k[1]) == k[0].endpoints, -len(k[1]))):
        room = MAX_ENDPOINTS - len(stays)
        if rest and stays and room > 0:
            stays += rest[:room]
            rest = rest[room:]
    for slice_, stays in kept:
        if stays and tuple(stays) != slice_.endpoints:
            result.update.append(replace(slice_, endpoints=tuple(stays)))
    for start in range(0, len(rest), MAX_ENDPOINTS):
        result.create.append((ports, tuple(rest[start : start + MAX_ENDPOINTS])))
    return [slice_ for slice_, stays in kept if not stays]


def _placeholder(unused: list[EndpointSlice], result: Plan) -> None:
    empty = next((s for s in unused if not s.endpoints and not s.ports), None)
    if empty is not None:
        unused.remove(empty)
    else:
        result.create.append((None, None))


def _reuse(unused: list[EndpointSlice], result: Plan) -> None:
    """Fill slices that nobody needs instead of making new ones; delete the others."""
    while unused and result.create:
        ports, endpoints = result.create.pop()
        result.update.append(replace(unused.pop(), ports=ports, endpoints=endpoints))
    result.delete.extend(unused)


def _identity(endpoint: Endpoint) -> tuple[object, ...]:
    """What makes two endpoints the same one, in different conditions."""
    target = endpoint.target_ref
    return (endpoint.addresses, endpoint.hostname, target.uid if target is not None else None, endpoint.node_name)
