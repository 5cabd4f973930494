"""Tables of what the control plane itself runs on: leases, classes, priorities, certificates, flow control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.api import (
    apiregistration_v1,
    certificates_v1,
    coordination_v1,
    flowcontrol_v1,
    node_v1,
    scheduling_v1,
)
from kcore.registry.tables.printer import AGE, NAME, NONE, Column, Printer, age, human_duration

__all__ = ["CONTROL_PLANE"]


def _lease(o: coordination_v1.Lease, now: float) -> Sequence[Any]:
    return o.metadata.name, o.spec.holder_identity or "", age(o, now)


def _priority_class(o: scheduling_v1.PriorityClass, now: float) -> Sequence[Any]:
    return o.metadata.name, o.value, o.global_default, age(o, now), o.preemption_policy or ""


def _runtime_class(o: node_v1.RuntimeClass, now: float) -> Sequence[Any]:
    return o.metadata.name, o.handler, age(o, now)


def _signing_request(o: certificates_v1.CertificateSigningRequest, now: float) -> Sequence[Any]:
    spec = o.spec
    seconds = spec.expiration_seconds
    return (
        o.metadata.name,
        age(o, now),
        spec.signer_name or NONE,
        spec.username,
        NONE if seconds is None else human_duration(seconds),
        _signing_status(o),
    )


def _signing_status(o: certificates_v1.CertificateSigningRequest) -> str:
    types = {c.type for c in o.status.conditions}
    word = "Denied" if "Denied" in types else "Approved" if "Approved" in types else "Pending"
    failed = ",Failed" if "Failed" in types else ""
    return f"{word}{failed}{',Issued' if o.status.certificate else ''}"


def _flow_schema(o: flowcontrol_v1.FlowSchema, now: float) -> Sequence[Any]:
    spec = o.spec
    method = spec.distinguisher_method
    return (
        o.metadata.name,
        spec.priority_level_configuration.name,
        spec.matching_precedence,
        method.type if method else NONE,
        age(o, now),
        next((c.status for c in o.status.conditions if c.type == "Dangling"), "?"),
    )


def _priority_level(o: flowcontrol_v1.PriorityLevelConfiguration, now: float) -> Sequence[Any]:
    limited = o.spec.limited
    shares = limited.nominal_concurrency_shares if limited else None
    queuing = limited.limit_response.queuing if limited else None
    queues = (queuing.queues, queuing.hand_size, queuing.queue_length_limit) if queuing else (NONE, NONE, NONE)
    return (o.metadata.name, o.spec.type, NONE if shares is None else shares, *queues, age(o, now))


def _api_service(o: apiregistration_v1.APIService, now: float) -> Sequence[Any]:
    service = o.spec.service
    condition = next((c for c in o.status.conditions if c.type == "Available"), None)
    available = "Unknown"
    if condition is not None:
        available = "True" if condition.status == "True" else f"{condition.status} ({condition.reason})"
    return o.metadata.name, f"{service.namespace}/{service.name}" if service else "Local", available, age(o, now)


CONTROL_PLANE: Mapping[type[Any], Printer] = {
    coordination_v1.Lease: Printer((NAME, Column("Holder", "Who holds the lease."), AGE), _lease),
    scheduling_v1.PriorityClass: Printer(
        (
            NAME,
            Column("Value", "The priority of the pods.", "integer"),
            Column("Global-Default", "Whether pods without a class get it.", "boolean"),
            AGE,
            Column("PreemptionPolicy", "Whether the pods may displace others."),
        ),
        _priority_class,
    ),
    node_v1.RuntimeClass: Printer((NAME, Column("Handler", "The runtime's own name for it."), AGE), _runtime_class),
    certificates_v1.CertificateSigningRequest: Printer(
        (
            NAME,
            AGE,
            Column("SignerName", "Who is asked to sign."),
            Column("Requestor", "Who asks."),
            Column("RequestedDuration", "For how long the certificate should hold."),
            Column("Condition", "What has become of it."),
        ),
        _signing_request,
    ),
    flowcontrol_v1.FlowSchema: Printer(
        (
            NAME,
            Column("PriorityLevel", "The level that requests go to."),
            Column("MatchingPrecedence", "Which schema is asked first: the lowest."),
            Column("DistinguisherMethod", "How flows are told apart."),
            AGE,
            Column("MissingPL", "Whether the level does not exist."),
        ),
        _flow_schema,
        order=lambda o: (o.spec.matching_precedence, o.metadata.name),
    ),
    flowcontrol_v1.PriorityLevelConfiguration: Printer(
        (
            NAME,
            Column("Type", "Whether requests are limited."),
            Column("NominalConcurrencyShares", "Its share of the places."),
            Column("Queues", "How many queues there are."),
            Column("HandSize", "How many queues a flow may use."),
            Column("QueueLengthLimit", "How long a queue may be."),
            AGE,
        ),
        _priority_level,
    ),
    apiregistration_v1.APIService: Printer(
        (
            NAME,
            Column("Service", "Who serves the group and version."),
            Column("Available", "Whether it can be reached."),
            AGE,
        ),
        _api_service,
    ),
}
