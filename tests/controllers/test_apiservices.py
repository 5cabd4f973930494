"""APIServices of what is served here, and what other API servers are told of this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from kcore.api.apiextensions_v1 import CustomResourceDefinition
from kcore.api.apiregistration_v1 import APIService
from kcore.api.core_v1 import ConfigMap
from kcore.client.runner import Runner
from kcore.controllers.extensionauthentication import KEY, ExtensionAuthenticationController
from tests.controllers.control import controlled
from tests.registry.conftest import Api, HandClock
from tests.registry.widgets import define
from tests.sim.world import World

MANAGED = "kube-aggregator.kubernetes.io/automanaged"


async def services(w: World) -> Mapping[str, APIService]:
    return {service.metadata.name: service for service in (await w.client.list(APIService)).items}


async def define_widgets(w: World) -> None:
    await define(Api(w.registry, HandClock()))


async def test_every_group_and_version_has_one() -> None:
    async with controlled() as w:
        await w.settle()
        found = await services(w)
        versions = {f"{version.version}.{version.group}" for version in w.client.scheme.group_versions()}
        assert {*found} == versions - {"v1.apiregistration.k8s.io"}
        apps = found["v1.apps"]
        assert (apps.spec.group_priority_minimum, apps.spec.version_priority) == (17800, 15)
        assert apps.metadata.labels == {MANAGED: "onstart"}
        assert [(c.type, c.status, c.reason) for c in apps.status.conditions] == [("Available", "True", "Local")]


async def test_those_made_at_start_are_left_to_their_owner() -> None:
    async with controlled() as w:
        await w.settle()
        await w.client.delete(APIService, "v1.apps")
        await w.settle()
        assert "v1.apps" not in await services(w)


async def test_those_of_definitions_come_stay_and_go() -> None:
    async with controlled() as w:
        await define_widgets(w)
        await w.settle()
        made = (await services(w))["v1.example.com"]
        assert (made.metadata.labels, made.spec.group_priority_minimum) == ({MANAGED: "true"}, 1000)
        await w.client.update(replace(made, spec=replace(made.spec, version_priority=7)))
        await w.settle()
        assert (await services(w))["v1.example.com"].spec == made.spec
        await w.client.delete(APIService, "v1.example.com")
        await w.settle()
        assert "v1.example.com" in await services(w)
        await w.client.delete(CustomResourceDefinition, "widgets.example.com")
        await w.settle(30)
        assert "v1.example.com" not in await services(w)


async def test_what_others_registered_is_not_touched() -> None:
    async with controlled() as w:
        await w.settle()
        apps = (await services(w))["v1.apps"]
        theirs = replace(apps, metadata=replace(apps.metadata, labels={}), spec=replace(apps.spec, version_priority=7))
        await w.client.update(theirs)
        await w.settle()
        assert (await services(w))["v1.apps"].spec.version_priority == 7


async def test_other_servers_are_told_whom_to_believe() -> None:
    async with controlled() as w:
        await w.create_namespace("kube-system")
        data = {"client-ca-file": "one", "requestheader-client-ca-file": "two"}
        controller = ExtensionAuthenticationController(w.client, w.informers, data)
        await w.tasks.start(Runner(controller, w.informers, w.clock).run)
        await w.settle()
        found: Any = await w.client.get(ConfigMap, KEY[1], KEY[0])
        assert found.data == data
        await w.client.update(replace(found, data={"client-ca-file": "other", "mine": "too"}))
        await w.settle()
        found = await w.client.get(ConfigMap, KEY[1], KEY[0])
        assert found.data == {**data, "mine": "too"}
        await w.client.delete(ConfigMap, KEY[1], KEY[0])
        await w.settle()
        assert (await w.client.get(ConfigMap, KEY[1], KEY[0])).data == data
