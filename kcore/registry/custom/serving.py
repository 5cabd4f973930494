"""Which kinds are served because of definitions: the scheme follows what the store holds of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import structlog

from kcore.api.apiextensions_v1 import CustomResourceDefinition, CustomResourceDefinitionVersion
from kcore.api.kind import SCALE, STATUS, Kind, Subresource
from kcore.api.object import CustomResource
from kcore.registry.pipeline import Pipeline
from kcore.store.store import Channel, Compacted, EventType

__all__ = ["Definitions", "kinds_of", "version_priority"]

log = structlog.get_logger(__name__)

# The order in which upstream's discovery tells them.
_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


def version_priority(version: str) -> tuple[int, int, int, str]:
    """A key that sorts the preferred version first: stable before beta before alpha, the newer before the older."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return 3, 0, 0, version
    stage = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return stage, -int(match[1]), -int(match[3] or 0), version


def kinds_of(definition: CustomResourceDefinition) -> Iterator[Kind]:
    """What a definition serves, the preferred version first; nothing until its names are accepted."""
    conditions = {c.type: c.status for c in definition.status.conditions or ()}
    if conditions.get("Established") != "True":
        return
    names = definition.status.accepted_names
    for version in sorted(definition.spec.versions, key=lambda v: version_priority(v.name)):
        if version.served:
            yield Kind(
                group=definition.spec.group,
                version=version.name,
                name=names.kind,
                plural=names.plural,
                type=CustomResource,
                singular=names.singular,
                short_names=names.short_names,
                categories=names.categories,
                namespaced=definition.spec.scope == "Namespaced",
                verbs=_VERBS,
                subresources=tuple(_subresources(names.kind, version)),
                list_name=names.list_kind,
                deprecation=_deprecation(definition, version),
                definition=definition,
            )


def _subresources(kind: str, version: CustomResourceDefinitionVersion) -> Iterator[Subresource]:
    below = version.subresources
    if below is not None and below.status is not None:
        yield replace(STATUS, kind=kind)
    if below is not None and below.scale is not None:
        yield SCALE


def _deprecation(definition: CustomResourceDefinition, version: CustomResourceDefinitionVersion) -> str:
    if not version.deprecated:
        return ""
    if version.deprecation_warning is not None:
        return version.deprecation_warning
    group, kind = definition.spec.group, definition.status.accepted_names.kind
    better = [
        other.name
        for other in definition.spec.versions
        if other.served and not other.deprecated and version_priority(other.name) < version_priority(version.name)
    ]
    advice = f"; use {group}/{min(better, key=version_priority)} {kind}" if better else ""
    return f"{group}/{version.name} {kind} is deprecated{advice}"


class Definitions:
    """Keeps the scheme in step with the stored definitions, within a turn of the loop."""

    def __init__(self, pipe: Pipeline) -> None:
        self._pipe = pipe
        self._scheme = pipe.env.scheme
        self._store = pipe.env.store
        self._prefix = pipe.env.scheme.of(CustomResourceDefinition).prefix()
        self._served: dict[str, tuple[Kind, ...]] = {}
        self._channel: Channel | None = None

    def follow(self) -> None:
        """Serve what is defined, and from now on what will be."""
        since = self._store.revision
        found = {record.obj.metadata.name: record.obj for record in self._store.range(self._prefix).records}
        for name in [name for name in self._served if name not in found]:
            self._serve(name, None)
        for name, definition in found.items():
            self._serve(name, definition)
        self._channel = self._store.watch(self._prefix, since=since)
        self._channel.on_ready(self._take)

    def _take(self) -> None:
        assert self._channel is not None
        try:
            events = self._channel.take_nowait()
        except Compacted:
            self._channel.close()
            self.follow()
            return
        for event in events:
            definition: CustomResourceDefinition = event.record.obj
            self._serve(definition.metadata.name, None if event.type is EventType.DELETED else definition)

    def _serve(self, name: str, definition: CustomResourceDefinition | None) -> None:
        """Put the kinds of a definition in the place of those it had. One bad definition must not harm the others."""
        before = self._served.pop(name, ())
        kinds = tuple(kinds_of(definition)) if definition is not None else ()
        for kind in before:
            if kind not in kinds:
                self._scheme.remove(kind)
        for kind in kinds:
            self._scheme.add(kind)
            try:
                self._pipe.strategy(kind)
            except Exception:
                log.exception("definition cannot be served", definition=name, version=kind.version)
                self._scheme.remove(kind)
        if kinds:
            self._served[name] = tuple(k for k in kinds if self._scheme.find(k.group, k.version, k.plural) is k)
