"""The functions beyond the language: those of cel-go's extensions and of Kubernetes that a 1.36 server offers.

A module holds one library: its overloads, and the class of its values where it has a type of its own. What a call
costs is said in `kcore.cel.cost`, so that all numbers stand in one place.
"""

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
