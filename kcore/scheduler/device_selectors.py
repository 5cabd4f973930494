"""CEL expressions about devices, as DeviceClasses and requests have them (KEP-4381).

device.driver == "gpu.example.com" && device.attributes["gpu.example.com"].model == "a100"
device.capacity["gpu.example.com"].memory.compareTo(quantity("10Gi")) >= 0
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kcore.api.resource_v1 import Device, DeviceAttribute, DeviceSelector

if TYPE_CHECKING:
    from kcore.cel import Program

__all__ = ["SelectorError", "attribute", "matches"]

MOST_COST = 1_000_000


class SelectorError(ValueError):
    """An expression that is wrong, or asks for what a device does not have."""


def matches(selectors: Iterable[DeviceSelector], driver: str, device: Device) -> bool:
    """Whether a device meets all selectors. Raises SelectorError."""
    from kcore.cel import EvaluationError  # here and below: most clusters have no devices, and start-up need not wait

    document = None
    for index, selector in enumerate(selectors):
        if selector.cel is None:
            continue
        document = document or {"device": _document(driver, device)}
        try:
            met = _program(selector.cel.expression).evaluate(document)
        except EvaluationError as error:
            raise SelectorError(f"selector #{index}: CEL runtime error: {error}") from error
        if met is not True:
            return False
    return True


def attribute(driver: str, device: Device, name: str) -> DeviceAttribute | None:
    """The attribute of a qualified name; one without a domain is of the driver's."""
    domain, slash, short = name.rpartition("/")
    return device.attributes.get(name) or (device.attributes.get(short) if slash and domain == driver else None)


@lru_cache(maxsize=1024)
def _program(expression: str) -> Program:
    from kcore.cel import CompileError, Environment, PlanError
    from kcore.cel.types import BOOL, DYN

    try:
        program = Environment({"device": DYN}).compile(expression, MOST_COST)
    except (CompileError, PlanError) as error:
        raise SelectorError(f"CEL compile error: {error}") from error
    if program.result not in (BOOL, DYN):
        raise SelectorError(f"CEL compile error: must evaluate to bool or the unknown type, not {program.result}")
    return program


def _document(driver: str, device: Device) -> Mapping[str, Any]:
    """A device as expressions see it. A domain of which nothing is known is empty, not missing."""
    attributes, capacity = _Domains(), _Domains()
    for name, value in device.attributes.items():
        domain, _, short = name.rpartition("/")
        attributes.setdefault(domain or driver, {})[short] = _value(value)
    for name, amount in device.capacity.items():
        domain, _, short = name.rpartition("/")
        capacity.setdefault(domain or driver, {})[short] = _converted("quantity(text)", amount.value)
    return {
        "driver": driver,
        "attributes": attributes,
        "capacity": capacity,
        "allowMultipleAllocations": bool(device.allow_multiple_allocations),
    }


class _Domains(dict[str, dict[str, Any]]):
    def __missing__(self, domain: str) -> dict[str, Any]:
        return {}

    def __contains__(self, domain: object) -> bool:
        return True

    def get(self, domain: str, default: Any = None) -> Any:
        return self[domain]


def _value(attribute: DeviceAttribute) -> Any:
    if attribute.version is not None:
        return _converted("semver(text)", attribute.version)
    if attribute.versions:
        return [_converted("semver(text)", version) for version in attribute.versions]
    for value in (attribute.bool_, attribute.int_, attribute.string):
        if value is not None:
            return value
    return list(attribute.bools or attribute.ints or attribute.strings)


@lru_cache(maxsize=4096)
def _converted(how: str, text: str) -> Any:
    """A value of CEL's own types."""
    from kcore.cel import Environment
    from kcore.cel.types import STRING

    return Environment({"text": STRING}).compile(how).evaluate({"text": text})
