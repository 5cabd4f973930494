"""Doing many like things at once without insisting when they fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kcore.api.errors import ApiError
from kcore.kit.crowd import for_each

__all__ = ["slow_start"]


async def slow_start(count: int, do: Callable[[], Awaitable[object]]) -> tuple[int, ApiError | None]:
    """Call `do` up to `count` times in batches of 1, 2, 4, ..., each side by side; stop after a batch with a failure.

    A thousand pods that all break the same quota cost one refused request, not a thousand. Returns how many calls
    went well and the first error.
    """
    done = 0
    errors: list[ApiError] = []

    async def attempt(_: int) -> None:
        nonlocal done
        try:
            await do()
        except ApiError as error:
            errors.append(error)
        else:
            done += 1

    size = 1
    left = count
    while left and not errors:
        batch = min(size, left)
        await for_each(range(batch), attempt)
        left -= batch
        size *= 2
    return done, errors[0] if errors else None
