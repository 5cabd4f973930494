"""The query of a request, and the options of each verb that it spells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import parse_qsl

from kcore.api.errors import BadRequest, Invalid
from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, quote, required, too_long
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.names import path_segment_name
from kcore.api.selectors import SelectorError, parse_field_selector
from kcore.api.timestamp import TimeError, normalize_time
from kcore.api.timestamp import parse as parse_time
from kcore.registry.connecting.log_options import PodLogOptions
from kcore.registry.request import GivenOptions, ListOptions

__all__ = [
    "Query",
    "WriteOptions",
    "agent_name",
    "delete_options",
    "list_options",
    "log_options",
    "parse_query",
    "selected_name",
    "write_options",
]

_FIELD_MANAGER_MAX = 128  # bytes
_INT64_DIGITS = 19
_FIELD_VALIDATIONS = ("", "Ignore", "Strict", "Warn")


class Query:
    """Parameters by name; immutable, so that parsed queries can be shared."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, tuple[str, ...]]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def all(self, name: str) -> Sequence[str]:
        return self._values.get(name, ())

    def get(self, name: str) -> str:
        """The first value; "" where there is none."""
        return self._values[name][0] if name in self._values else ""

    def flag(self, name: str) -> bool:
        """Only absence, `false` and `0` are a no: any other value is a yes, even the empty one."""
        return name in self._values and self._values[name][0].lower() not in ("false", "0")

    def number(self, name: str) -> int | None:
        """Raises BadRequest where the value is no integer of 64 bits."""
        text = self.get(name)
        if not text:
            return None
        digits = text[1:] if text[0] in "+-" else text
        if not (digits.isascii() and digits.isdigit()):
            raise BadRequest(f"strconv.ParseInt: parsing {quote(text)}: invalid syntax")
        size = digits.lstrip("0") or "0"
        value = int(size) if len(size) <= _INT64_DIGITS else 2**64
        value = -value if text[0] == "-" else value
        if not -(2**63) <= value < 2**63:
            raise BadRequest(f"strconv.ParseInt: parsing {quote(text)}: value out of range")
        return value


@lru_cache(4096)
def parse_query(text: str) -> Query:
    """Cached: clients repeat themselves, and the parser is slow."""
    values: dict[str, tuple[str, ...]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        values[name] = (*values.get(name, ()), value)
    return Query(values)


@lru_cache(1024)
def selected_name(query: Query) -> str:
    """The one name that a field selector narrows a collection to, if it does: access to that name is enough."""
    text = query.get("fieldSelector")
    if not text:
        return ""
    try:
        name = parse_field_selector(text).exact("metadata.name") or ""
    except SelectorError:
        return ""
    return "" if path_segment_name(name) else name


def list_options(query: Query) -> ListOptions:
    """What a list, watch or deletecollection selects."""
    return ListOptions(
        label_selector=query.get("labelSelector"),
        field_selector=query.get("fieldSelector"),
        resource_version=query.get("resourceVersion"),
        resource_version_match=query.get("resourceVersionMatch"),
        limit=query.number("limit") or 0,
        continue_=query.get("continue"),
        allow_watch_bookmarks=query.flag("allowWatchBookmarks"),
        send_initial_events=query.flag("sendInitialEvents") if "sendInitialEvents" in query else None,
        timeout_seconds=query.number("timeoutSeconds"),
    )


class WriteOptions:
    """CreateOptions, UpdateOptions, PatchOptions: what they have in common."""

    __slots__ = ("dry_run", "field_manager", "field_validation", "force", "given")

    def __init__(self, query: Query) -> None:
        self.dry_run = "dryRun" in query
        self.field_manager = query.get("fieldManager")
        self.field_validation = query.get("fieldValidation") or "Warn"
        self.given = GivenOptions(self.field_manager, query.get("fieldValidation"))
        self.force = query.flag("force") if "force" in query else None


_OPTIONS_KINDS = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}


@lru_cache(1024)
def write_options(query: Query, verb: str, apply: bool = False) -> WriteOptions:
    """Raises Invalid, naming the options kind, where a value is not allowed."""
    errors = list(_errors(query, verb, apply))
    if errors:
        raise Invalid.named("meta.k8s.io", _OPTIONS_KINDS[verb], "", errors)
    return WriteOptions(query)


def _errors(query: Query, verb: str, apply: bool) -> Iterator[FieldError]:
    if verb == "patch":
        if apply and not query.get("fieldManager"):
            yield required(Path("fieldManager"), "is required for apply patch")
        elif not apply and "force" in query:
            yield forbidden(Path("force"), "may not be specified for non-apply patch")
    yield from dry_run_errors(query.all("dryRun"))
    yield from _field_manager_errors(query.get("fieldManager"))
    if query.get("fieldValidation") not in _FIELD_VALIDATIONS:
        yield not_supported(Path("fieldValidation"), query.get("fieldValidation"), _FIELD_VALIDATIONS)


def dry_run_errors(values: Sequence[str]) -> Iterator[FieldError]:
    if any(value != "All" for value in values):
        yield not_supported(Path("dryRun"), list(values), ("All",))


def _field_manager_errors(manager: str) -> Iterator[FieldError]:
    path = Path("fieldManager")
    if len(manager.encode()) > _FIELD_MANAGER_MAX:
        yield too_long(path, _FIELD_MANAGER_MAX)
    for position, character in enumerate(manager):
        if not character.isprintable():
            yield invalid(path, manager, f"invalid character U+{ord(character):04X} (at position {position})")


@lru_cache(1024)
def agent_name(user_agent: str) -> str:
    """What a client calls itself: the printable beginning of its User-Agent, up to the first slash."""
    name = ""
    for character in user_agent.partition("/")[0]:
        if character.isprintable():
            if len((name + character).encode()) > _FIELD_MANAGER_MAX:
                break
            name += character
    return name


def delete_options(query: Query) -> DeleteOptions:
    """The options of a DELETE without a body."""
    return DeleteOptions(
        dry_run=tuple(query.all("dryRun")),
        grace_period_seconds=query.number("gracePeriodSeconds"),
        orphan_dependents=query.flag("orphanDependents") if "orphanDependents" in query else None,
        propagation_policy=query.get("propagationPolicy") or None,
    )


def log_options(query: Query) -> PodLogOptions:
    """What of a container's log is wanted. Raises BadRequest."""
    since = query.get("sinceTime")
    try:
        since_time = parse_time(since) if since and normalize_time(since) else None
    except TimeError as error:
        raise BadRequest(str(error)) from None
    return PodLogOptions(
        container=query.get("container"),
        follow=query.flag("follow"),
        previous=query.flag("previous"),
        since_seconds=query.number("sinceSeconds"),
        since_time=since_time,
        timestamps=query.flag("timestamps"),
        tail_lines=query.number("tailLines"),
        limit_bytes=query.number("limitBytes"),
        stream=query.get("stream") if "stream" in query else None,
    )
