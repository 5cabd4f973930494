"""Tables of the workloads of apps/v1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.api import apps_v1
from kcore.api.kind import parse_api_version
from kcore.registry.tables.printer import AGE, NAME, NONE, Column, Printer, age, format_labels, format_selector, wide
from kcore.registry.tables.templates import TEMPLATE_COLUMNS, template_cells

__all__ = ["APPS"]


def _deployment(o: apps_v1.Deployment, now: float) -> Sequence[Any]:
    spec, status = o.spec, o.status
    return (
        o.metadata.name,
        f"{status.ready_replicas}/{spec.replicas or 0}",
        status.updated_replicas,
        status.available_replicas,
        age(o, now),
        *template_cells(spec.template),
        format_selector(spec.selector),
    )


def _replica_set(o: apps_v1.ReplicaSet, now: float) -> Sequence[Any]:
    spec, status = o.spec, o.status
    return (
        o.metadata.name,
        spec.replicas or 0,
        status.replicas,
        status.ready_replicas,
        age(o, now),
        *template_cells(spec.template),
        format_selector(spec.selector),
    )


def _stateful_set(o: apps_v1.StatefulSet, now: float) -> Sequence[Any]:
    ready = f"{o.status.ready_replicas}/{o.spec.replicas or 0}"
    return (o.metadata.name, ready, age(o, now), *template_cells(o.spec.template))


def _daemon_set(o: apps_v1.DaemonSet, now: float) -> Sequence[Any]:
    spec, status = o.spec, o.status
    return (
        o.metadata.name,
        status.desired_number_scheduled,
        status.current_number_scheduled,
        status.number_ready,
        status.updated_number_scheduled,
        status.number_available,
        format_labels(spec.template.spec.node_selector),
        age(o, now),
        *template_cells(spec.template),
        format_selector(spec.selector),
    )


def _revision(o: apps_v1.ControllerRevision, now: float) -> Sequence[Any]:
    owner = next((r for r in o.metadata.owner_references if r.controller), None)
    controller = NONE
    if owner is not None:
        group, _ = parse_api_version(owner.api_version)
        controller = f"{owner.kind.lower()}{'.' if group else ''}{group}/{owner.name}"
    return o.metadata.name, controller, o.revision, age(o, now)


_SELECTOR = wide("Selector", "Which pods are counted.")

APPS: Mapping[type[Any], Printer] = {
    apps_v1.Deployment: Printer(
        (
            NAME,
            Column("Ready", "How many of the pods are ready."),
            Column("Up-to-date", "How many pods are of the latest template."),
            Column("Available", "How many pods have been ready for long enough."),
            AGE,
            *TEMPLATE_COLUMNS,
            _SELECTOR,
        ),
        _deployment,
    ),
    apps_v1.ReplicaSet: Printer(
        (
            NAME,
            Column("Desired", "How many pods there should be.", "integer"),
            Column("Current", "How many pods there are.", "integer"),
            Column("Ready", "How many pods are ready.", "integer"),
            AGE,
            *TEMPLATE_COLUMNS,
            _SELECTOR,
        ),
        _replica_set,
    ),
    apps_v1.StatefulSet: Printer(
        (NAME, Column("Ready", "How many of the pods are ready."), AGE, *TEMPLATE_COLUMNS), _stateful_set
    ),
    apps_v1.DaemonSet: Printer(
        (
            NAME,
            Column("Desired", "How many nodes should run the pod.", "integer"),
            Column("Current", "How many nodes that should run the pod do.", "integer"),
            Column("Ready", "How many of the pods are ready.", "integer"),
            Column("Up-to-date", "How many pods are of the latest template.", "integer"),
            Column("Available", "How many pods have been ready for long enough.", "integer"),
            Column("Node Selector", "The labels of the nodes that should run the pod."),
            AGE,
            *TEMPLATE_COLUMNS,
            _SELECTOR,
        ),
        _daemon_set,
    ),
    apps_v1.ControllerRevision: Printer(
        (
            NAME,
            Column("Controller", "The workload that this is a revision of."),
            Column("Revision", "The number of the revision."),
            AGE,
        ),
        _revision,
    ),
}
