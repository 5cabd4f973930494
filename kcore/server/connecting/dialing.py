"""Connections to other servers, and what Go would say where there is none to be had."""

from __future__ import annotations

import os
import ssl

import anyio
from anyio.abc import ByteStream

__all__ = ["connect", "dial_error", "secured", "unverified"]

DIAL_SECONDS = 30.0


async def connect(host: str, port: int, tls: ssl.SSLContext | None = None, hostname: str | None = None) -> ByteStream:
    """`hostname`: whose certificate is expected. Raises OSError, in Go's words."""
    try:
        with anyio.fail_after(DIAL_SECONDS):
            stream: ByteStream = await anyio.connect_tcp(host, port)
    except OSError as error:
        raise dial_error(error, host, port) from error
    return await secured(stream, tls, hostname) if tls is not None else stream


async def secured(stream: ByteStream, tls: ssl.SSLContext, hostname: str | None = None) -> ByteStream:
    """The same connection with TLS on it. Raises OSError."""
    from anyio.streams.tls import TLSStream

    try:
        with anyio.fail_after(DIAL_SECONDS):
            return await TLSStream.wrap(
                stream, server_side=False, hostname=hostname, ssl_context=tls, standard_compatible=False
            )
    except ssl.SSLCertVerificationError as error:
        await stream.aclose()
        raise ConnectionError(f"tls: failed to verify certificate: x509: {error.verify_message}") from error
    except (OSError, anyio.EndOfStream, anyio.BrokenResourceError) as error:
        await stream.aclose()
        raise ConnectionError("tls: first record does not look like a TLS handshake") from error


def dial_error(error: OSError, host: str, port: int) -> OSError:
    """Why there is no connection, as Go says it."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(error, TimeoutError):
        return TimeoutError(f"dial tcp {where}: i/o timeout")
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    why = os.strerror(cause.errno).lower() if cause.errno else str(cause)
    return ConnectionError(f"dial tcp {where}: connect: {why}")


def unverified() -> ssl.SSLContext:
    """TLS with whoever answers, as upstream's proxy speaks it to pods."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
