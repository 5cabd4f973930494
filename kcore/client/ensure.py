"""Objects that must be there."""

from __future__ import annotations

from kcore.api.errors import AlreadyExists, NotFound
from kcore.api.object import Object
from kcore.client.client import Client

__all__ = ["ensure"]


async def ensure(client: Client, wanted: Object) -> None:
    """Create an object where it is absent; one that is there stays as it is."""
    metadata = wanted.metadata
    try:
        await client.get(type(wanted), metadata.name, metadata.namespace)
    except NotFound:
        try:
            await client.create(wanted)
        except AlreadyExists:
            return
