"""The recipe of list: a page of records at one revision."""

from __future__ import annotations

from collections.abc import Sequence

from kcore.api.errors import Expired
from kcore.registry.pipeline import Pipeline
from kcore.registry.request import ListOptions, ListPage, Request
from kcore.registry.selection import Selection, select
from kcore.registry.versions import (
    Continue,
    ContinueExpired,
    check_list_options,
    decode_continue,
    encode_continue,
    parse_version,
    too_large,
)
from kcore.store.store import Compacted, FutureRevision, Page, Record, Store

__all__ = ["list_records"]

_STEP = 512


def list_records(pipe: Pipeline, req: Request, options: ListOptions) -> ListPage:
    check_list_options(options)
    selection = select(pipe.strategy(req.kind), options.label_selector, options.field_selector)
    prefix = req.kind.prefix(req.namespace)
    store = pipe.store(req.kind)
    if options.continue_:
        return _rest(store, prefix, selection, options)
    version = parse_version(options.resource_version)
    current = store.revision
    if version > current:
        raise too_large(version, current)
    limit = options.limit
    if version == 0:
        exact = None
        if options.resource_version:
            limit = 0  # "0" asks for whatever is at hand; upstream's cache then gives all of it
    elif options.resource_version_match == "Exact" or (limit and not options.resource_version_match):
        exact = version
    else:
        exact = None
    try:
        return _page(store, prefix, selection, exact, "", limit)
    except Compacted:
        raise Expired("The resourceVersion for the provided list is too old.") from None


def _rest(store: Store, prefix: str, selection: Selection, options: ListOptions) -> ListPage:
    """What follows a page: at the revision of the first one, as long as it can be read."""
    position = decode_continue(options.continue_)
    at = position.revision if position.revision > 0 else None
    try:
        # A version of "0" lifts the limit of what follows, too.
        limit = 0 if options.resource_version else options.limit
        return _page(store, prefix, selection, at, prefix + position.after, limit)
    except Compacted:
        raise ContinueExpired(position.after) from None
    except FutureRevision as e:
        raise too_large(e.revision, e.current) from None


def _page(store: Store, prefix: str, selection: Selection, at: int | None, after: str, limit: int) -> ListPage:
    if selection.empty:
        page = store.range(prefix, at=at, after=after, limit=limit)
        return _answer(page.records, page, prefix, page.remaining or None)
    if limit <= 0:
        named = _named(store, prefix, selection) if at is None and not after else None
        page = named or store.range(prefix, at=at, after=after)
        return _answer(selection.pick(page.records), page, prefix, None)
    return _selected(store, prefix, selection, at, after, limit)


def _named(store: Store, prefix: str, selection: Selection) -> Page | None:
    """The page of the one object that can match, where prefix and selector name it; None: they do not."""
    if not selection.name or prefix.count("/") == 1:
        return None
    record = store.get(f"{prefix}{selection.name}")
    return Page((record,) if record else (), store.revision)


def _selected(store: Store, prefix: str, selection: Selection, at: int | None, after: str, limit: int) -> ListPage:
    """Read on until `limit` objects match; how many of the rest match is not known."""
    found: list[Record] = []
    while True:
        page = store.range(prefix, at=at, after=after, limit=max(limit, _STEP))
        at = page.revision
        matching = selection.pick(page.records)
        room = limit - len(found)
        found += matching[:room]
        if len(matching) >= room:
            last = found[-1].key
            more = page.remaining > 0 or page.records[-1].key != last
            return _answer(found, Page(found, page.revision, int(more)), prefix, None)
        if not page.remaining:
            return _answer(found, Page(found, page.revision), prefix, None)
        after = page.records[-1].key


def _answer(records: Sequence[Record], page: Page, prefix: str, remaining: int | None) -> ListPage:
    token = ""
    if page.remaining and page.records:
        token = encode_continue(Continue(page.revision, page.records[-1].key[len(prefix) :]))
    return ListPage(records, str(page.revision), token, remaining)
