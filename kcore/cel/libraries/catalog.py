"""All libraries, and the types that they bring."""

from __future__ import annotations

from collections.abc import Mapping

from kcore.cel.functions import Overload
from kcore.cel.libraries import (
    addresses,
    authorizer,
    lists,
    named_formats,
    quantities,
    regexes,
    semver,
    sets,
    strings,
    urls,
)
from kcore.cel.types import Type

__all__ = ["LIBRARIES", "LIBRARY_TYPES"]

LIBRARIES: tuple[tuple[Overload, ...], ...] = (
    strings.STRINGS,
    lists.LISTS,
    sets.SETS,
    regexes.REGEXES,
    urls.URLS,
    quantities.QUANTITIES,
    addresses.ADDRESSES,
    semver.SEMVER,
    named_formats.FORMATS,
    authorizer.AUTHORIZER,
)

LIBRARY_TYPES: Mapping[str, Type] = {
    each.name: each
    for each in (
        urls.URL,
        quantities.QUANTITY,
        addresses.IP,
        addresses.CIDR,
        semver.SEMVER_TYPE,
        named_formats.FORMAT,
        *authorizer.TYPES,
    )
}
