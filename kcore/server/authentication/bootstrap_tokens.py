"""Bootstrap tokens (`--enable-bootstrap-token-auth`): secrets of kube-system with which new nodes make a start."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence

from kcore.api.core_v1 import Secret
from kcore.api.scheme import Scheme
from kcore.api.timestamp import normalize_time, parse
from kcore.kit.clock import Clock
from kcore.registry.authentication import ISSUER, AnyAudience
from kcore.registry.request import User
from kcore.server.authentication.users import known
from kcore.store.store import Store

__all__ = ["BootstrapTokens"]

_TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")
_TYPE = "bootstrap.kubernetes.io/token"
_EVERY_BOOTSTRAPPER = "system:bootstrappers"


class BootstrapTokens(AnyAudience):
    """Tokens `ID.SECRET`; the secret named `bootstrap-token-ID` says what each is good for. It is read at each use."""

    def __init__(self, store: Store, scheme: Scheme, clock: Clock, audiences: Sequence[str] = (ISSUER,)) -> None:
        super().__init__(audiences)
        self._store = store
        self._kind = scheme.of(Secret)
        self._clock = clock

    async def user(self, token: str) -> User | None:
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        token_id, token_secret = match.groups()
        record = self._store.get(self._kind.key("kube-system", f"bootstrap-token-{token_id}"))
        if record is None:
            return None
        secret: Secret = record.obj
        said = _texts(secret.data)
        if secret.type != _TYPE or secret.metadata.deletion_timestamp is not None:
            return None
        if not hmac.compare_digest(said.get("token-secret", "").encode(), token_secret.encode()):
            return None
        if said.get("token-id") != token_id or said.get("usage-bootstrap-authentication") != "true":
            return None
        groups = _groups(said.get("auth-extra-groups", ""))
        if self._expired(said.get("expiration", "")) or groups is None:
            return None
        return known(User(f"system:bootstrap:{token_id}", groups=groups))

    def _expired(self, expiration: str) -> bool:
        """What can not be read as a time has passed."""
        if not expiration:
            return False
        try:
            time = normalize_time(expiration)
        except ValueError:
            return True
        return time is None or self._clock.now() >= parse(time)


def _groups(listed: str) -> tuple[str, ...] | None:
    """None where one of them is none that a bootstrap token may give."""
    names = sorted({_EVERY_BOOTSTRAPPER, *(listed.split(",") if listed else ())})
    if any(name != _EVERY_BOOTSTRAPPER and not _GROUP.fullmatch(name) for name in names):
        return None
    return tuple(names)


def _texts(data: Mapping[str, str]) -> Mapping[str, str]:
    """The values of a secret, as far as they are text."""
    texts = {}
    for key, value in data.items():
        try:
            texts[key] = base64.b64decode(value).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
    return texts
