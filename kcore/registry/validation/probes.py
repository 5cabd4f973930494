"""Probes and lifecycle hooks."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api import names
from kcore.api.core_v1 import ExecAction, HTTPGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction
from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, required
from kcore.registry.validation.addresses import validate_port_reference
from kcore.registry.validation.values import check, non_negative

__all__ = ["validate_lifecycle", "validate_liveness_probe", "validate_readiness_probe"]


def validate_liveness_probe(probe: Probe, path: Path) -> Iterator[FieldError]:
    """Also the rules of startup probes."""
    yield from _validate_probe(probe, path)
    if probe.success_threshold != 1:
        yield invalid(path / "successThreshold", probe.success_threshold, "must be 1")


def validate_readiness_probe(probe: Probe, path: Path) -> Iterator[FieldError]:
    yield from _validate_probe(probe, path)
    grace = probe.termination_grace_period_seconds
    if grace is not None:
        yield invalid(path / "terminationGracePeriodSeconds", grace, "must not be set for readinessProbes")


def _validate_probe(probe: Probe, path: Path) -> Iterator[FieldError]:
    yield from _validate_handler(probe, path)
    yield from non_negative(path / "initialDelaySeconds", probe.initial_delay_seconds)
    yield from non_negative(path / "timeoutSeconds", probe.timeout_seconds)
    yield from non_negative(path / "periodSeconds", probe.period_seconds)
    yield from non_negative(path / "successThreshold", probe.success_threshold)
    yield from non_negative(path / "failureThreshold", probe.failure_threshold)
    grace = probe.termination_grace_period_seconds
    if grace is not None and grace <= 0:
        yield invalid(path / "terminationGracePeriodSeconds", grace, "must be greater than 0")


def validate_lifecycle(lifecycle: Lifecycle, path: Path, grace_period: int | None) -> Iterator[FieldError]:
    if lifecycle.post_start is not None:
        yield from _validate_handler(lifecycle.post_start, path / "postStart", grace_period)
    if lifecycle.pre_stop is not None:
        yield from _validate_handler(lifecycle.pre_stop, path / "preStop", grace_period)


def _validate_handler(
    handler: Probe | LifecycleHandler, path: Path, grace_period: int | None = None
) -> Iterator[FieldError]:
    """Exactly one action; only the first of several is looked into."""
    actions: list[tuple[str, Iterator[FieldError]]] = []
    if handler.exec is not None:
        actions.append(("exec", _validate_exec(handler.exec, path / "exec")))
    if handler.http_get is not None:
        actions.append(("httpGet", _validate_http_get(handler.http_get, path / "httpGet")))
    if handler.tcp_socket is not None:
        actions.append(("tcpSocket", validate_port_reference(handler.tcp_socket.port, path / "tcpSocket" / "port")))
    if isinstance(handler, Probe):
        if handler.grpc is not None:
            actions.append(("grpc", validate_port_reference(handler.grpc.port, path / "grpc" / "port")))
    elif handler.sleep is not None:
        actions.append(("sleep", _validate_sleep(handler.sleep, path / "sleep", grace_period)))
    if not actions:
        yield required(path, "must specify a handler type")
    for i, (name, problems) in enumerate(actions):
        if i == 0:
            yield from problems
        else:
            yield forbidden(path / name, "may not specify more than 1 handler type")


def _validate_exec(action: ExecAction, path: Path) -> Iterator[FieldError]:
    if not action.command:
        yield required(path / "command")


def _validate_http_get(action: HTTPGetAction, path: Path) -> Iterator[FieldError]:
    if not action.path:
        yield required(path / "path")
    yield from validate_port_reference(action.port, path / "port")
    if action.scheme not in ("HTTP", "HTTPS"):
        yield not_supported(path / "scheme", action.scheme, ("HTTP", "HTTPS"))
    for header in action.http_headers:
        yield from check(path / "httpHeaders", header.name, names.http_header_name)


def _validate_sleep(action: SleepAction, path: Path, grace_period: int | None) -> Iterator[FieldError]:
    if grace_period is not None and not 0 <= action.seconds <= grace_period:
        words = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_period})"
        yield invalid(path, action.seconds, words)
