from __future__ import annotations

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import ConfigMap, Namespace, Pod, ServiceAccount
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import ObjectMeta
from tests.controllers.control import controlled, template
from tests.sim.world import World


async def conditions(w: World) -> dict[str, tuple[str, str]]:
    found = await w.client.get(Namespace, "ns")
    return {c.type: (c.status, c.message) for c in found.status.conditions}


async def test_namespace_goes_with_everything_in_it() -> None:
    async with controlled() as w:
        await w.client.create(ConfigMap(metadata=ObjectMeta(name="a", namespace="ns")))
        await w.settle()
        await w.client.delete(Namespace, "ns")
        await w.settle()
        with pytest.raises(NotFound):
            await w.client.get(Namespace, "ns")
        assert (await w.client.list(ConfigMap, "ns")).items == []
        assert (await w.client.list(ServiceAccount, "ns")).items == []


async def test_namespace_waits_for_finalizers_and_says_so() -> None:
    async with controlled() as w:
        held = ConfigMap(metadata=ObjectMeta(name="held", namespace="ns", finalizers=("example.com/x",)))
        await w.client.create(held)
        await w.settle()
        await w.client.delete(Namespace, "ns")
        await w.settle()
        found = await conditions(w)
        message = "Some resources are remaining: configmaps. has 1 resource instances"
        assert found["NamespaceContentRemaining"] == ("True", message)
        message = "Some content in the namespace has finalizers remaining: example.com/x in 1 resource instances"
        assert found["NamespaceFinalizersRemaining"] == ("True", message)
        assert found["NamespaceDeletionContentFailure"][0] == "False"
        latest = await w.client.get(ConfigMap, "held", "ns")
        await w.client.update(replace(latest, metadata=replace(latest.metadata, finalizers=())))
        await w.settle()
        with pytest.raises(NotFound):
            await w.client.get(Namespace, "ns")


async def test_pods_go_before_anything_they_may_need() -> None:
    async with controlled() as w:
        one = template()
        metadata = replace(one.metadata, name="p", namespace="ns", finalizers=("example.com/x",))
        await w.client.create(Pod(metadata=metadata, spec=one.spec))
        await w.client.create(ConfigMap(metadata=ObjectMeta(name="a", namespace="ns")))
        await w.settle()
        await w.client.delete(Namespace, "ns")
        await w.settle()
        assert (await w.client.get(ConfigMap, "a", "ns")).metadata.deletion_timestamp is None
        pod = await w.client.get(Pod, "p", "ns")
        await w.client.update(replace(pod, metadata=replace(pod.metadata, finalizers=())))
        await w.settle()
        with pytest.raises(NotFound):
            await w.client.get(Namespace, "ns")


async def test_default_account_and_root_certificate_come_and_come_back() -> None:
    async with controlled(root_ca=b"-----BEGIN CERTIFICATE-----\n") as w:
        await w.settle()
        for kind, name in ((ServiceAccount, "default"), (ConfigMap, "kube-root-ca.crt")):
            await w.client.delete(kind, name, "ns")
        await w.settle()
        assert (await w.client.get(ServiceAccount, "default", "ns")).metadata.uid
        config_map = await w.client.get(ConfigMap, "kube-root-ca.crt", "ns")
        assert config_map.data == {"ca.crt": "-----BEGIN CERTIFICATE-----\n"}
        await w.client.update(replace(config_map, data={"ca.crt": "forged"}))
        await w.settle()
        restored = await w.client.get(ConfigMap, "kube-root-ca.crt", "ns")
        assert restored.data == config_map.data
