"""An answer of the registry as the bytes of a body: the object itself, or the form that the client asked for.

The plain form is put together from the objects' own bytes; every other one starts from the JSON tree.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import anyio.lowlevel
import msgspec

from kcore.api.autoscaling_v1 import Scale
from kcore.api.errors import NotAcceptable
from kcore.api.kind import Kind
from kcore.api.object import encode_object
from kcore.kit.clock import Clock
from kcore.registry.managed_fields import SCALE_KIND
from kcore.registry.request import Answer, ListPage
from kcore.registry.tables import partial_metadata, table
from kcore.server.negotiation import PLAIN, Representation
from kcore.server.response import YAML_TYPE, to_yaml
from kcore.store.store import Event, EventType, Record

__all__ = ["Views", "encode"]

AT_ONCE = 200
"""How many records of a list are read before others get their turn."""


def encode(document: bytes, representation: Representation) -> bytes:
    """A JSON document as the client wants it written."""
    if representation.media_type == YAML_TYPE:
        return to_yaml(document)
    if representation.pretty:
        return msgspec.json.format(document, indent=2)
    return document + b"\n"


class Views:
    """Shows objects. The clock tells how old they are, which tables say."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def answer(self, kind: Kind, answer: Answer, representation: Representation = PLAIN) -> bytes:
        """The body of one object; or of a Status, which is never shown in another form."""
        if representation.form and isinstance(answer, Scale):
            kind, answer = SCALE_KIND, _recorded(answer)
        if not isinstance(answer, Record):
            return encode(msgspec.json.encode(answer), representation)
        if representation is PLAIN:
            return b"".join((kind.type_meta, memoryview(answer.data)[1:], b"\n"))
        if representation.form:
            return encode(msgspec.json.encode(self._transformed(kind, answer, representation)), representation)
        return encode(kind.type_meta + answer.data[1:], representation)

    async def list(self, kind: Kind, page: ListPage, representation: Representation = PLAIN) -> bytes:
        """The body of a list: the records' own bytes, joined. Of long ones, in several turns of the loop."""
        if representation.form:
            return encode(msgspec.json.encode(self._transformed_list(kind, page, representation)), representation)
        opening = f'{{"kind":"{kind.list_kind}","apiVersion":"{kind.api_version}","metadata":'.encode()
        metadata = _list_metadata(page)
        if kind.definition is None:
            items = b",".join([record.data async for record in _in_turns(page.records)])
        else:  # of custom kinds, each item says what it is
            items = b",".join([kind.type_meta + record.data[1:] async for record in _in_turns(page.records)])
            metadata = {"continue": "", **metadata}
        ending = b"]}\n" if representation is PLAIN else b"]}"
        document = b"".join((opening, msgspec.json.encode(metadata), b',"items":[', items, ending))
        return document if representation is PLAIN else encode(document, representation)

    def line(self, kind: Kind, representation: Representation, *, columns: bool = False) -> Callable[[Event], bytes]:
        """How to write an event as one line of a watch; `columns`: a table with its column definitions."""
        openings = {
            event_type: b'{"type":"%b","object":%b' % (event_type.value.encode(), kind.type_meta)
            for event_type in EventType
        }

        def plain(event: Event) -> bytes:
            return b"".join((openings[event.type], memoryview(event.record.data)[1:], b"}\n"))

        def transformed(event: Event) -> bytes:
            tree = self._transformed(kind, event.record, representation, columns=columns)
            return msgspec.json.encode({"type": event.type.value, "object": tree}) + b"\n"

        return transformed if representation.form else plain

    def _transformed(
        self, kind: Kind, record: Record, representation: Representation, *, columns: bool = True
    ) -> dict[str, Any]:
        if representation.form == "Table":
            metadata = {"resourceVersion": record.obj.metadata.resource_version}
            return self._table(kind, (record,), representation, metadata, columns=columns)
        if representation.form == "PartialObjectMetadataList":
            raise NotAcceptable(
                f"you requested {representation.form}, but the requested object is not a list ({_go_type(kind)})"
            )
        return _partial(record, representation.version)

    def _transformed_list(self, kind: Kind, page: ListPage, representation: Representation) -> dict[str, Any]:
        metadata = _list_metadata(page)
        if representation.form == "Table":
            return self._table(kind, page.records, representation, metadata)
        if representation.form == "PartialObjectMetadata":
            raise NotAcceptable(
                f"you requested {representation.form}, but the requested object is a list ({_go_type(kind)}List)"
            )
        return {
            "kind": representation.form,
            "apiVersion": f"meta.k8s.io/{representation.version}",
            "metadata": metadata,
            "items": [_partial(record, representation.version) for record in page.records],
        }

    def _table(
        self,
        kind: Kind,
        records: Iterable[Record],
        representation: Representation,
        metadata: dict[str, Any],
        *,
        columns: bool = True,
    ) -> dict[str, Any]:
        return table(
            kind,
            records,
            now=self._clock.now(),
            include_object=representation.include,
            version=representation.version,
            metadata=metadata,
            columns=columns,
        )


async def _in_turns(records: Iterable[Record]) -> AsyncIterator[Record]:
    """Records whose bytes may have to be made anew, with room for others between them."""
    for number, record in enumerate(records, 1):
        yield record
        if number % AT_ONCE == 0:
            await anyio.lowlevel.checkpoint()


def _recorded(scale: Scale) -> Record:
    """A Scale in the form of what is stored."""
    bare = msgspec.structs.replace(scale, kind="", api_version="")
    return Record("", 0, bare, encode_object(bare))


def _list_metadata(page: ListPage) -> dict[str, Any]:
    metadata: dict[str, Any] = {"resourceVersion": page.resource_version}
    if page.continue_:
        metadata["continue"] = page.continue_
    if page.remaining_item_count is not None:
        metadata["remainingItemCount"] = page.remaining_item_count
    return metadata


def _partial(record: Record, version: str) -> dict[str, Any]:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": partial_metadata(record.obj),
    }


def _go_type(kind: Kind) -> str:
    """What upstream's messages call the type: a pointer into the internal package of its group."""
    return f"*{kind.group.partition('.')[0] or 'core'}.{kind.name}"
