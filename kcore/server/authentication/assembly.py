"""From the flags to the chain: the sources of tokens in upstream's order, and who signs which certificates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kcore.api.scheme import Scheme
from kcore.kit.clock import Chance, Clock
from kcore.registry.authentication import TokenAuthenticator, TokenUnion
from kcore.registry.legacy_tokens import LegacyTokens
from kcore.registry.service_account_tokens import ServiceAccountTokens
from kcore.server.authentication import Authenticator, authenticators
from kcore.server.authentication.authorities import Authorities
from kcore.server.authentication.bootstrap_tokens import BootstrapTokens
from kcore.server.authentication.front_proxy import FrontProxy
from kcore.server.authentication.oidc import OidcTokens
from kcore.server.authentication.options import AuthenticationOptions
from kcore.server.authentication.static_tokens import StaticTokens, read_token_file
from kcore.server.openid import OpenId
from kcore.server.service_account_keys import ServiceAccountKeys
from kcore.store.store import Store

__all__ = ["Authentication"]


class Authentication:
    """Everything that a server with these options needs to know its clients. `pki`: where its own keys are."""

    def __init__(
        self, options: AuthenticationOptions, pki: Path, store: Store, scheme: Scheme, clock: Clock, chance: Chance
    ) -> None:
        self.options = options
        self._store, self._scheme, self._clock = store, scheme, clock
        own_key = options.service_account_signing_key_file or pki / "sa.key"
        self.keys = ServiceAccountKeys(own_key, options.service_account_key_file)
        self.service_accounts = ServiceAccountTokens(
            store,
            scheme,
            clock,
            chance,
            self.keys,
            issuers=options.service_account_issuer,
            audiences=options.audiences,
            seconds_max=int(options.service_account_max_token_expiration),
            extends=options.service_account_extend_token_expiration,
        )
        self.tokens = TokenUnion(tuple(self._sources()), options.audiences)

    def authenticator(self, authority: bytes, *, anonymous: bool) -> Authenticator:
        """`authority`: the cluster's own, whose client certificates are always good."""
        options = self.options
        clients, front_proxy = None, None
        if options.requestheader_client_ca_file is not None:
            clients = Authorities(authority, *_contents(options.client_ca_file))
            front_proxy = FrontProxy(
                Authorities(*_contents(options.requestheader_client_ca_file)),
                options.requestheader_allowed_names,
                options.proxy_headers,
            )
        chain = authenticators(self.tokens, clients=clients, front_proxy=front_proxy)
        return Authenticator(chain, anonymous=anonymous and options.anonymous_auth)

    def openid(self) -> OpenId:
        return OpenId(self.keys, self.options.service_account_issuer[0], self.options.service_account_jwks_uri)

    def authorities(self) -> Iterator[Path]:
        """Who signs the certificates that clients may show, beside the cluster's own authority."""
        for path in (self.options.client_ca_file, self.options.requestheader_client_ca_file):
            if path is not None:
                yield path

    def _sources(self) -> Iterator[TokenAuthenticator]:
        """The local ones first."""
        options = self.options
        if options.token_auth_file is not None:
            yield StaticTokens(read_token_file(options.token_auth_file), options.audiences)
        yield self.service_accounts
        yield LegacyTokens(self._store, self._scheme, self.keys, options.audiences)
        if options.enable_bootstrap_token_auth:
            yield BootstrapTokens(self._store, self._scheme, self._clock, options.audiences)
        if options.oidc is not None:
            yield OidcTokens(options.oidc, self._clock, options.audiences)


def _contents(path: Path | None) -> Iterator[bytes]:
    if path is not None:
        yield path.read_bytes()
