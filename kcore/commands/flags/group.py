"""Flags of one subject, which reach the command as one argument."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import click

from kcore.commands.options import fail
from kcore.commands.sections import in_section

__all__ = ["ExistingFile", "Seconds", "flags", "switch"]

F = TypeVar("F", bound=Callable[..., Any])

ExistingFile = click.Path(exists=True, dir_okay=False, path_type=Path)


class Seconds(click.ParamType[Any]):
    """A duration as Go writes it: `1h30m`, `500ms`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from kcore.api.duration import DurationError, seconds

        if isinstance(value, (int, float)):
            return value
        try:
            found = seconds(str(value))
        except DurationError:
            found = -1.0
        if found < 0:
            self.fail(f"{value!r} is no duration such as 1h30m or 10s", param, ctx)
        return found


def switch(name: str, *, default: bool, help: str) -> click.Option:
    """A flag that reads as Go's do: `--name`, `--name=false`."""
    return click.Option(
        [name], type=bool, is_flag=False, flag_value=True, default=default, show_default=True, help=help
    )


def flags(argument: str, made_by: str, *options: click.Option, title: str = "") -> Callable[[F], F]:
    """A decorator: the command gets `argument`, a dataclass `module:Name` whose fields are called as the options are.

    Help shows the options under `title`, by default what the argument is called. The dataclass is imported when the
    command runs; what it refuses, a ValueError, is said in one line.
    """

    in_section(title or argument.capitalize(), options)

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def grouped(**given: Any) -> Any:
            own = {option.name: given.pop(option.name) for option in options if option.name}
            module, _, name = made_by.partition(":")
            try:
                made = getattr(import_module(module), name)(**own)
            except ValueError as error:
                fail(str(error))
            return command(**given, **{argument: made})

        params: list[click.Parameter] = grouped.__dict__.setdefault("__click_params__", [])
        params.extend(reversed(options))
        return grouped  # type: ignore[return-value]

    return decorate
