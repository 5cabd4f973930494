"""Whether the proxy works, and whether a Service has endpoints here: answers for load balancers, pure.

Services that want their traffic at nodes with endpoints only (`externalTrafficPolicy: Local`) have a health check node
port, which a balancer asks before it sends anything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from kcore.kit.door import Reply
from kcore.proxy.proxier import SyncState
from kcore.proxy.rules import Rule

__all__ = ["HealthCheck", "health_checks", "healthz", "service_health"]

STALE_SECONDS = 60.0
"""How long rules may be left undone before the proxy calls itself unwell."""


class HealthCheck(NamedTuple):
    """Which Service a health check node port speaks for, and how many endpoints it has here."""

    namespace: str
    service: str
    local_endpoints: int


def health_checks(rules: Iterable[Rule]) -> dict[int, HealthCheck]:
    """By node port. The ports of one Service share one, and the addresses behind them."""
    found: dict[int, HealthCheck] = {}
    for rule in rules:
        port, name = rule.port.health_check_node_port, rule.name
        if port:
            here = len({endpoint.address for endpoint in rule.endpoints.local if endpoint.ready})
            before = found[port].local_endpoints if port in found else 0
            found[port] = HealthCheck(name.namespace, name.service, max(here, before))
    return found


def healthy(state: SyncState, now: float) -> bool:
    return state.pending_since is None or now - state.pending_since < STALE_SECONDS


def healthz(state: SyncState, now: float, *, eligible: bool) -> Reply:
    """As kube-proxy answers; 503 while rules wait for longer than a minute, or while the node is on its way out."""
    well = healthy(state, now) and eligible
    times = {"lastUpdated": _time(state.last_synced), "currentTime": _time(now)}
    return _json(well, {**times, "nodeEligible": eligible})


def service_health(check: HealthCheck, state: SyncState, now: float) -> Reply:
    """What a load balancer asks of a health check node port."""
    well = healthy(state, now)
    body = {
        "service": {"namespace": check.namespace, "name": check.service},
        "localEndpoints": check.local_endpoints,
        "serviceProxyHealthy": well,
    }
    return _json(well and check.local_endpoints > 0, body)


def _json(well: bool, body: Mapping[str, object]) -> Reply:
    return Reply(200 if well else 503, json.dumps(body).encode(), "application/json")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f +0000 UTC")
