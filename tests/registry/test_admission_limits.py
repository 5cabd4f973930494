"""LimitRanger: what containers, pods and claims of a namespace may ask for."""

from __future__ import annotations

from typing import Any

import pytest

from kcore.api.errors import Forbidden
from tests.registry.conftest import Api
from tests.registry.specimens import APP, pod


async def limit(api: Api, *items: dict[str, Any], name: str = "lr") -> None:
    await api.create("limitranges", {"metadata": {"name": name}, "spec": {"limits": list(items)}})


def asking(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> dict[str, Any]:
    return {"resources": {"requests": requests or {}, "limits": limits or {}}}


CONTAINER = {
    "type": "Container",
    "default": {"cpu": "500m", "memory": "256Mi"},
    "defaultRequest": {"cpu": "100m"},
}
NOTE = "kubernetes.io/limit-ranger"


async def test_a_container_that_asks_for_nothing_gets_the_defaults(api: Api) -> None:
    await limit(api, CONTAINER)
    made = await api.create("pods", pod())
    assert made["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "500m", "memory": "256Mi"},
        "requests": {"cpu": "100m", "memory": "256Mi"},
    }
    assert made["metadata"]["annotations"][NOTE] == (
        "LimitRanger plugin set: cpu, memory request for container app; cpu, memory limit for container app"
    )


async def test_what_a_container_asks_for_stays(api: Api) -> None:
    await limit(api, CONTAINER)
    made = await api.create("pods", pod(asking({"cpu": "200m"})))
    assert made["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "200m", "memory": "256Mi"}
    assert made["metadata"]["annotations"][NOTE] == (
        "LimitRanger plugin set: memory request for container app; cpu, memory limit for container app"
    )


async def test_init_containers_get_the_defaults_too(api: Api) -> None:
    await limit(api, {"type": "Container", "default": {"cpu": "1"}})
    made = await api.create("pods", pod(initContainers=[{**APP, "name": "first"}]))
    assert made["spec"]["initContainers"][0]["resources"]["limits"] == {"cpu": "1"}
    assert "cpu limit for init container first" in made["metadata"]["annotations"][NOTE]


BOUNDS = {"type": "Container", "min": {"cpu": "50m"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "10"}}
REFUSALS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (BOUNDS, asking({"cpu": "1"}, {"cpu": "3"}), "maximum cpu usage per Container is 2, but limit is 3"),
    (BOUNDS, asking({"cpu": "49m"}, {"cpu": "50m"}), "minimum cpu usage per Container is 50m, but request is 49m"),
    (
        BOUNDS,
        asking({"cpu": "60m"}, {"cpu": "1"}),
        "cpu max limit to request ratio per Container is 10, but provided ratio is 16.666667",
    ),
    (
        BOUNDS,
        asking({"cpu": "10m"}, {"cpu": "500m"}),
        "[minimum cpu usage per Container is 50m, but request is 10m, "
        "cpu max limit to request ratio per Container is 10, but provided ratio is 50.000000]",
    ),
    (
        {"type": "Pod", "min": {"memory": "8Mi"}},
        {},
        "minimum memory usage per Pod is 8Mi.  No request is specified",
    ),
    ({"type": "Pod", "max": {"cpu": "3"}}, {}, "maximum cpu usage per Pod is 3.  No limit is specified"),
    (
        {"type": "Pod", "maxLimitRequestRatio": {"cpu": "2"}},
        {},
        "cpu max limit to request ratio per Pod is 2, but no request is specified or request is 0",
    ),
    (
        {"type": "Pod", "maxLimitRequestRatio": {"cpu": "2"}},
        asking({"cpu": "1"}),
        "cpu max limit to request ratio per Pod is 2, but no limit is specified or limit is 0",
    ),
]


@pytest.mark.parametrize(("item", "container", "why"), REFUSALS)
async def test_what_is_beyond_a_limit_is_refused(
    api: Api, item: dict[str, Any], container: dict[str, Any], why: str
) -> None:
    if item is BOUNDS:
        item = {**item, "default": {"cpu": "2"}, "defaultRequest": {"cpu": "1"}}
    await limit(api, item)
    with pytest.raises(Forbidden) as refusal:
        await api.create("pods", pod(container))
    assert refusal.value.message == f'pods "p" is forbidden: {why}'


async def test_the_containers_of_a_pod_are_summed(api: Api) -> None:
    await limit(api, {"type": "Pod", "max": {"cpu": "3"}})
    two = asking({"cpu": "1"}, {"cpu": "2"})
    with pytest.raises(Forbidden, match=r"maximum cpu usage per Pod is 3, but limit is 4"):
        await api.create("pods", pod(containers=[{**APP, **two}, {**APP, "name": "b", **two}]))


async def test_pods_may_speak_for_their_containers_of_cpu_and_memory_alone(api: Api) -> None:
    await limit(api, {"type": "Pod", "max": {"cpu": "3"}})
    with pytest.raises(Forbidden, match=r"maximum cpu usage per Pod is 3, but limit is 4"):
        await api.create("pods", pod(resources={"requests": {"cpu": "1"}, "limits": {"cpu": "4"}}))


async def test_pods_are_looked_at_again_when_they_are_resized(api: Api) -> None:
    made = await api.create("pods", pod(asking({"cpu": "1"}, {"cpu": "2"})))
    await limit(api, {"type": "Container", "max": {"cpu": "3"}, "default": {"cpu": "3"}})
    made["spec"]["containers"][0] |= asking({"cpu": "1"}, {"cpu": "4"})
    with pytest.raises(Forbidden) as refusal:
        await api.update("pods", made, api.request("update", "pods", "p", subresource="resize"))
    assert refusal.value.message == 'pods "p" is forbidden: maximum cpu usage per Container is 3, but limit is 4'


async def test_refusals_of_unnamed_pods_show_what_their_names_begin_with(api: Api) -> None:
    await limit(api, {"type": "Pod", "max": {"cpu": "3"}})
    with pytest.raises(Forbidden, match=r'pods "web-.*" is forbidden'):
        await api.create("pods", {**pod(), "metadata": {"generateName": "web-"}})


async def test_running_pods_are_left_alone(api: Api) -> None:
    await api.create("pods", pod())
    await limit(api, {"type": "Pod", "max": {"cpu": "3"}})
    assert (await api.patch("pods", "p", {"metadata": {"labels": {"a": "b"}}}))["metadata"]["labels"] == {"a": "b"}


def claim(size: str) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "x", "resources": {"requests": {"storage": size}}}
    return {"metadata": {"name": "c"}, "spec": spec}


@pytest.mark.parametrize(
    ("size", "why"),
    [
        ("1Mi", "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi"),
        ("9Gi", "maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 9Gi"),
    ],
)
async def test_claims_have_limits_of_their_own(api: Api, size: str, why: str) -> None:
    await limit(api, {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "5Gi"}})
    await api.create("persistentvolumeclaims", {**claim("2Gi"), "metadata": {"name": "fits"}})
    with pytest.raises(Forbidden) as refusal:
        await api.create("persistentvolumeclaims", claim(size))
    assert refusal.value.message == f'persistentvolumeclaims "c" is forbidden: {why}'
