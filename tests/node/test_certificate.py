"""A node's certificate: asked for, refused, renewed in time."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec.structs import replace

from kcore.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestCondition
from kcore.api.errors import ServiceUnavailable
from kcore.node.certificate import (
    CertificateRefused,
    CertificateRotation,
    is_current,
    request_certificate,
    write_pair,
)
from tests.sim.world import World, world

LIFE = 1000.0


def pair_of(since: float, seconds: float = LIFE) -> bytes:
    """A certificate that is valid for so long, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
    begins = datetime.fromtimestamp(since, UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(begins).not_valid_after(begins + timedelta(seconds=seconds))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


async def decide(w: World, change: Callable[[CertificateSigningRequest], CertificateSigningRequest]) -> None:
    """Decide about the request that comes."""
    while not (found := (await w.client.list(CertificateSigningRequest)).items):
        await w.settle(0.5)
    await w.client.update(change(found[0]), subresource="status")


async def test_an_approved_request_gives_a_certificate_and_its_key() -> None:
    async with world() as w:
        issued = pair_of(w.clock.now())

        def issue(request: CertificateSigningRequest) -> CertificateSigningRequest:
            wanted = x509.load_pem_x509_csr(base64.b64decode(request.spec.request))
            assert wanted.subject.rfc4514_string() == "CN=system:node:n,O=system:nodes"
            status = replace(request.status, certificate=base64.b64encode(issued).decode())
            return replace(request, status=status)

        w.tasks.start_soon(decide, w, issue)
        pair = await request_certificate(w.client, "n")
        assert pair.startswith(issued)
        assert b"PRIVATE KEY" in pair.removeprefix(issued)


async def test_a_failed_request_says_why() -> None:
    async with world() as w:

        def fail(request: CertificateSigningRequest) -> CertificateSigningRequest:
            condition = CertificateSigningRequestCondition(type="Failed", status="True", message="no such signer")
            return replace(request, status=replace(request.status, conditions=(condition,)))

        w.tasks.start_soon(decide, w, fail)
        with pytest.raises(CertificateRefused, match="no such signer"):
            await request_certificate(w.client, "n")


async def test_a_request_that_nobody_decides_about_is_given_up() -> None:
    async with world() as w:
        with pytest.raises(CertificateRefused, match="nobody has approved"):
            await request_certificate(w.client, "n")


async def test_certificates_are_current_while_they_are_valid(tmp_path: Path) -> None:
    path = tmp_path / "pki" / "pair.pem"
    assert not is_current(path, 0.0)
    write_pair(path, pair_of(1e9))
    assert [is_current(path, now) for now in (1e9 - 1, 1e9, 1e9 + LIFE)] == [False, True, False]
    path.write_text("nonsense")
    assert not is_current(path, 1e9)


async def test_a_certificate_is_renewed_when_most_of_its_life_is_over(tmp_path: Path) -> None:
    async with world() as w:
        path, renewed, answers = tmp_path / "pair.pem", anyio.Event(), [ServiceUnavailable("not now"), None]
        began = w.clock.now()
        write_pair(path, pair_of(began))

        async def request() -> bytes:
            if error := answers.pop(0) if answers else None:
                raise error
            return pair_of(w.clock.now())

        await w.tasks.start(CertificateRotation(request, path, renewed.set, w.clock, w.chance).run)
        before = path.read_bytes()
        await w.settle(0.69 * LIFE)
        assert path.read_bytes() == before
        await renewed.wait()
        assert 0.7 * LIFE + 60 <= w.clock.now() - began <= 0.9 * LIFE + 62
        assert path.read_bytes() != before
