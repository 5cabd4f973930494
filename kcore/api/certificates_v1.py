"""The types of certificates/v1."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import field

from kcore.api.object import Object
from kcore.api.schema import LIST_ATOMIC, Base64, Int32, ListMap, Struct, Time, empty, null


class CertificateSigningRequestSpec(Struct):
    expiration_seconds: Int32 | None = None
    extra: Mapping[str, tuple[str, ...]] = {}
    groups: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    request: Base64 = field(default_factory=empty)
    signer_name: str = field(default_factory=empty)
    uid: str = ""
    usages: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    username: str = ""


class CertificateSigningRequestCondition(Struct):
    type: str = field(default_factory=empty)
    last_transition_time: Time | None = field(default_factory=null)
    last_update_time: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    status: str = field(default_factory=empty)


class CertificateSigningRequestStatus(Struct):
    certificate: Base64 = ""
    conditions: Annotated[tuple[CertificateSigningRequestCondition, ...], ListMap("type")] = ()


class CertificateSigningRequest(Object):
    spec: CertificateSigningRequestSpec = field(default_factory=CertificateSigningRequestSpec)
    status: CertificateSigningRequestStatus = field(default_factory=CertificateSigningRequestStatus)
