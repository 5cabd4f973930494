from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography import x509

from kcore.server.certificates import Pki, serving_names

NOW = 1_800_000_000.0
DAY = 86_400
NAMES = serving_names("192.0.2.7", "10.96.0.0/16")


class Moment:
    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now


def read(directory: Path, name: str) -> bytes:
    return (directory / name).read_bytes()


def test_server_is_known_by_every_name_a_client_may_use() -> None:
    assert {"localhost", "127.0.0.1", "::1", "kubernetes.default.svc.cluster.local", "10.96.0.1", "192.0.2.7"} <= set(
        NAMES
    )
    assert "0.0.0.0" not in serving_names("0.0.0.0", "10.96.0.0/16")


def test_second_start_reuses_everything(tmp_path: Path) -> None:
    Pki.ensure(tmp_path, Moment(NOW), NAMES)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    Pki.ensure(tmp_path, Moment(NOW + DAY), NAMES)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    Pki.ensure(tmp_path / "pki", Moment(NOW), NAMES)
    for key in (tmp_path / "pki").glob("*.key"):
        assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(tmp_path / "pki").st_mode) == 0o700


@pytest.mark.parametrize(
    ("later", "names", "renewed"),
    [
        (300 * DAY, NAMES, False),
        (340 * DAY, NAMES, True),
        (DAY, (*NAMES, "example.com"), True),
    ],
)
def test_serving_certificate_is_renewed_when_it_no_longer_serves(
    tmp_path: Path, later: float, names: tuple[str, ...], renewed: bool
) -> None:
    Pki.ensure(tmp_path, Moment(NOW), NAMES)
    authority, serving = read(tmp_path, "ca.crt"), read(tmp_path, "apiserver.crt")
    Pki.ensure(tmp_path, Moment(NOW + later), names)
    assert read(tmp_path, "ca.crt") == authority
    assert (read(tmp_path, "apiserver.crt") != serving) is renewed


def test_lost_authority_renews_all_that_it_signed(tmp_path: Path) -> None:
    Pki.ensure(tmp_path, Moment(NOW), NAMES)
    serving, admin = read(tmp_path, "apiserver.crt"), read(tmp_path, "admin.crt")
    (tmp_path / "ca.crt").unlink()
    Pki.ensure(tmp_path, Moment(NOW), NAMES)
    assert read(tmp_path, "apiserver.crt") != serving
    assert read(tmp_path, "admin.crt") != admin


def test_admin_certificate_is_signed_and_names_the_masters(tmp_path: Path) -> None:
    pki = Pki.ensure(tmp_path, Moment(NOW), NAMES)
    authority = x509.load_pem_x509_certificate(pki.authority)
    admin = x509.load_pem_x509_certificate(pki.admin_certificate)
    admin.verify_directly_issued_by(authority)
    assert admin.subject.rfc4514_string() == "CN=kubernetes-admin,O=system:masters"
