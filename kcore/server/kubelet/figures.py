"""`/metrics` of a node, for Prometheus and metrics-server: the figures of its summary in their words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kcore.api.core_v1 import Node, Pod
from kcore.api.quantity import int_value, milli_value
from kcore.api.timestamp import parse

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["METRICS", "Shown"]

_NANO = 1e-9


class Shown(NamedTuple):
    """All that there is to show of a node: `summary` is that of `/stats/summary`, `probed` counts answers by pod,
    container, kind of probe, and whether they were good."""

    node: Node
    pods: Sequence[Pod]
    summary: Mapping[str, Any]
    probed: Sequence[tuple[Pod, tuple[str, str, bool], int]]


Figures = Callable[[Shown], Iterator["Metric"]]
Render = Callable[[Shown], bytes]


class _Family:
    """Collects one family's samples: `add` with a value of None adds none."""

    def __init__(self, name: str, help_: str, labels: Sequence[str], *, counts: bool = False) -> None:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        self.metric = (CounterMetricFamily if counts else GaugeMetricFamily)(name, help_, labels=labels)

    def add(self, labels: Sequence[str], value: float | None, at: float | None = None) -> None:
        if value is not None:
            self.metric.add_metric(labels, value, timestamp=at)


def _resource(shown: Shown) -> Iterator[Metric]:
    """`/metrics/resource`: what metrics-server reads."""
    of_container, of_pod = ("container", "pod", "namespace"), ("pod", "namespace")
    cpu = _Family("container_cpu_usage_seconds_total", "Cumulative cpu time in core-seconds", of_container, counts=True)
    memory = _Family("container_memory_working_set_bytes", "Current working set in bytes", of_container)
    started = _Family("container_start_time_seconds", "Start time since the epoch in seconds", of_container)
    pod_cpu = _Family("pod_cpu_usage_seconds_total", "Cumulative cpu time in core-seconds", of_pod, counts=True)
    pod_memory = _Family("pod_memory_working_set_bytes", "Current working set in bytes", of_pod)
    for pod, labels in _pods(shown.summary):
        pod_cpu.add(labels, *_cpu_seconds(pod))
        pod_memory.add(labels, *_working_set(pod))
        for container in pod["containers"]:
            its = (container["name"], *labels)
            cpu.add(its, *_cpu_seconds(container))
            memory.add(its, *_working_set(container))
            started.add(its, parse(container["startTime"]))
    node_cpu = _Family("node_cpu_usage_seconds_total", "Cumulative cpu time in core-seconds", (), counts=True)
    node_cpu.add((), *_cpu_seconds(shown.summary["node"]))
    node_memory = _Family("node_memory_working_set_bytes", "Current working set in bytes", ())
    node_memory.add((), *_working_set(shown.summary["node"]))
    error = _Family("resource_scrape_error", "1 if there was an error while getting container metrics", ())
    error.add((), 0)
    yield from _metrics(cpu, memory, started, pod_cpu, pod_memory, node_cpu, node_memory, error)


def _cadvisor(shown: Shown) -> Iterator[Metric]:
    """`/metrics/cadvisor`: containers and pods (those without a container name), and the machine."""
    names = ("container", "pod", "namespace", "image")
    images = {
        (pod.metadata.namespace, pod.metadata.name, status.name): status.image
        for pod in shown.pods
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses)
    }
    cpu = _Family("container_cpu_usage_seconds_total", "Cumulative cpu time consumed in seconds.", names, counts=True)
    working = _Family("container_memory_working_set_bytes", "Current working set in bytes.", names)
    usage = _Family("container_memory_usage_bytes", "Current memory usage in bytes.", names)
    resident = _Family("container_memory_rss", "Size of RSS in bytes.", names)
    started = _Family("container_start_time_seconds", "Start time of the container since unix epoch.", names)
    for pod, (name, namespace) in _pods(shown.summary):
        for part in ({**pod, "name": ""}, *pod["containers"]):
            labels = (part["name"], name, namespace, images.get((namespace, name, part["name"]), ""))
            cpu.add(labels, *_cpu_seconds(part))
            working.add(labels, *_working_set(part))
            usage.add(labels, part.get("memory", {}).get("usageBytes"))
            resident.add(labels, part.get("memory", {}).get("rssBytes"))
            started.add(labels, parse(part["startTime"]))
    cores = _Family("machine_cpu_cores", "Number of logical CPU cores.", ())
    cores.add((), milli_value(shown.node.status.capacity.get("cpu", "0")) / 1000)
    memory = _Family("machine_memory_bytes", "Amount of memory installed on the machine.", ())
    memory.add((), int_value(shown.node.status.capacity.get("memory", "0")))
    yield from _metrics(cpu, working, usage, resident, started, cores, memory)


def _kubelet(shown: Shown) -> Iterator[Metric]:
    """`/metrics`: the kubelet's own."""
    name = _Family("kubelet_node_name", "The node's name. The count is always 1.", ("node",))
    name.add((shown.node.metadata.name,), 1)
    running = _Family("kubelet_running_pods", "Number of pods that have a running pod sandbox", ())
    running.add((), sum(pod.status.phase == "Running" for pod in shown.pods))
    containers = _Family("kubelet_running_containers", "Number of containers by state", ("container_state",))
    states = Counter(_state(status) for pod in shown.pods for status in pod.status.container_statuses)
    for state, count in sorted(states.items()):
        containers.add((state,), count)
    yield from _metrics(name, running, containers)


def _probes(shown: Shown) -> Iterator[Metric]:
    """`/metrics/probes`."""
    labels = ("probe_type", "result", "container", "pod", "namespace", "pod_uid")
    total = _Family("prober_probe_total", "Cumulative number of probes for a container by result.", labels, counts=True)
    for pod, (container, kind, good), count in shown.probed:
        metadata = pod.metadata
        result = "successful" if good else "failed"
        total.add((kind.capitalize(), result, container, metadata.name, metadata.namespace, metadata.uid), count)
    yield from _metrics(total)


def _state(status: Any) -> str:
    if status.state.running is not None:
        return "running"
    return "exited" if status.state.terminated is not None else "created"


def _pods(summary: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], tuple[str, str]]]:
    for pod in summary["pods"]:
        yield pod, (pod["podRef"]["name"], pod["podRef"]["namespace"])


def _cpu_seconds(part: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The value, and when it was true."""
    cpu = part.get("cpu")
    return (cpu["usageCoreNanoSeconds"] * _NANO, parse(cpu["time"])) if cpu else (None, None)


def _working_set(part: Mapping[str, Any]) -> tuple[float | None, float | None]:
    memory = part.get("memory")
    return (memory["workingSetBytes"], parse(memory["time"])) if memory else (None, None)


def _metrics(*families: _Family) -> Iterable[Metric]:
    return [family.metric for family in families if family.metric.samples]


def _rendering(figures: Figures) -> Render:
    def render(shown: Shown) -> bytes:
        from prometheus_client import CollectorRegistry, generate_latest

        class Collector:
            def collect(self) -> Iterator[Metric]:
                return figures(shown)

        registry = CollectorRegistry()
        registry.register(Collector())
        return generate_latest(registry)

    return render


METRICS: Mapping[str, Render] = {
    "": _rendering(_kubelet),
    "resource": _rendering(_resource),
    "cadvisor": _rendering(_cadvisor),
    "probes": _rendering(_probes),
}
"""By what follows `/metrics/`. Slow to render: not on the loop."""
