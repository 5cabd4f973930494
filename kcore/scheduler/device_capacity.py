"""What requests take of a device that several may use at once: consumable capacity (KEP-5075).

A device says how much of each capacity it has, and perhaps in which amounts it is given away. What a request does not
speak of it takes by the device's default, else whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kcore.api.quantity import compare, in_binary, parse
from kcore.api.resource_v1 import CapacityRequestPolicyRange, CapacityRequirements, Device, DeviceCapacity

__all__ = ["Usage", "consumption"]


def consumption(required: CapacityRequirements | None, device: Device) -> Mapping[str, str] | None:
    """How much of each capacity a request would take of a device; None: more than it has, or than it gives away."""
    wanted = required.requests if required is not None else {}
    if not wanted.keys() <= device.capacity.keys():
        return None
    taken = {name: _amount(wanted.get(name), capacity) for name, capacity in device.capacity.items()}
    granted = {name: amount for name, amount in taken.items() if amount is not None}
    if len(granted) < len(taken):
        return None
    return None if any(compare(granted[name], device.capacity[name].value) > 0 for name in granted) else granted


def _amount(wanted: str | None, capacity: DeviceCapacity) -> str | None:
    """An amount as it is given away: the least that is allowed and enough."""
    policy = capacity.request_policy
    if wanted is None:
        return policy.default if policy is not None and policy.default is not None else capacity.value
    if policy is not None and policy.valid_range is not None:
        return _in_range(wanted, policy.valid_range)
    if policy is not None and policy.valid_values:
        return next((value for value in policy.valid_values if compare(wanted, value) <= 0), None)
    return wanted


def _in_range(wanted: str, allowed: CapacityRequestPolicyRange) -> str | None:
    amount = wanted
    if compare(wanted, allowed.min) <= 0:
        amount = allowed.min
    elif allowed.step is not None:
        least, step = parse(allowed.min).value, parse(allowed.step).value
        steps = -(-(parse(wanted).value - least) // step)
        amount = in_binary(least + steps * step)
    return None if allowed.max is not None and compare(amount, allowed.max) > 0 else amount


class Usage:
    """How much is in use of one device by all its users."""

    def __init__(self, shares: Iterable[Mapping[str, str]] = ()) -> None:
        self.users = 0
        self._nanos: dict[str, int] = {}
        for share in shares:
            self.add(share)

    def has_room(self, device: Device, share: Mapping[str, str]) -> bool:
        return all(
            self._nanos.get(name, 0) + parse(amount).nanos <= parse(device.capacity[name].value).nanos
            for name, amount in share.items()
        )

    def add(self, share: Mapping[str, str], sign: int = 1) -> None:
        """One user more, or fewer."""
        self.users += sign
        for name, amount in share.items():
            self._nanos[name] = self._nanos.get(name, 0) + sign * parse(amount).nanos
