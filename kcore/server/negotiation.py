"""Which representation a client is given, from its Accept header.

Two stages answer, as upstream's two layers do. The router looks only at the media type and refuses with "Available
representations"; the negotiator then weighs the parameters (`as=Table;v=v1;g=meta.k8s.io`, `pretty`, `stream`) and
refuses with "only the following media types are accepted". Both are pure and cached by the header's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from kcore.api.errors import BadRequest, NotAcceptable
from kcore.api.field import Path, invalid
from kcore.registry.tables import INCLUDE_OBJECT
from kcore.server.errors import unacceptable
from kcore.server.query import Query
from kcore.server.response import JSON_TYPE, PROTOBUF_TYPE, YAML_TYPE

__all__ = [
    "PLAIN",
    "Clause",
    "Representation",
    "error_media_type",
    "including",
    "negotiate",
    "negotiate_discovery",
    "negotiate_watch",
    "parse_accept",
    "pretty",
    "represented",
]

ROUTED = (JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE)
_META_VERSIONS = ("v1", "v1beta1")
_PEOPLE = ("curl", "Wget", "Mozilla/5.0")
_TRANSFORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


class Representation(NamedTuple):
    """`form` is "" for the object itself, or the kind it is to be shown as, of meta.k8s.io/`version`.

    `include` is what the rows of a table carry of their objects.
    """

    media_type: str = JSON_TYPE
    form: str = ""
    version: str = "v1"
    pretty: bool = False
    include: str = "Metadata"


PLAIN = Representation()


class Clause(NamedTuple):
    """One alternative of an Accept header, without its q."""

    media_type: str
    parameters: dict[str, str]


def parse_accept(accept: str) -> list[Clause]:
    """The alternatives, the most wanted first (RFC 9110, 12.5.1); those of equal weight as they came."""
    weighed = []
    for part in accept.split(","):
        media_type, *pairs = (piece.strip() for piece in part.split(";"))
        parameters = dict(pair.partition("=")[::2] for pair in pairs)
        try:
            weight = float(parameters.pop("q", "1"))
        except ValueError:
            weight = 1.0
        weighed.append((weight, Clause(media_type, parameters)))
    weighed.sort(key=lambda pair: -pair[0])
    return [clause for _, clause in weighed]


@lru_cache(1024)
def negotiate(accept: str, streams: bool = False) -> Representation:
    """The representation of a resource. `streams`: the path can be watched. Raises NotAcceptable."""
    if not accept or accept == "*/*":
        return PLAIN
    clauses = parse_accept(accept)
    _route(clauses, streams)
    for clause in clauses:
        for media_type in (JSON_TYPE, YAML_TYPE):
            if _matches(clause.media_type, media_type) and (found := _transform(clause.parameters, media_type)):
                return found
    raise NotAcceptable(f"only the following media types are accepted: {', '.join(_offered(clauses))}")


@lru_cache(1024)
def represented(accept: str, query: Query, user_agent: str, streams: bool = False) -> Representation:
    """The representation of a resource, with all that the query and the client have to say to it.

    Raises NotAcceptable and BadRequest."""
    return pretty(including(negotiate(accept, streams), query), query, user_agent)


@lru_cache(256)
def negotiate_watch(accept: str) -> Representation:
    """The representation of a watch's events: JSON is the only stream that is served. Raises NotAcceptable."""
    if not accept or accept == "*/*":
        return PLAIN
    clauses = parse_accept(accept)
    _route(clauses, streams=True)
    for clause in clauses:
        if _matches(clause.media_type, JSON_TYPE) and (found := _transform(clause.parameters, JSON_TYPE)):
            return found
    streams = [f"{media_type};stream=watch" for media_type in (JSON_TYPE, PROTOBUF_TYPE)]
    raise NotAcceptable(f"only the following media types are accepted: {', '.join(streams)}")


@lru_cache(256)
def error_media_type(accept: str) -> str:
    """What an error is written in: it is never refused, so JSON where nothing fits."""
    wanted = [clause.media_type for clause in parse_accept(accept)]
    for media_type in wanted:
        if media_type in (JSON_TYPE, YAML_TYPE):
            return media_type
    return PROTOBUF_TYPE if wanted == [PROTOBUF_TYPE] else JSON_TYPE


def pretty(representation: Representation, query: Query, user_agent: str) -> Representation:
    """With indentation where the query asks for it, or, without a word there, for people's own clients."""
    wanted = query.flag("pretty") if "pretty" in query else user_agent.startswith(_PEOPLE)
    return representation._replace(pretty=True) if wanted else representation


def including(representation: Representation, query: Query) -> Representation:
    """With what the query wants of a table's rows. Raises BadRequest where there is no such thing."""
    include = query.get("includeObject")
    if representation.form != "Table" or not include:
        return representation
    if include not in INCLUDE_OBJECT:
        path = Path("includeObject")
        why = invalid(path, include, "must be 'Metadata', 'Object', 'None', or empty")
        raise BadRequest(f"Unable to convert to Table as requested: {why}")
    return representation._replace(include=include)


def _route(clauses: Sequence[Clause], streams: bool) -> None:
    if not any(clause.media_type == "*/*" or clause.media_type in ROUTED for clause in clauses):
        streamed = [f"{media_type};stream=watch" for media_type in (JSON_TYPE, PROTOBUF_TYPE)] if streams else []
        raise unacceptable(", ".join((*ROUTED, *streamed)))


def _matches(wanted: str, offered: str) -> bool:
    return wanted in (offered, "application/*", "*/*")


def _transform(parameters: dict[str, str], media_type: str) -> Representation | None:
    pretty = parameters.get("pretty") == "1"
    if parameters.get("stream", "watch") != "watch":
        return None
    form, group, version = (parameters.get(key, "") for key in ("as", "g", "v"))
    if not (form or group or version):
        return Representation(media_type, pretty=pretty)
    if group != "meta.k8s.io" or version not in _META_VERSIONS or form not in _TRANSFORMS:
        return None
    return Representation(media_type, form, version, pretty)


def _offered(clauses: Sequence[Clause]) -> Sequence[str]:
    """What to name in the refusal. Protobuf is named as upstream does, except to who can not have it."""
    return ROUTED[:2] if any(clause.media_type == PROTOBUF_TYPE for clause in clauses) else ROUTED


@lru_cache(256)
def negotiate_discovery(accept: str, aggregates: bool) -> Representation:
    """The representation of a discovery document; `aggregates`: it has an aggregated form (apidiscovery.k8s.io)."""
    if not accept or accept == "*/*":
        return PLAIN
    clauses = parse_accept(accept)
    _route(clauses, streams=False)
    for clause in clauses:
        form, group, version = (clause.parameters.get(key, "") for key in ("as", "g", "v"))
        aggregated = (form, group, version) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2")
        for media_type in (JSON_TYPE, YAML_TYPE):
            if not _matches(clause.media_type, media_type):
                continue
            if aggregated and aggregates:
                return Representation(media_type, form, version)
            if not (form or group or version):
                return Representation(media_type, pretty=clause.parameters.get("pretty") == "1")
    raise NotAcceptable(f"only the following media types are accepted: {', '.join(_offered(clauses))}")
