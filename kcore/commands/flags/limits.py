"""How much the API server does at once, and for how long."""

from __future__ import annotations

import click
from click import Option

from kcore.commands.flags.group import Seconds, flags, switch

__all__ = ["limit_options"]

_COUNT = click.IntRange(min=0)

limit_options = flags(
    "limits",
    "kcore.server.limits.options:LimitOptions",
    Option(
        ["--max-requests-inflight"],
        type=_COUNT,
        default=400,
        show_default=True,
        help="Reading requests at once; with priority and fairness, part of the seats that all requests share.",
    ),
    Option(
        ["--max-mutating-requests-inflight"],
        type=_COUNT,
        default=200,
        show_default=True,
        help="The same of writing ones.",
    ),
    switch(
        "--enable-priority-and-fairness",
        default=True,
        help="Whether FlowSchemas and PriorityLevelConfigurations say who waits for whom.",
    ),
    Option(
        ["--request-timeout"],
        type=Seconds(),
        default=60.0,
        help="How long a request may take that is no watch.  [default: 1m]",
    ),
)
