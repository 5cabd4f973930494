"""What is told of requests, and where it goes."""

from __future__ import annotations

import click
from click import Option

from kcore.commands.flags.group import ExistingFile, Seconds, flags, switch

__all__ = ["audit_options"]

_COUNT = click.IntRange(min=0)

audit_options = flags(
    "audit",
    "kcore.server.audit.options:AuditOptions",
    Option(
        ["--audit-policy-file"], type=ExistingFile, help="audit.k8s.io/v1 Policy: how much is told of which request."
    ),
    Option(["--audit-log-path"], default="", help="File that audit events are appended to; - is standard output."),
    Option(["--audit-log-format"], type=click.Choice(["json", "legacy"]), default="json", show_default=True),
    Option(
        ["--audit-log-maxsize"],
        type=_COUNT,
        default=100,
        show_default=True,
        help="Megabytes from which the audit log is put aside; 0: never.",
    ),
    Option(["--audit-log-maxage"], type=_COUNT, default=0, help="Days that logs put aside are kept; 0: for ever."),
    Option(["--audit-log-maxbackup"], type=_COUNT, default=0, help="How many logs put aside are kept; 0: all."),
    switch("--audit-log-compress", default=False, help="Whether logs put aside are compressed."),
    Option(
        ["--audit-webhook-config-file"], type=ExistingFile, help="Kubeconfig of a server that audit events are sent to."
    ),
    Option(["--audit-webhook-batch-max-size"], type=click.IntRange(min=1), default=400, show_default=True),
    Option(
        ["--audit-webhook-batch-max-wait"], type=Seconds(), default=30.0, help="How long events wait.  [default: 30s]"
    ),
    Option(["--audit-webhook-batch-buffer-size"], type=click.IntRange(min=1), default=10_000, show_default=True),
    Option(
        ["--audit-webhook-initial-backoff"],
        type=Seconds(),
        default=10.0,
        help="Before a second attempt.  [default: 10s]",
    ),
)
