"""As whom controllers work, and that they may do no more than upstream's policy lets them."""

from __future__ import annotations

import pytest

from kcore.api.core_v1 import ConfigMap, Pod, Secret
from kcore.api.errors import Forbidden
from kcore.api.meta_v1 import ObjectMeta
from kcore.client.local import LocalClient
from kcore.controllers import CONTROLLERS
from kcore.controllers.accounts import as_controller
from kcore.controllers.garbagecollector import GarbageCollector
from tests.sim.world import world

# Upstream has these in the API server or elsewhere, or not at all.
AS_API_SERVER = {
    "autoregister",
    "bootstrap-signer-controller",
    "cloud-node-controller",
    "cloud-node-lifecycle-controller",
    "crd-controller",
    "host-path-provisioner",
    "host-path-resizer",
    "serviceaccount-token-controller",
    "token-cleaner-controller",
}


async def test_every_controller_of_upstream_has_its_account() -> None:
    async with world() as w:
        names = {make.name for make in CONTROLLERS} | {GarbageCollector.name}
        assert {name for name in names if as_controller(w.client, name) is w.client} == AS_API_SERVER


async def test_controller_is_held_to_its_role() -> None:
    async with world() as w:
        await w.create_namespace()
        publisher = as_controller(w.client, "root-ca-certificate-publisher-controller")
        await publisher.create(ConfigMap(metadata=ObjectMeta(name="c", namespace="ns")))
        with pytest.raises(Forbidden, match=r'root-ca-cert-publisher" cannot create resource "secrets"'):
            await publisher.create(Secret(metadata=ObjectMeta(name="s", namespace="ns")))
        with pytest.raises(Forbidden, match="cannot delete resource"):
            await publisher.delete(ConfigMap, "c", "ns")
        scheduler = w.client.as_user("system:kube-scheduler", ("system:authenticated",))
        assert not (await scheduler.list(Pod, "ns")).items
        with pytest.raises(Forbidden, match=r'"system:kube-scheduler" cannot list resource "secrets"'):
            await scheduler.list(Secret, "ns")


async def test_client_without_an_authorizer_is_trusted() -> None:
    async with world() as w:
        await w.create_namespace()
        nobody = LocalClient(w.registry).as_user("nobody")
        await nobody.create(ConfigMap(metadata=ObjectMeta(name="c", namespace="ns")))


async def test_fields_that_controllers_write_are_their_managers() -> None:
    async with world() as w:
        await w.create_namespace()
        publisher = as_controller(w.client, "root-ca-certificate-publisher-controller")
        made = await publisher.create(ConfigMap(metadata=ObjectMeta(name="c", namespace="ns"), data={"a": "b"}))
        assert [entry.manager for entry in made.metadata.managed_fields] == ["kube-controller-manager"]
