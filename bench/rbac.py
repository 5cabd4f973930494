"""What does one decision cost with 500 roles? (goal: 20 us)

500 Roles in 50 namespaces and 500 ClusterRoles, each bound; a user in three groups who is bound to 100 of them asks for
what the last of them allows, and for what none allows. Also what a change of one role costs the next question.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import anyio
import msgspec

from bench.serving import report
from kcore.api.rbac_v1 import ClusterRole, ClusterRoleBinding, Role, RoleBinding
from kcore.api.scheme import Scheme
from kcore.registry.access import Attributes
from kcore.registry.codec import StoreCodec
from kcore.registry.rbac import RbacAuthorizer
from kcore.registry.request import User
from kcore.registry.strategies import STRATEGIES
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog
from kcore.store.store import Put

ROLES = 500
GROUP = "rbac.authorization.k8s.io"
JANE = User("jane", groups=("devs", "ops", "system:authenticated"))


def rules(number: int) -> list[dict[str, Any]]:
    return [
        {"verbs": ["get", "list", "watch"], "apiGroups": ["", "apps"], "resources": [f"things{number}", "pods/log"]},
        {"verbs": ["update"], "apiGroups": ["*"], "resources": ["*/scale"], "resourceNames": [f"n{number}"]},
    ]


async def store_policy(store: EmbeddedStore, scheme: Scheme) -> None:
    async def put(type_: type[Any], namespace: str, document: dict[str, Any]) -> None:
        document["metadata"]["namespace"] = namespace
        obj = msgspec.convert(document, type_)
        await store.commit(Put(scheme.of(type_).key(namespace, obj.metadata.name), obj))

    for number in range(ROLES):
        name, namespace = f"role-{number}", f"ns-{number % 50}"
        subject = {"kind": "Group", "name": "devs"} if number % 5 == 0 else {"kind": "User", "name": f"user-{number}"}
        for role, binding, kind, place in (
            (Role, RoleBinding, "Role", namespace),
            (ClusterRole, ClusterRoleBinding, "ClusterRole", ""),
        ):
            await put(role, place, {"metadata": {"name": name}, "rules": rules(number)})
            ref = {"apiGroup": GROUP, "kind": kind, "name": name}
            await put(binding, place, {"metadata": {"name": name}, "roleRef": ref, "subjects": [subject]})


def microseconds(call: Callable[[], object], times: int = 20_000) -> float:
    call()
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times * 1e6


async def main() -> None:
    scheme = Scheme()
    store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog())
    await store_policy(store, scheme)
    authorizer = RbacAuthorizer(store)
    granted = Attributes(JANE, "list", "apps", "things495", "", "ns-45")
    refused = Attributes(JANE, "delete", "apps", "deployments", "scale", "ns-45", "web")
    master = Attributes(User("admin", groups=("system:masters",)), "get", "", "pods", "", "default", "one")
    assert authorizer.allowed(granted)
    assert not authorizer.allowed(refused)
    figures = {
        "allowed_us": round(microseconds(lambda: authorizer.allowed(granted)), 2),
        "refused_us": round(microseconds(lambda: authorizer.allowed(refused)), 2),
        "master_us": round(microseconds(lambda: authorizer.allowed(master)), 2),
    }
    after_change = []
    for number in range(20):
        role = msgspec.convert({"metadata": {"name": "role-0"}, "rules": rules(number)}, ClusterRole)
        await store.commit(Put(scheme.of(ClusterRole).key("", "role-0"), role))
        start = time.perf_counter()
        authorizer.allowed(granted)
        after_change.append(time.perf_counter() - start)
    report("rbac", roles=2 * ROLES, **figures, after_change_us=round(sorted(after_change)[10] * 1e6, 1), goal_us=20)


if __name__ == "__main__":
    anyio.run(main)
