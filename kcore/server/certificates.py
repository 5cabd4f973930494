"""The cluster's certificates: authorities of its own, and what they sign for server, administrator and front proxy.

They are made at the first start and reused afterwards. What a certificate is for stands in plain text above its PEM
block, which every reader skips: so that a later start can tell, without loading a cryptography library, whether it is
still good (same names, same authority, not about to expire).
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kcore.kit.clock import Clock

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

__all__ = ["FRONT_PROXY", "Pki", "serving_names", "write_private"]

_AUTHORITY_DAYS = 3650
FRONT_PROXY = "front-proxy-client"
_LEAF_DAYS = 365
_RENEW_DAYS = 30
_TO_KUBELETS = "apiserver-kubelet-client"


def serving_names(bind_address: str, service_cidr: str) -> tuple[str, ...]:
    """Under which names and addresses clients may know the server, from outside and from pods."""
    first_service = str(next(ipaddress.ip_network(service_cidr.partition(",")[0], strict=False).hosts()))
    in_cluster = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    names = ("localhost", "127.0.0.1", "::1", *in_cluster, first_service, bind_address)
    return tuple(dict.fromkeys(name for name in names if name not in ("0.0.0.0", "::")))


def write_private(path: Path, data: bytes) -> None:
    """Put a file that only its owner may read in place, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class Pki:
    """A directory of certificates and keys: `ca`, `apiserver`, `admin`, what the API server shows to kubelets,
    `front-proxy-ca` and `front-proxy-client`, each as `.crt` and `.key`.

    The front proxy is the server itself, before other API servers that it aggregates. They believe what it says of its
    users, so no client certificate may come from the same authority.
    """

    directory: Path

    @classmethod
    def ensure(cls, directory: Path, clock: Clock, names: Sequence[str]) -> Pki:
        """The directory with everything in it; what is missing, expiring or for other names is made anew."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        pki = cls(directory)
        now = datetime.fromtimestamp(clock.now(), UTC)
        for name, common_name in (("ca", "kcore"), ("front-proxy-ca", "kcore-front-proxy")):
            if not pki._good(name, now, {}):
                pki._make(name, now, _AUTHORITY_DAYS, {}, common_name, signer="")
        authority = hashlib.sha256(pki.authority).hexdigest()
        serving = {"Authority": authority, "Names": ", ".join(names)}
        if not pki._good("apiserver", now, serving):
            pki._make("apiserver", now, _LEAF_DAYS, serving, "kube-apiserver", names=names)
        admin = {"Authority": authority}
        if not pki._good("admin", now, admin):
            pki._make("admin", now, _LEAF_DAYS, admin, "kubernetes-admin", organization="system:masters")
        if not pki._good(_TO_KUBELETS, now, admin):
            name = "kube-apiserver-kubelet-client"
            pki._make(_TO_KUBELETS, now, _LEAF_DAYS, admin, name, organization="system:masters")
        front_proxy = {"Authority": hashlib.sha256(pki.front_proxy_authority).hexdigest()}
        if not pki._good("front-proxy-client", now, front_proxy):
            pki._make("front-proxy-client", now, _LEAF_DAYS, front_proxy, FRONT_PROXY, signer="front-proxy-ca")
        return pki

    @cached_property
    def authority(self) -> bytes:
        """The CA certificate as PEM: what clients trust."""
        return self._path("ca.crt").read_bytes()

    @cached_property
    def front_proxy_authority(self) -> bytes:
        """The certificate of who signs front proxies, as PEM."""
        return self._path("front-proxy-ca.crt").read_bytes()

    @property
    def front_proxy_client(self) -> tuple[Path, Path]:
        """The files of the certificate, and of its key, that aggregated API servers know this one by."""
        return self._path("front-proxy-client.crt"), self._path("front-proxy-client.key")

    @property
    def authority_key(self) -> bytes:
        return self._path("ca.key").read_bytes()

    @property
    def admin_certificate(self) -> bytes:
        return self._path("admin.crt").read_bytes()

    @property
    def admin_key(self) -> bytes:
        return self._path("admin.key").read_bytes()

    def server_context(self, others: Iterable[Path] = ()) -> ssl.SSLContext:
        """TLS for the server: a client may show a certificate of the authority, or of one of the others in PEM files,
        and need not."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._path("apiserver.crt"), self._path("apiserver.key"))
        for authority in (self._path("ca.crt"), *others):
            context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["http/1.1"])
        return context

    def kubelet_client_context(self) -> ssl.SSLContext:
        """TLS from the API server to kubelets: it proves who it is. They need not, as upstream has it, since most sign
        their certificates themselves."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(self._path(f"{_TO_KUBELETS}.crt"), self._path(f"{_TO_KUBELETS}.key"))
        return context

    def _path(self, name: str) -> Path:
        return self.directory / name

    def _good(self, name: str, now: datetime, facts: dict[str, str]) -> bool:
        """Whether a certificate and its key are there, with these facts written above it, and not about to expire."""
        try:
            text = self._path(f"{name}.crt").read_text()
        except FileNotFoundError:
            return False
        lines = text.partition("-----BEGIN")[0].splitlines()
        written = dict(line.partition(": ")[::2] for line in lines)
        try:
            expires = datetime.fromisoformat(written.pop("Expires", ""))
        except ValueError:
            return False
        return written == facts and expires - now > timedelta(days=_RENEW_DAYS) and self._path(f"{name}.key").exists()

    def _make(
        self,
        name: str,
        now: datetime,
        days: int,
        facts: dict[str, str],
        common_name: str,
        *,
        organization: str = "",
        names: Sequence[str] = (),
        signer: str = "ca",
    ) -> None:
        """Make a key and its certificate, signed by another or, as an authority's, by itself.

        The certificate is written last: where it stands, both are whole."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        not_before = now - timedelta(hours=1)  # clocks of clients may be behind
        expires = (now + timedelta(days=days)).replace(microsecond=0)
        certificate = self._signed(key, (not_before, expires), common_name, organization, names, signer)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        header = "".join(f"{fact}: {value}\n" for fact, value in {**facts, "Expires": expires.isoformat()}.items())
        write_private(self._path(f"{name}.key"), private)
        write_private(self._path(f"{name}.crt"), header.encode() + certificate.public_bytes(serialization.Encoding.PEM))

    def _signed(
        self,
        key: EllipticCurvePrivateKey,
        validity: tuple[datetime, datetime],
        common_name: str,
        organization: str,
        names: Sequence[str],
        signer: str,
    ) -> x509.Certificate:
        """A certificate of `key`: for a server where it has names, of an authority where it has no signer, else for a
        client."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

        is_authority = not signer
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        if organization:
            subject.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(validity[0])
            .not_valid_after(validity[1])
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(_key_usage(is_authority), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if is_authority:
            return builder.issuer_name(x509.Name(subject)).sign(key, hashes.SHA256())
        authority = x509.load_pem_x509_certificate(self._path(f"{signer}.crt").read_bytes())
        authority_key = serialization.load_pem_private_key(self._path(f"{signer}.key").read_bytes(), None)
        assert isinstance(authority_key, EllipticCurvePrivateKey)
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
        builder = (
            builder.issuer_name(authority.subject)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(identifier, critical=False)
        )
        if names:
            builder = builder.add_extension(_alternative_names(names), critical=False)
        return builder.sign(authority_key, hashes.SHA256())


def _key_usage(is_authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_names(names: Sequence[str]) -> x509.SubjectAlternativeName:
    from cryptography import x509

    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return x509.SubjectAlternativeName(found)
