from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.server.address import Address, parse_path, verb_of
from kcore.server.query import parse_query


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/api/v1/pods", Address("", "v1", "pods")),
        ("/api/v1/pods/", Address("", "v1", "pods")),
        ("/api/v1/namespaces", Address("", "v1", "namespaces")),
        ("/api/v1/namespaces/x", Address("", "v1", "namespaces", name="x")),
        ("/api/v1/namespaces/x/status", Address("", "v1", "namespaces", name="x", subresource="status")),
        ("/api/v1/namespaces/x/finalize", Address("", "v1", "namespaces", name="x", subresource="finalize")),
        ("/api/v1/namespaces/x/pods", Address("", "v1", "pods", "x")),
        ("/api/v1/namespaces/x/pods/y", Address("", "v1", "pods", "x", "y")),
        ("/api/v1/namespaces/x/pods/y/log", Address("", "v1", "pods", "x", "y", "log")),
        ("/api/v1/nodes/n/proxy/a/b", Address("", "v1", "nodes", name="n", subresource="proxy", rest="/a/b")),
        ("/apis/apps/v1/deployments", Address("apps", "v1", "deployments")),
        ("/apis/apps/v1/namespaces/x/deployments/d/scale", Address("apps", "v1", "deployments", "x", "d", "scale")),
        ("/api/v1/watch/pods", Address("", "v1", "pods", watch=True)),
        ("/api/v1/watch/namespaces/x/pods/y", Address("", "v1", "pods", "x", "y", watch=True)),
        ("/apis/apps/v1/watch/deployments", Address("apps", "v1", "deployments", watch=True)),
        ("/api/v1/namespaces/x/configmaps/a%25b", Address("", "v1", "configmaps", "x", "a%b")),
        ("/api/v1/namespaces/x/configmaps/..%2fy", Address("", "v1", "configmaps", "x", "..", "y")),
        ("/api", None),
        ("/api/v1", None),
        ("/api/v1/", None),
        ("/apis/apps/v1", None),
        ("/healthz", None),
        ("/", None),
    ],
)
def test_path_names_its_resource(path: str, address: Address | None) -> None:
    assert parse_path(path) == address


@pytest.mark.parametrize(
    ("method", "path", "query", "verb"),
    [
        ("GET", "/api/v1/pods", "", "list"),
        ("GET", "/api/v1/pods", "watch=true", "watch"),
        ("GET", "/api/v1/pods", "watch=1", "watch"),
        ("GET", "/api/v1/pods", "watch", "watch"),
        ("GET", "/api/v1/pods", "watch=false", "list"),
        ("GET", "/api/v1/pods", "watch=0", "list"),
        ("GET", "/api/v1/watch/pods", "", "watch"),
        ("GET", "/api/v1/namespaces/x/pods/y", "watch=true", "get"),
        ("POST", "/api/v1/namespaces/x/pods", "", "create"),
        ("PUT", "/api/v1/namespaces/x/pods/y", "", "update"),
        ("PATCH", "/api/v1/namespaces/x/pods/y", "", "patch"),
        ("DELETE", "/api/v1/namespaces/x/pods/y", "", "delete"),
        ("DELETE", "/api/v1/namespaces/x/pods", "", "deletecollection"),
        ("OPTIONS", "/api/v1/pods", "", ""),
    ],
)
def test_method_and_path_make_a_verb(method: str, path: str, query: str, verb: str) -> None:
    address = parse_path(path)
    assert address is not None
    assert verb_of(method, address, parse_query(query)) == verb


@given(st.text(alphabet="api/svw%25.nodes-", max_size=60))
def test_any_path_can_be_read(path: str) -> None:
    address = parse_path("/" + path)
    assert address is None or (address.version is not None and "/" not in address.name)
