from __future__ import annotations

import pytest

from kcore.registry.access import Attributes, BuiltInAccess
from kcore.registry.request import User

MASTER = User("root", groups=("system:masters",))
KNOWN = User("jane", groups=("system:authenticated",))
ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))


@pytest.mark.parametrize(
    ("attributes", "allowed"),
    [
        (Attributes(MASTER, "delete", resource="nodes", name="n"), True),
        (Attributes(MASTER, "post", path="/anything"), True),
        (Attributes(KNOWN, "list", resource="pods", namespace="ns"), False),
        (Attributes(KNOWN, "create", "authorization.k8s.io", "selfsubjectaccessreviews"), True),
        (Attributes(KNOWN, "create", "authorization.k8s.io", "subjectaccessreviews"), False),
        (Attributes(KNOWN, "get", path="/api"), True),
        (Attributes(KNOWN, "get", path="/apis/apps/v1"), True),
        (Attributes(KNOWN, "get", path="/openapi/v3"), True),
        (Attributes(KNOWN, "get", path="/apisecret"), False),
        (Attributes(KNOWN, "post", path="/api"), False),
        (Attributes(KNOWN, "get", path="/metrics"), False),
        (Attributes(ANONYMOUS, "get", path="/version"), True),
        (Attributes(ANONYMOUS, "get", path="/livez/ping"), True),
        (Attributes(ANONYMOUS, "get", path="/api"), False),
        (Attributes(ANONYMOUS, "create", "authorization.k8s.io", "selfsubjectaccessreviews"), False),
    ],
)
def test_what_is_granted_before_any_role(attributes: Attributes, allowed: bool) -> None:
    assert BuiltInAccess().allowed(attributes) is allowed
