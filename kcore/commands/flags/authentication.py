"""How clients are known."""

from __future__ import annotations

from click import Option

from kcore.commands.flags.group import ExistingFile, Seconds, flags, switch
from kcore.commands.options import Names

__all__ = ["authentication_options"]

authentication_options = flags(
    "authentication",
    "kcore.server.authentication.options:AuthenticationOptions",
    switch(
        "--anonymous-auth",
        default=True,
        help="Whether who shows no credentials is let in as system:anonymous.",
    ),
    Option(
        ["--client-ca-file"],
        type=ExistingFile,
        help="PEM bundle of authorities whose client certificates are good, beside the cluster's own.",
    ),
    Option(["--token-auth-file"], type=ExistingFile, help='CSV of static tokens: token,user,uid,"group,group".'),
    switch(
        "--enable-bootstrap-token-auth",
        default=True,
        help="Whether secrets of type bootstrap.kubernetes.io/token in kube-system let new nodes in.",
    ),
    Option(
        ["--service-account-issuer"],
        multiple=True,
        default=["https://kubernetes.default.svc"],
        show_default=True,
        help="Issuer of service account tokens; tokens of further ones are accepted.",
    ),
    Option(["--service-account-jwks-uri"], default="", help="Where the issuer's keys are, if not on this server."),
    Option(
        ["--service-account-key-file"],
        type=ExistingFile,
        multiple=True,
        help="PEM keys that verify service account tokens, beside the signing key's own.",
    ),
    Option(
        ["--service-account-signing-key-file"],
        type=ExistingFile,
        help="PEM key that signs service account tokens.  [default: made and kept with the data]",
    ),
    Option(
        ["--service-account-max-token-expiration"],
        type=Seconds(),
        default=0,
        help="Service account tokens live no longer, whatever was asked for.",
    ),
    switch(
        "--service-account-extend-token-expiration",
        default=True,
        help="Whether tokens in pods outlive what was asked for, for the sake of old clients.",
    ),
    Option(
        ["--api-audiences"],
        type=Names(),
        default="",
        help="Audiences of the API server.  [default: the service account issuers]",
    ),
    Option(["--oidc-issuer-url"], default="", help="https URL of the OpenID provider whose ID tokens are accepted."),
    Option(["--oidc-client-id"], default="", help="Client that ID tokens must be for."),
    Option(["--oidc-username-claim"], default="sub", show_default=True, help="Claim that is the user's name."),
    Option(["--oidc-username-prefix"], default="", help="Goes before names; - is none.  [default: the issuer and #]"),
    Option(["--oidc-groups-claim"], default="", help="Claim that lists the user's groups."),
    Option(["--oidc-groups-prefix"], default="", help="Goes before groups."),
    Option(["--oidc-required-claim"], multiple=True, help="key=value that ID tokens must claim."),
    Option(["--oidc-ca-file"], type=ExistingFile, help="PEM bundle that signs the provider's certificate."),
    Option(["--oidc-signing-algs"], type=Names(), default="RS256", show_default=True, help="Algorithms of ID tokens."),
    Option(
        ["--requestheader-client-ca-file"],
        type=ExistingFile,
        help="PEM bundle that signs the certificate of a proxy in front, whose headers tell the user.",
    ),
    Option(
        ["--requestheader-allowed-names"],
        type=Names(),
        default="",
        help="Common names that such a certificate may have.  [default: any]",
    ),
    Option(["--requestheader-username-headers"], type=Names(), default="X-Remote-User", show_default=True),
    Option(["--requestheader-uid-headers"], type=Names(), default="X-Remote-Uid", show_default=True),
    Option(["--requestheader-group-headers"], type=Names(), default="X-Remote-Group", show_default=True),
    Option(["--requestheader-extra-headers-prefix"], type=Names(), default="X-Remote-Extra-", show_default=True),
)
