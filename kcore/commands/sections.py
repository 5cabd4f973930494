"""Help by subject: what a newcomer needs first, and the rest behind `--help-all`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

__all__ = ["SectionedCommand", "in_section"]

_ALL = "kcore.help_all"
_SECTIONS: dict[click.Parameter, str] = {}


def in_section(title: str, options: Iterable[click.Option]) -> None:
    """Let help show these options under a title of their own."""
    _SECTIONS.update(dict.fromkeys(options, title))


class SectionedCommand(click.Command):
    """A command with so many options that `--help` shows only those without a section, and names the sections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--help-all"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_show_all,
                help="Show all options, by subject, and exit.",
            )
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(_SECTIONS.get(parameter, ""), []).append(record)
        with formatter.section("Options"):
            formatter.write_dl(sections.pop("", []))
        if not ctx.meta.get(_ALL):
            with formatter.section("More with --help-all"):
                formatter.write_text(", ".join(sections))
            return
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def _show_all(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        ctx.meta[_ALL] = True
        click.echo(ctx.get_help())
        ctx.exit()
