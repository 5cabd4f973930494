"""Paths in file systems."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.field import FieldError, Path, invalid

__all__ = ["climbs", "descending_path", "local_path", "path_without_backsteps"]


def climbs(value: str) -> bool:
    return ".." in value and ".." in value.split("/")


def path_without_backsteps(value: str, path: Path) -> Iterator[FieldError]:
    if climbs(value):
        yield invalid(path, value, "must not contain '..'")


def descending_path(value: str, path: Path) -> Iterator[FieldError]:
    """A relative path that stays below where it starts."""
    if value.startswith("/"):
        yield invalid(path, value, "must be a relative path")
    yield from path_without_backsteps(value, path)


def local_path(value: str, path: Path) -> Iterator[FieldError]:
    """A descending path that keeps clear of the names which volumes use for themselves (`..data`)."""
    yield from descending_path(value, path)
    if value.startswith("..") and not value.startswith("../"):
        yield invalid(path, value, "must not start with '..'")
