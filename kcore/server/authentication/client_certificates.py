"""Client certificates (`--client-ca-file`, and the cluster's own authority): the common name is the user, the
organizations are the groups.

TLS has verified the certificate before a request is read. Its user is found out once a connection.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from kcore.registry.request import User
from kcore.server.authentication.authorities import Authorities
from kcore.server.authentication.request import Asking
from kcore.server.authentication.users import known

__all__ = ["ClientCertificates", "PeerCertificate", "user_of_certificate"]

_UID = "1.3.6.1.4.1.57683.2"
"""The attribute in which a certificate may carry the user's uid (KEP-4705)."""

_CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"


class PeerCertificate:
    """What a client has shown, and TLS has found good."""

    def __init__(self, connection: ssl.SSLObject, names: Mapping[str, Any]) -> None:
        self._connection = connection
        self._names = names
        self._issuers: dict[Authorities, bool] = {}

    @cached_property
    def encoded(self) -> bytes:
        return self._connection.getpeercert(binary_form=True) or b""

    @cached_property
    def user(self) -> User | None:
        return user_of_certificate(self._names, self.encoded)

    @cached_property
    def common_name(self) -> str:
        return _common_name(self._names)

    def issued_by(self, authorities: Authorities) -> bool:
        issued = self._issuers.get(authorities)
        if issued is None:
            issued = self._issuers[authorities] = authorities.issued(self.encoded)
        return issued


def user_of_certificate(names: Mapping[str, Any], encoded: bytes = b"") -> User | None:
    """The user whom a certificate names, as Python's ssl tells its subject; None where there is no common name."""
    common = _common_name(names)
    if not common:
        return None
    subject = [pair for relative in names.get("subject", ()) for pair in relative]
    groups = tuple(value for key, value in subject if key == "organizationName")
    uid = next((value for key, value in subject if key == _UID), "")
    extra = {_CREDENTIAL_ID: (f"X509SHA256={hashlib.sha256(encoded).hexdigest()}",)} if encoded else {}
    return known(User(common, uid, groups, extra))


def _common_name(names: Mapping[str, Any]) -> str:
    """Of several the last, as Go reads them."""
    subject = [pair for relative in names.get("subject", ()) for pair in relative]
    return next((value for key, value in reversed(subject) if key == "commonName"), "")


class ClientCertificates:
    """`authorities` None: whatever TLS has accepted, because it accepts nothing else."""

    def __init__(self, authorities: Authorities | None = None) -> None:
        self._authorities = authorities

    def user(self, asking: Asking) -> User | None:
        certificate = asking.certificate
        if certificate is None or (self._authorities is not None and not certificate.issued_by(self._authorities)):
            return None
        return certificate.user
