"""The storage class that a new cluster begins with, so that claims are bound without further ado."""

from __future__ import annotations

from kcore.api.meta_v1 import ObjectMeta
from kcore.api.storage_classes import IS_DEFAULT
from kcore.api.storage_v1 import StorageClass
from kcore.client.client import Client
from kcore.client.ensure import ensure
from kcore.controllers.volumes.provisioning import HOST_PATH

__all__ = ["ensure_default_class"]


async def ensure_default_class(client: Client, name: str) -> None:
    """Create it where it is absent. Its volumes can be reached from every node, so no claim has to wait for one."""
    standard = StorageClass(
        metadata=ObjectMeta(name=name, annotations={IS_DEFAULT: "true"}),
        provisioner=HOST_PATH,
        reclaim_policy="Delete",
        volume_binding_mode="Immediate",
        allow_volume_expansion=True,
    )
    await ensure(client, standard)
