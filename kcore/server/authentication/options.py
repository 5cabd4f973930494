"""How clients are to be known: one field for each flag of upstream's API server, by its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kcore.registry.authentication import ISSUER
from kcore.server.authentication.front_proxy import ProxyHeaders
from kcore.server.authentication.oidc import SIGNING_ALGORITHMS, OidcOptions

__all__ = ["AuthenticationOptions", "BadOption"]

_HOUR = 3600
_SECONDS_MAX = 2**32


class BadOption(ValueError):
    """A flag that makes no sense, or not without another; the message is for the user."""


@dataclass(frozen=True, slots=True)
class AuthenticationOptions:
    """What it raises, BadOption, names the flag."""

    anonymous_auth: bool = True
    client_ca_file: Path | None = None
    token_auth_file: Path | None = None
    enable_bootstrap_token_auth: bool = True
    service_account_issuer: tuple[str, ...] = (ISSUER,)
    service_account_jwks_uri: str = ""
    service_account_key_file: tuple[Path, ...] = ()
    service_account_signing_key_file: Path | None = None
    service_account_max_token_expiration: float = 0
    service_account_extend_token_expiration: bool = True
    api_audiences: tuple[str, ...] = ()
    oidc_issuer_url: str = ""
    oidc_client_id: str = ""
    oidc_username_claim: str = "sub"
    oidc_username_prefix: str = ""
    oidc_groups_claim: str = ""
    oidc_groups_prefix: str = ""
    oidc_required_claim: tuple[str, ...] = ()
    oidc_ca_file: Path | None = None
    oidc_signing_algs: tuple[str, ...] = ("RS256",)
    requestheader_client_ca_file: Path | None = None
    requestheader_allowed_names: tuple[str, ...] = ()
    requestheader_username_headers: tuple[str, ...] = ProxyHeaders().username
    requestheader_uid_headers: tuple[str, ...] = ProxyHeaders().uid
    requestheader_group_headers: tuple[str, ...] = ProxyHeaders().group
    requestheader_extra_headers_prefix: tuple[str, ...] = ProxyHeaders().extra_prefixes

    def __post_init__(self) -> None:
        if not self.service_account_issuer or not all(self.service_account_issuer):
            raise BadOption("--service-account-issuer must not be empty")
        longest = self.service_account_max_token_expiration
        if longest and not _HOUR <= longest <= _SECONDS_MAX:
            raise BadOption("--service-account-max-token-expiration must be between 1 hour and 2^32 seconds")
        if self.service_account_jwks_uri and not self.service_account_jwks_uri.startswith("https://"):
            raise BadOption("--service-account-jwks-uri requires https scheme")
        if bool(self.oidc_issuer_url) != bool(self.oidc_client_id):
            raise BadOption("--oidc-issuer-url and --oidc-client-id must be specified together")
        if self.oidc_issuer_url and not self.oidc_issuer_url.startswith("https://"):
            raise BadOption("--oidc-issuer-url must be an https URL")
        if strange := sorted(set(self.oidc_signing_algs) - set(SIGNING_ALGORITHMS)):
            raise BadOption(f"--oidc-signing-algs: {', '.join(strange)} is none of {', '.join(SIGNING_ALGORITHMS)}")
        if any("=" not in claim for claim in self.oidc_required_claim):
            raise BadOption("--oidc-required-claim must be key=value")

    @property
    def audiences(self) -> tuple[str, ...]:
        """What the API server calls itself."""
        return self.api_audiences or self.service_account_issuer

    @property
    def oidc(self) -> OidcOptions | None:
        if not self.oidc_issuer_url:
            return None
        return OidcOptions(
            self.oidc_issuer_url,
            self.oidc_client_id,
            self.oidc_username_claim,
            self.oidc_username_prefix,
            self.oidc_groups_claim,
            self.oidc_groups_prefix,
            dict(claim.split("=", 1) for claim in self.oidc_required_claim),
            self.oidc_ca_file,
            self.oidc_signing_algs,
        )

    @property
    def proxy_headers(self) -> ProxyHeaders:
        return ProxyHeaders(
            self.requestheader_username_headers,
            self.requestheader_uid_headers,
            self.requestheader_group_headers,
            self.requestheader_extra_headers_prefix,
        )
