"""Objects that must go: this very one, and never another of its name that came meanwhile."""

from __future__ import annotations

from kcore.api.errors import NotFound
from kcore.api.meta_v1 import DeleteOptions, Preconditions
from kcore.api.object import Object
from kcore.client.client import Client

__all__ = ["delete_exactly"]


async def delete_exactly(client: Client, obj: Object) -> None:
    """Delete an object, which may be gone already. Conflict where another stands in its place."""
    metadata = obj.metadata
    options = DeleteOptions(preconditions=Preconditions(uid=metadata.uid))
    try:
        await client.delete(type(obj), metadata.name, metadata.namespace, options)
    except NotFound:
        return
