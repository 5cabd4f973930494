"""The default profile against the documented formulas: same nodes, same totals, on random clusters as they change."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kcore.api.core_v1 import Container, ContainerPort, Pod, ResourceRequirements
from kcore.scheduler.vector import PLAIN, Backend, numpy_backend
from tests.scheduler.judging import Bench
from tests.scheduler.profiles import default_profile
from tests.scheduler.reference_plugins import fits, scores
from tests.scheduler.test_evaluation import nodes, pods

NAMES = "abcd"
quantities = st.fixed_dictionaries(
    {},
    optional={
        "cpu": st.sampled_from(["1m", "250m", "1", "1500m"]),
        "memory": st.sampled_from(["1Mi", "1Gi", "123456789"]),
    },
)


@st.composite
def containers(draw: st.DrawFn, name: str) -> Container:
    requests = draw(quantities)
    restarts = draw(st.sampled_from([None, "Always"])) if name.startswith("init") else None
    return Container(name=name, image="app", resources=ResourceRequirements(requests=requests), restart_policy=restarts)


@st.composite
def rich_pods(draw: st.DrawFn) -> Pod:
    """Pods with several containers, sidecars, overhead and host ports at addresses."""
    bare = draw(pods())
    more = [draw(containers(f"more-{number}")) for number in range(draw(st.integers(0, 2)))]
    init = [draw(containers(f"init-{number}")) for number in range(draw(st.integers(0, 3)))]
    overhead = draw(st.sampled_from([{}, {}, {"cpu": "10m", "memory": "5Mi"}]))
    port = draw(
        st.sampled_from([None, None, ContainerPort(host_port=80, host_ip="10.0.0.1"), ContainerPort(host_port=81)])
    )
    main = bare.spec.containers[0]
    if port is not None:
        main = replace(main, ports=(port,))
    spec = replace(bare.spec, containers=(main, *more), init_containers=tuple(init), overhead=overhead)
    return replace(bare, spec=spec)


def compare(backend: Backend, data: st.DataObject) -> None:
    bench = Bench(backend)
    bench.profile = default_profile(bench.cache)
    cluster = bench.cluster
    wanted = data.draw(st.lists(rich_pods(), min_size=1, max_size=2))
    for name in NAMES[: data.draw(st.integers(1, 4))]:
        bench.set_node(data.draw(nodes(name)))
    for _ in range(data.draw(st.integers(1, 5))):
        for one in wanted:
            feasible = {
                name: (there, cluster.on(there))
                for name, there in cluster.nodes.items()
                if fits(one, there, cluster.on(there))
            }
            found = bench.totals(one)
            assert found.keys() == feasible.keys()
            assert len(found) <= 1 or found == scores(one, feasible)
        name = data.draw(st.sampled_from(NAMES))
        change = data.draw(st.sampled_from(["pod", "pod", "pod", "node", "gone"]))
        if change == "node":
            bench.set_node(data.draw(nodes(name)))
        elif change == "gone" and cluster.pods:
            bench.remove_pod(data.draw(st.sampled_from(sorted(cluster.pods))))
        elif name in cluster.nodes:
            placed = data.draw(rich_pods())
            bench.set_pod(replace(placed, spec=replace(placed.spec, node_name=name)))


BACKENDS = pytest.mark.parametrize("backend", [numpy_backend() or PLAIN, PLAIN], ids=["installed", "plain"])


@BACKENDS
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_default_profile_agrees_with_the_formulas(backend: Backend, data: st.DataObject) -> None:
    compare(backend, data)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@BACKENDS
@settings(max_examples=10_000, deadline=None)
@given(data=st.data())
def test_the_default_profile_agrees_with_the_formulas_ten_thousand_times(backend: Backend, data: st.DataObject) -> None:
    compare(backend, data)
