from __future__ import annotations

import pytest

from kcore.api.errors import NotAcceptable
from kcore.server.negotiation import (
    PLAIN,
    Representation,
    error_media_type,
    negotiate,
    negotiate_discovery,
    negotiate_watch,
    parse_accept,
)

JSON, YAML = "application/json", "application/yaml"


@pytest.mark.parametrize(
    ("accept", "representation"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("application/json", PLAIN),
        ("application/json;charset=utf-8", PLAIN),
        ("text/html,application/json;q=0.5", PLAIN),
        ("application/yaml", Representation(YAML)),
        ("application/json;q=0.1, application/yaml", Representation(YAML)),
        ("application/json;pretty=1", Representation(JSON, pretty=True)),
        ("application/vnd.kubernetes.protobuf,application/json", PLAIN),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Representation(JSON, "Table", "v1")),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", Representation(JSON, "Table", "v1beta1")),
        ("application/json;as=Chart;v=v1;g=meta.k8s.io,application/json", PLAIN),
        (
            "application/yaml;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
            Representation(YAML, "PartialObjectMetadata", "v1"),
        ),
    ],
)
def test_accept_header_chooses_the_representation(accept: str, representation: Representation) -> None:
    assert negotiate(accept) == representation


@pytest.mark.parametrize("accept", ["text/html", "application/*", "text/yaml", "application/xml;q=0.5"])
def test_router_refuses_media_types_it_does_not_know(accept: str) -> None:
    with pytest.raises(NotAcceptable, match=r"^406: Not Acceptable\n\nAvailable representations: application/json, "):
        negotiate(accept)


def test_router_names_streams_where_the_path_can_be_watched() -> None:
    with pytest.raises(NotAcceptable, match="application/json;stream=watch"):
        negotiate("text/html", True)


@pytest.mark.parametrize(
    "accept",
    ["application/json;as=Table;v=v9;g=meta.k8s.io", "application/json;as=Table;v=v1;g=example.com"],
)
def test_negotiator_refuses_forms_it_does_not_know(accept: str) -> None:
    with pytest.raises(NotAcceptable, match=r"^only the following media types are accepted: application/json, "):
        negotiate(accept)


def test_protobuf_alone_is_refused_without_claiming_to_have_it() -> None:
    with pytest.raises(NotAcceptable) as caught:
        negotiate("application/vnd.kubernetes.protobuf")
    assert caught.value.message == "only the following media types are accepted: application/json, application/yaml"


def test_watch_is_a_stream_of_json_only() -> None:
    assert negotiate_watch("application/json;stream=watch,application/yaml") == PLAIN
    with pytest.raises(NotAcceptable, match="stream=watch"):
        negotiate_watch("application/yaml")


def test_aggregated_discovery_falls_back_to_what_is_there() -> None:
    aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    assert negotiate_discovery(f"{aggregated},application/json", True).form == "APIGroupDiscoveryList"
    assert negotiate_discovery(f"{aggregated},application/json", False) == PLAIN
    with pytest.raises(NotAcceptable):
        negotiate_discovery(aggregated.replace("v=v2", "v=v7"), True)


def test_errors_are_never_refused() -> None:
    assert error_media_type("text/html") == JSON
    assert error_media_type("text/html,application/yaml") == YAML


def test_equal_weights_keep_their_order() -> None:
    assert [c.media_type for c in parse_accept("a/a;q=0.2,b/b,c/c;q=x,d/d;q=0.5")] == ["b/b", "c/c", "d/d", "a/a"]
