"""What a command has come to, as clients are told on the error stream."""

from __future__ import annotations

import msgspec

from kcore.api.errors import ApiError, InternalError
from kcore.api.meta_v1 import Status, StatusCause, StatusDetails

__all__ = ["SUCCESS", "encode_outcome", "exit_status", "failure_status"]

SUCCESS = Status(status="Success")


def exit_status(code: int) -> Status:
    """The outcome of a command that has ended by itself."""
    if code == 0:
        return SUCCESS
    details = StatusDetails(causes=(StatusCause(reason="ExitCode", message=str(code)),))
    message = f"command terminated with non-zero exit code: exit status {code}"
    return Status(status="Failure", reason="NonZeroExitCode", message=message, details=details)


def failure_status(error: BaseException) -> Status:
    """The outcome of a command that could not be run to its end."""
    if isinstance(error, ApiError):
        return error.status
    return InternalError.because(f"error executing command in container: {error}").status


def encode_outcome(status: Status, version: int) -> bytes:
    """As JSON from version 4 on; before, the message of a failure, and nothing for a success."""
    if version >= 4:
        return msgspec.json.encode(status)
    return b"" if status.status == "Success" else status.message.encode()
