"""ImageLocality against its formula."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kcore.api.core_v1 import Container, ContainerImage, Node, Pod
from kcore.scheduler.plugins.image_locality import ImageLocality, image_name, locality
from kcore.scheduler.vector import PLAIN, Backend, numpy_backend
from tests.scheduler.clusters import node, pod
from tests.scheduler.judging import Bench

MEGABYTE = 1024 * 1024
SIZES = {"small": 10, "web:1": 300, "host:5000/db:latest": 2000}


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("web", "web:latest"),
        ("web:1", "web:1"),
        ("host:5000/db", "host:5000/db:latest"),
        ("a/b@sha256:0", "a/b@sha256:0"),
    ],
)
def test_an_image_without_a_tag_is_the_latest(image: str, name: str) -> None:
    assert image_name(image) == name


@pytest.mark.parametrize(
    ("megabytes", "containers", "score"), [(0, 1, 0), (23, 1, 0), (1000, 1, 100), (5000, 1, 100), (1000, 2, 49)]
)
def test_score_by_size(megabytes: int, containers: int, score: int) -> None:
    assert locality(megabytes * MEGABYTE, containers) == score


def with_images(name: str, images: list[str]) -> Node:
    bare = node(name)
    reported = tuple(ContainerImage(names=(f"{i}@sha256:1", i), size_bytes=SIZES[i] * MEGABYTE) for i in images)
    return replace(bare, status=replace(bare.status, images=reported))


def running(images: list[str]) -> Pod:
    bare = pod()
    return replace(bare, spec=replace(bare.spec, containers=tuple(Container(name=i, image=i) for i in images)))


def expected(nodes: dict[str, list[str]], images: list[str]) -> dict[str, int]:
    scores = {}
    for name, there in nodes.items():
        total = 0
        for image in images:
            if image in there:
                share = sum(image in other for other in nodes.values()) / len(nodes)
                total += int(SIZES[image] * MEGABYTE * share)
        scores[name] = locality(total, len(images))
    return scores


some = st.lists(st.sampled_from(sorted(SIZES)), unique=True)


@pytest.mark.parametrize("backend", [numpy_backend() or PLAIN, PLAIN], ids=["installed", "plain"])
@settings(max_examples=100, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.none() | some), min_size=1),
    images=st.lists(st.sampled_from(["web:1", "host:5000/db:latest"]), min_size=1, max_size=2, unique=True),
)
def test_scores_follow_the_images_of_all_nodes(
    backend: Backend, steps: list[tuple[str, list[str] | None]], images: list[str]
) -> None:
    bench = Bench(backend)
    bench.use(ImageLocality(bench.cache.columns))
    nodes: dict[str, list[str]] = {}
    for name, there in steps:
        if there is None:
            nodes.pop(name, None)
            bench.remove_node(name)
        else:
            nodes[name] = there
            bench.set_node(with_images(name, there))
        known = any(image in there for there in nodes.values() for image in images)
        assert bench.totals(running(images)) == (expected(nodes, images) if known else dict.fromkeys(nodes, 0))
