"""The certificate that says who a node is: asked for under a bootstrap identity at first, renewed under its own."""

from __future__ import annotations

import base64
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import structlog
from anyio.abc import TaskStatus
from anyio.to_thread import run_sync

from kcore.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestSpec
from kcore.api.errors import ApiError
from kcore.api.meta_v1 import ObjectMeta
from kcore.client.client import Client
from kcore.kit.clock import Chance, Clock

__all__ = ["CertificateRefused", "CertificateRotation", "is_current", "request_certificate", "write_pair"]

SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"
USAGES = ("digital signature", "client auth")
LOOK_AGAIN_SECONDS = 1.0
PATIENCE = 900.0
"""How many seconds a request may wait for its approval."""
EARLIEST, SPREAD = 0.7, 0.2
"""After which share of its life a certificate is renewed: at some time between seven and nine tenths."""
RETRY_SECONDS = 60.0

log = structlog.get_logger(__name__)


class CertificateRefused(Exception):
    """Somebody has denied the request, or nobody has decided about it in time."""


async def request_certificate(client: Client, node: str) -> bytes:
    """A certificate for `system:node:NODE`, and its new key, in PEM. Raises ApiError or CertificateRefused."""
    key, wanted = await run_sync(_new_request, node)
    spec = CertificateSigningRequestSpec(request=base64.b64encode(wanted).decode(), signer_name=SIGNER, usages=USAGES)
    made = await client.create(CertificateSigningRequest(metadata=ObjectMeta(generate_name="csr-"), spec=spec))
    with anyio.move_on_after(PATIENCE):
        while not (issued := made.status.certificate):
            for condition in made.status.conditions:
                if condition.type in ("Denied", "Failed"):
                    raise CertificateRefused(f"{condition.type}: {condition.message or condition.reason}")
            await anyio.sleep(LOOK_AGAIN_SECONDS)
            made = await client.get(CertificateSigningRequest, made.metadata.name)
        return base64.b64decode(issued) + key
    raise CertificateRefused(f"nobody has approved {made.metadata.name} in {PATIENCE:g} s")


def _new_request(node: str) -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    names = ((NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, f"system:node:{node}"))
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    wanted = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return private, wanted.public_bytes(serialization.Encoding.PEM)


def write_pair(path: Path, pair: bytes) -> None:
    """Replace a file that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(pair)
    os.replace(fresh, path)


def _life(pair: bytes) -> tuple[float, float]:
    """Since when a certificate is valid, and until when."""
    from cryptography import x509

    found = x509.load_pem_x509_certificate(pair)
    return found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()


def is_current(path: Path, now: float) -> bool:
    """Whether a file holds a certificate that is valid."""
    try:
        since, until = _life(path.read_bytes())
    except (OSError, ValueError):
        return False
    return since <= now < until


class CertificateRotation:
    """A service: renews the pair in `path` in time. `renewed` is called whenever there is a new one."""

    def __init__(
        self,
        request: Callable[[], Awaitable[bytes]],
        path: Path,
        renewed: Callable[[], None],
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._request = request
        self._path = path
        self._renewed = renewed
        self._clock = clock
        self._chance = chance

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        while True:
            since, until = await run_sync(lambda: _life(self._path.read_bytes()))
            share = EARLIEST + SPREAD * self._chance.random.random()
            await anyio.sleep(max(0.0, since + (until - since) * share - self._clock.now()))
            try:
                await run_sync(write_pair, self._path, await self._request())
            except (ApiError, CertificateRefused) as error:
                log.warning("certificate not renewed", why=str(error))
                await anyio.sleep(RETRY_SECONDS)
            else:
                self._renewed()
