"""What becomes of pods on their way in: accounts, runtime classes, node selectors, image policies, tolerations."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from kcore.api.errors import Forbidden
from kcore.api.scheme import Scheme
from kcore.kit.clock import Chance
from kcore.registry.admission import PLUGINS, chosen_plugins
from kcore.registry.codec import StoreCodec
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog
from tests.registry.conftest import Api, HandClock
from tests.registry.specimens import APP, pod

MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


async def with_plugins(*names: str) -> Api:
    """A registry with the default plugins and these, and with the namespace `ns`."""
    scheme = Scheme()
    store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog())
    off = [] if "ServiceAccount" in names else ["ServiceAccount"]
    plugins = chosen_plugins([n for n in names if n != "ServiceAccount"], off)
    clock = HandClock()
    api = Api(Registry(store, scheme, STRATEGIES, clock, Chance(7), plugins=plugins), clock)
    await api.create("namespaces", {"metadata": {"name": "ns"}})
    return api


async def with_accounts(**account: Any) -> Api:
    api = await with_plugins("ServiceAccount")
    await api.create("serviceaccounts", {"metadata": {"name": "default"}, **account})
    return api


async def refusal_of(api: Api, document: dict[str, Any]) -> str:
    with pytest.raises(Forbidden) as refusal:
        await api.create("pods", document)
    return refusal.value.message.removeprefix('pods "p" is forbidden: ')


def test_every_plugin_has_a_name_of_upstreams() -> None:
    assert len({p.__name__ for p in PLUGINS}) == len(PLUGINS)


async def test_a_pod_gets_the_default_account_and_its_token() -> None:
    api = await with_accounts()
    spec = (await api.create("pods", pod(initContainers=[{**APP, "name": "i"}])))["spec"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
    (volume,) = spec["volumes"]
    assert volume["name"].startswith("kube-api-access-")
    token, authority, namespace = volume["projected"]["sources"]
    assert volume["projected"]["defaultMode"] == 0o644
    assert token == {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
    assert authority["configMap"] == {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    assert namespace["downwardAPI"]["items"][0]["path"] == "namespace"
    for container in (*spec["containers"], *spec["initContainers"]):
        assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": MOUNT, "readOnly": True}]


@pytest.mark.parametrize(
    ("account", "spec", "mounted"),
    [
        ({}, {}, True),
        ({"automountServiceAccountToken": False}, {}, False),
        ({"automountServiceAccountToken": False}, {"automountServiceAccountToken": True}, True),
        ({}, {"automountServiceAccountToken": False}, False),
    ],
)
async def test_who_decides_whether_a_token_is_mounted(
    account: dict[str, Any], spec: dict[str, Any], mounted: bool
) -> None:
    api = await with_accounts(**account)
    assert ("volumes" in (await api.create("pods", pod(**spec)))["spec"]) == mounted


async def test_pull_secrets_of_the_account_are_taken_where_the_pod_has_none() -> None:
    api = await with_accounts(imagePullSecrets=[{"name": "a"}])
    assert (await api.create("pods", pod()))["spec"]["imagePullSecrets"] == [{"name": "a"}]
    own = {**pod(imagePullSecrets=[{"name": "b"}]), "metadata": {"name": "q"}}
    assert (await api.create("pods", own))["spec"]["imagePullSecrets"] == [{"name": "b"}]


async def test_an_absent_account_is_named() -> None:
    api = await with_accounts()
    assert await refusal_of(api, pod(serviceAccountName="nobody")) == (
        'error looking up service account ns/nobody: serviceaccount "nobody" not found'
    )


async def test_pods_of_a_new_namespace_wait_for_its_account() -> None:
    api = await with_plugins("ServiceAccount")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(api.create, "pods", pod())
        await anyio.wait_all_tasks_blocked()
        assert not api.exists("pods", "p")
        await api.create("serviceaccounts", {"metadata": {"name": "default"}})
    assert api.exists("pods", "p")


async def test_an_account_may_limit_the_secrets_of_its_pods() -> None:
    api = await with_plugins("ServiceAccount")
    metadata = {"name": "default", "annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}}
    await api.create("serviceaccounts", {"metadata": metadata, "secrets": [{"name": "mine"}]})
    assert await refusal_of(api, pod(volumes=[{"name": "v", "secret": {"secretName": "theirs"}}])) == (
        'volume with secret.secretName="theirs" is not allowed because service account default '
        "does not reference that secret"
    )
    assert await api.create("pods", pod(volumes=[{"name": "v", "secret": {"secretName": "mine"}}]))


async def runtime_class(api: Api) -> None:
    scheduling = {"nodeSelector": {"rt": "x"}, "tolerations": [{"key": "rt", "operator": "Exists"}]}
    overhead = {"podFixed": {"cpu": "10m"}}
    await api.create(
        "runtimeclasses", {"metadata": {"name": "rc"}, "handler": "h", "overhead": overhead, "scheduling": scheduling}
    )


async def test_a_runtime_class_brings_its_cost_and_its_nodes(api: Api) -> None:
    await runtime_class(api)
    spec = (await api.create("pods", pod(runtimeClassName="rc", nodeSelector={"a": "b"})))["spec"]
    assert spec["overhead"] == {"cpu": "10m"}
    assert spec["nodeSelector"] == {"rt": "x", "a": "b"}
    assert {"key": "rt", "operator": "Exists"} in spec["tolerations"]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"runtimeClassName": "none"}, 'pod rejected: RuntimeClass "none" not found'),
        (
            {"overhead": {"cpu": "1"}},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
        (
            {"runtimeClassName": "rc", "overhead": {"cpu": "1"}},
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        ),
        (
            {"runtimeClassName": "rc", "nodeSelector": {"rt": "y"}},
            "conflict: runtimeClass.scheduling.nodeSelector[rt] = x; pod.spec.nodeSelector[rt] = y",
        ),
    ],
)
async def test_pods_do_not_contradict_their_runtime_class(api: Api, spec: dict[str, Any], why: str) -> None:
    await runtime_class(api)
    assert await refusal_of(api, pod(**spec)) == why


async def test_images_are_always_pulled_where_that_is_wanted() -> None:
    api = await with_plugins("AlwaysPullImages")
    spec = (await api.create("pods", pod({"imagePullPolicy": "Never"})))["spec"]
    assert spec["containers"][0]["imagePullPolicy"] == "Always"


async def test_pods_with_special_resources_tolerate_their_nodes() -> None:
    api = await with_plugins("ExtendedResourceToleration")
    spec = (await api.create("pods", pod({"resources": {"limits": {"example.com/gpu": "1", "cpu": "1"}}})))["spec"]
    assert [t["key"] for t in spec["tolerations"] if "." in t["key"] and "node." not in t["key"]] == ["example.com/gpu"]


async def test_a_namespace_chooses_the_nodes_of_its_pods() -> None:
    api = await with_plugins("PodNodeSelector")
    annotation = {"scheduler.alpha.kubernetes.io/node-selector": "env=test, zone=a"}
    await api.patch("namespaces", "ns", {"metadata": {"annotations": annotation}})
    assert (await api.create("pods", pod(nodeSelector={"x": "y"})))["spec"]["nodeSelector"] == {
        "env": "test",
        "zone": "a",
        "x": "y",
    }
    conflicting = pod(nodeSelector={"env": "live"})
    conflicting["metadata"] = {"name": "p"}
    assert await refusal_of(api, conflicting) == (
        "pod node label selector conflicts with its namespace node label selector"
    )


def claim(**spec: Any) -> dict[str, Any]:
    whole = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"metadata": {"name": "c"}, "spec": whole}


@pytest.mark.parametrize(("spec", "expected"), [({}, "newer"), ({"storageClassName": ""}, "")])
async def test_claims_get_the_newest_default_class(api: Api, spec: dict[str, Any], expected: str) -> None:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    for name in ("older", "newer"):
        await api.create("storageclasses", {"metadata": {"name": name, "annotations": annotations}, "provisioner": "x"})
        api.clock.time += 60
    await api.create("storageclasses", {"metadata": {"name": "plain"}, "provisioner": "x"})
    assert (await api.create("persistentvolumeclaims", claim(**spec)))["spec"]["storageClassName"] == expected


async def test_ingresses_get_the_default_class(api: Api) -> None:
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"}
    body = {"metadata": {"name": "ic", "annotations": annotations}, "spec": {"controller": "example.com/c"}}
    await api.create("ingressclasses", body)
    backend = {"defaultBackend": {"service": {"name": "a", "port": {"number": 1}}}}
    made = await api.create("ingresses", {"metadata": {"name": "i"}, "spec": backend})
    assert made["spec"]["ingressClassName"] == "ic"
