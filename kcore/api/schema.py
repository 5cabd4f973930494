"""What API types are made of: the frozen Struct, scalars, and the marks that say how lists and maps merge.

A field's type says more than its shape. The marks in `Annotated[...]` carry upstream's list types and
patch strategies (`x-kubernetes-list-type`, `x-kubernetes-patch-merge-key`, ...), and the defaults carry
Go's encoding rules, so that decoding, strategic merge, server-side apply and OpenAPI read one source:

* a plain default (`""`, `0`, `()`, `{}`) is a Go value with `omitempty`: left out when empty;
* `X | None = None` is a Go pointer: an explicit zero is kept;
* `field(default_factory=empty)` (`zero`, `false`, `null`, a Struct type, ...) is a Go value without
  `omitempty`: always written, because msgspec leaves out literal defaults only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, NamedTuple, TypeAlias, dataclass_transform

import msgspec
from msgspec import Meta

__all__ = [
    "JSON",
    "LIST_ATOMIC",
    "LIST_SET",
    "MAP_ATOMIC",
    "Base64",
    "Int32",
    "Int64",
    "IntOrString",
    "ListMap",
    "ListType",
    "MapType",
    "MicroTime",
    "Patch",
    "Quantity",
    "RawExtension",
    "Struct",
    "Time",
    "TypeMeta",
    "assign",
    "empty",
    "empty_map",
    "empty_tuple",
    "false",
    "fill",
    "null",
    "zero",
    "zero_quantity",
]


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class _StructMeta(msgspec.StructMeta):
    """Makes every API type keyword-only without saying so six hundred times."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any) -> Any:
        config.setdefault("kw_only", True)
        return super().__new__(mcls, name, bases, namespace, **config)


class Struct(
    msgspec.Struct,
    metaclass=_StructMeta,
    frozen=True,
    gc=False,
    omit_defaults=True,
    forbid_unknown_fields=True,
    rename="camel",
):
    """The base of every API type: immutable, shared without copying, unseen by the garbage collector."""

    __map_type__: ClassVar[str] = "granular"


class TypeMeta(Struct):
    """`kind` and `apiVersion` of a decoded document; empty inside kcore, where the type itself says them."""

    kind: str = ""
    api_version: str = ""


class ListType(NamedTuple):
    """How the elements of a list are told apart when two writers merge it (KEP-555)."""

    name: str
    keys: tuple[str, ...] = ()


class MapType(NamedTuple):
    """Whether a map is owned key by key (`granular`) or as one value (`atomic`)."""

    name: str


class Patch(NamedTuple):
    """The strategic merge strategy of a field, and the key that identifies the elements of a merged list."""

    strategy: str
    key: str = ""


def ListMap(*keys: str) -> ListType:  # noqa: N802  # reads as a type in annotations
    """A list whose elements are identified by the wire names `keys`."""
    return ListType("map", keys)


LIST_SET = ListType("set")
LIST_ATOMIC = ListType("atomic")
MAP_ATOMIC = MapType("atomic")

# The patterns accept only the canonical spelling. Anything else falls to the slow decoder, which parses the
# value as Go would and writes it back in canonical form (or says what is wrong with it).
Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1, extra={"format": "int32"})]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1, extra={"format": "int64"})]
_DATE = (
    r"(?!000)[0-9]{2}(?:[0-9]{2}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31)|(?:0[48]|[2468][048]|[13579][26])-02-29)"
)
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
Time = Annotated[str, Meta(pattern=rf"^{_DATE}T{_CLOCK}Z\Z", extra={"format": "date-time"})]
MicroTime = Annotated[str, Meta(pattern=rf"^{_DATE}T{_CLOCK}\.[0-9]{{6}}Z\Z", extra={"format": "micro-time"})]
# A binary number is canonical while 1024 does not divide it: up to four digits exactly, above if 4 does not divide it.
_BINARY = (
    r"[1-9][0-9]{0,2}[KMGTP]i|(?!1024|2048|3072|4096|5120|6144|7168|8192|9216)[1-9][0-9]{3}[KMGT]i"
    r"|[1-9][0-9]{2,8}(?:[0-9][13579]|[02468][26]|[13579][048])[KM]i"
)
Quantity = Annotated[
    str,
    Meta(
        pattern=rf"^(?:0|{_BINARY}|[1-9][0-9]{{0,14}}(?<!000)[mkMGTPE]?)\Z",
        extra={"format": "quantity"},
    ),
]
Base64 = Annotated[
    str,
    Meta(
        pattern=r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?\Z",
        extra={"format": "byte"},
    ),
]
IntOrString: TypeAlias = Int32 | str
JSON: TypeAlias = Any
RawExtension: TypeAlias = Any
"""An embedded object of any kind, kept as the JSON tree it came as."""


def empty() -> str:
    """`""`, written even so."""
    return ""


def zero() -> int:
    """`0`, written even so."""
    return 0


def zero_quantity() -> str:
    """`"0"`, written even so."""
    return "0"


def false() -> bool:
    """`false`, written even so."""
    return False


def null() -> None:
    """`null`, written even so: a Go pointer, time or slice without `omitempty`."""
    return


def empty_tuple() -> tuple[()]:
    """`[]`, written even so."""
    return ()


def empty_map() -> Mapping[str, Any]:
    """`{}`, written even so."""
    return {}


assign = msgspec.structs.force_setattr
"""Set one field as `fill` does, for what every create runs: a call into C, and no dictionary made for it."""


def fill(obj: Struct, **fields: Any) -> None:
    """Set fields of an object that nobody else has seen yet: a fresh decode on its way through the registry."""
    for name, value in fields.items():
        assign(obj, name, value)
