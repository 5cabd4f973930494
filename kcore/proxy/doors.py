"""Where the proxy can be asked: its health port, its metrics port, and the health check node ports of Services."""

from __future__ import annotations

import json
from typing import NamedTuple

import anyio
import structlog
from anyio.abc import TaskGroup, TaskStatus

from kcore.kit.clock import Clock
from kcore.kit.door import Door, Reply
from kcore.proxy.health import HealthCheck, health_checks, healthz, service_health
from kcore.proxy.metrics import render
from kcore.proxy.proxier import Proxier

__all__ = ["Ports", "ProxyDoors"]

log = structlog.get_logger(__name__)


class Ports(NamedTuple):
    """kube-proxy's own. 0: a free one; None: none."""

    address: str = "127.0.0.1"
    health: int | None = 10256
    metrics: int | None = 10249


class ProxyDoors:
    """A service beside the proxier. `mode` is what `/proxyMode` tells."""

    def __init__(self, proxier: Proxier, mode: str, ports: Ports, clock: Clock) -> None:
        self._proxier = proxier
        self._mode = mode
        self._clock = clock
        self._address = ports.address
        self._fixed = [
            Door(ports.address, port, answer)
            for port, answer in ((ports.health, self._health), (ports.metrics, self._metrics))
            if port is not None
        ]
        self._checks: dict[int, HealthCheck] = {}
        self._scopes: dict[int, anyio.CancelScope] = {}

    @property
    def ports(self) -> list[int]:
        """Where the fixed doors really are, once started."""
        return [door.port for door in self._fixed]

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        async with anyio.create_task_group() as tasks:
            for door in self._fixed:
                await tasks.start(door.run)
            task_status.started()
            while True:
                changed = self._proxier.changed
                self._settle(tasks)
                await changed.wait()

    def _settle(self, tasks: TaskGroup) -> None:
        """Open the node ports that Services ask for, and close those that none does."""
        self._checks = health_checks(self._proxier.rules.values())
        for port in self._scopes.keys() - self._checks.keys():
            self._scopes.pop(port).cancel()
        for port in self._checks.keys() - self._scopes.keys():
            scope = self._scopes[port] = anyio.CancelScope()
            tasks.start_soon(self._serve, port, scope)

    async def _serve(self, port: int, scope: anyio.CancelScope) -> None:
        door = Door(self._address, port, lambda _: self._service(port))
        with scope:
            try:
                await door.run(task_status=anyio.TASK_STATUS_IGNORED)
            except OSError as error:
                log.warning("health_check_node_port_not_opened", port=port, reason=error.strerror or str(error))

    def _service(self, port: int) -> Reply | None:
        check = self._checks.get(port)
        return service_health(check, self._proxier.state, self._clock.now()) if check is not None else None

    def _health(self, path: str) -> Reply | None:
        match path:
            case "/healthz":
                return healthz(self._proxier.state, self._clock.now(), eligible=self._proxier.node_eligible)
            case "/livez":  # a node on its way out is no reason to restart the proxy
                return healthz(self._proxier.state, self._clock.now(), eligible=True)
        return None

    def _metrics(self, path: str) -> Reply | None:
        match path:
            case "/healthz":
                return Reply(200, b"ok")
            case "/proxyMode":
                return Reply(200, self._mode.encode())
            case "/statistics":
                return Reply(200, json.dumps(self._proxier.statistics()).encode(), "application/json")
            case "/metrics":
                return Reply(200, render(self._proxier), "text/plain")
        return None
