"""The tests against the references of plugins that look at other pods, ten thousand times."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcore.scheduler.vector import PLAIN, Backend, numpy_backend
from tests.scheduler import test_inter_pod_affinity, test_pod_topology_spread

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(7200),
    pytest.mark.parametrize("backend", [numpy_backend() or PLAIN, PLAIN], ids=["installed", "plain"]),
]


@settings(max_examples=10_000, deadline=None)
@given(data=st.data())
def test_inter_pod_affinity_agrees_with_the_reference(backend: Backend, data: st.DataObject) -> None:
    short = test_inter_pod_affinity.test_verdicts_are_those_of_the_reference
    short.hypothesis.inner_test(backend, data)


@settings(max_examples=10_000, deadline=None)
@given(data=st.data())
def test_pod_topology_spread_agrees_with_the_reference(backend: Backend, data: st.DataObject) -> None:
    short = test_pod_topology_spread.test_verdicts_are_those_of_the_reference
    short.hypothesis.inner_test(backend, data)
