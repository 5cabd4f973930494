from __future__ import annotations

import msgspec
import pytest

from kcore.api.core_v1 import Event, Pod, PodSpec
from kcore.api.kind import Kind
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.scheme import BUILT_IN, Scheme
from kcore.registry.codec import StoreCodec
from kcore.registry.strategies import STRATEGIES
from kcore.store.store import Forms

STORED = [kind for kind in BUILT_IN if "watch" in kind.verbs]
VIEWS = {strategy.type for strategy in STRATEGIES if strategy.stored_as is not None}


@pytest.fixture(scope="module")
def codec() -> StoreCodec:
    return StoreCodec(Scheme(), STRATEGIES)


@pytest.mark.parametrize("kind", [k for k in STORED if k.type not in VIEWS], ids=lambda k: k.group_resource)
def test_what_is_stored_is_read_back(codec: StoreCodec, kind: Kind) -> None:
    key = kind.key("ns", "x")
    obj, data = codec.stamp(key, kind.type(metadata=ObjectMeta(name="x", namespace="ns")), 7)
    assert obj.metadata.resource_version == "7"
    assert codec.decode(key, data) == obj
    document = msgspec.json.decode(data)
    assert "kind" not in document
    assert "apiVersion" not in document


@pytest.mark.parametrize("kind", [k for k in STORED if k.type in VIEWS], ids=lambda k: f"{k.plural}.{k.group_version}")
def test_views_are_stored_as_what_they_show(kind: Kind) -> None:
    strategy = next(s for s in STRATEGIES if s.type is kind.type)
    assert strategy.stored_as is not None
    assert strategy.stored_as not in VIEWS


def test_index_of_a_pod(codec: StoreCodec) -> None:
    pod = Pod(metadata=ObjectMeta(name="p", namespace="ns"), spec=PodSpec(node_name="n"))
    assert codec.index("pods/ns/p", pod) == (("metadata.name", "p"), ("spec.nodeName", "n"))


def test_every_object_is_indexed_by_name(codec: StoreCodec) -> None:
    event = Event(metadata=ObjectMeta(name="e", namespace="ns"))
    assert codec.index("events/ns/e", event)[0] == ("metadata.name", "e")


def test_pod_on_its_way_out_is_not_put_to_rest(codec: StoreCodec) -> None:
    pod = Pod(metadata=ObjectMeta(name="p", namespace="ns"))
    going = Pod(metadata=ObjectMeta(name="p", namespace="ns", deletion_timestamp="2026-01-01T00:00:00Z"))
    assert [codec.rest("pods/ns/p", obj) for obj in (pod, going)] == [Forms.OBJECT, Forms.BOTH]
