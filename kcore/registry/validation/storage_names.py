"""Names of storage drivers."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.field import FieldError, Path, required, too_long
from kcore.api.names import dns1123_subdomain
from kcore.registry.validation.values import check

__all__ = ["driver_name"]

_DRIVER_MAX = 63


def driver_name(name: str, path: Path) -> Iterator[FieldError]:
    """The name of a CSI driver: a domain of at most 63 bytes, in which case does not matter."""
    if not name:
        yield required(path)
    if len(name) > _DRIVER_MAX:
        yield too_long(path, _DRIVER_MAX)
    yield from check(path, name.lower(), dns1123_subdomain)
