from __future__ import annotations

from kcore.api.coordination_v1 import Lease, LeaseSpec
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.timestamp import format_micro
from kcore.controllers.apiserveridentity import ApiServerIdentity, lease_name
from tests.sim.world import world


async def test_server_shows_that_it_lives_and_forgets_those_that_died() -> None:
    async with world() as w:
        await w.create_namespace("kube-system")
        labels = {"apiserver.kubernetes.io/identity": "kube-apiserver"}
        renewed = format_micro(w.clock.now())
        for name, kept in (("dead", labels), ("other", {})):
            await w.client.create(
                Lease(
                    metadata=ObjectMeta(name=name, namespace="kube-system", labels=kept),
                    spec=LeaseSpec(holder_identity=name, lease_duration_seconds=3600, renew_time=renewed),
                )
            )
        await w.tasks.start(ApiServerIdentity(w.client, w.clock, w.chance, "host").run)
        await w.settle(5)
        own = await w.client.get(Lease, lease_name("host"), "kube-system")
        assert own.metadata.labels["kubernetes.io/hostname"] == "host"
        await w.settle(7300)
        names = {lease.metadata.name for lease in (await w.client.list(Lease, "kube-system")).items}
        assert names == {lease_name("host"), "other"}
        later = await w.client.get(Lease, lease_name("host"), "kube-system")
        assert later.spec.renew_time != own.spec.renew_time


def test_name_is_made_of_the_host() -> None:
    assert lease_name("host") == lease_name("host") != lease_name("other")
    assert len(lease_name("host")) == len("apiserver-") + 26
