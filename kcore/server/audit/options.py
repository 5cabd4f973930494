"""`--audit-*`: what is told of requests, and where it goes. The rest of the package is loaded where something is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kcore.kit.clock import Chance, Clock

if TYPE_CHECKING:
    from kcore.server.audit.auditor import Auditor
    from kcore.server.audit.sink import Buffered

__all__ = ["AuditOptions"]

_FILE_CAPACITY = 100_000
_FILE_BATCH = 1000


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """One field for each flag of upstream's API server, by its name."""

    audit_policy_file: Path | None = None
    audit_log_path: str = ""
    audit_log_format: str = "json"
    audit_log_maxsize: int = 100
    audit_log_maxage: int = 0
    audit_log_maxbackup: int = 0
    audit_log_compress: bool = False
    audit_webhook_config_file: Path | None = None
    audit_webhook_batch_max_size: int = 400
    audit_webhook_batch_max_wait: float = 30.0
    audit_webhook_batch_buffer_size: int = 10_000
    audit_webhook_initial_backoff: float = 10.0

    def auditor(self, clock: Clock, chance: Chance) -> Auditor | None:
        """None where nothing is told or nobody listens. Raises ValueError for what can not be used."""
        if self.audit_policy_file is None or not (self.audit_log_path or self.audit_webhook_config_file):
            return None
        from kcore.server.audit.auditor import Auditor
        from kcore.server.audit.policy import read_policy

        sinks = list(self._sinks(clock))
        return Auditor(read_policy(self.audit_policy_file), sinks, clock, chance)

    def _sinks(self, clock: Clock) -> Iterator[Buffered]:
        from kcore.client import kubeconfig
        from kcore.server.audit.log_file import LogFile, json_line, legacy_line
        from kcore.server.audit.sink import Buffered
        from kcore.server.audit.webhook import Webhook

        if self.audit_log_path:
            log_file = LogFile(
                None if self.audit_log_path == "-" else Path(self.audit_log_path),
                clock,
                legacy_line if self.audit_log_format == "legacy" else json_line,
                size_max=self.audit_log_maxsize,
                age_max=self.audit_log_maxage,
                backups_max=self.audit_log_maxbackup,
                compress=self.audit_log_compress,
            )
            yield Buffered(log_file, capacity=_FILE_CAPACITY, batch=_FILE_BATCH)
        if self.audit_webhook_config_file is not None:
            try:
                access = kubeconfig.load(self.audit_webhook_config_file)
            except kubeconfig.KubeconfigError as error:
                raise ValueError(f"--audit-webhook-config-file: {error}") from error
            yield Buffered(
                Webhook(access, backoff=self.audit_webhook_initial_backoff),
                capacity=self.audit_webhook_batch_buffer_size,
                batch=self.audit_webhook_batch_max_size,
                wait=self.audit_webhook_batch_max_wait,
            )
