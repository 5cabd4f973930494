"""Acting as somebody else (`kubectl --as`), where the authorizer lets one impersonate each part of that identity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from multidict import CIMultiDictProxy

from kcore.api.errors import BadRequest
from kcore.api.field import quote
from kcore.registry.access import Attributes, Authorizer
from kcore.registry.refusals import require
from kcore.registry.request import User
from kcore.server.authentication.front_proxy import extra_headers
from kcore.server.authentication.users import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED

__all__ = ["asks_impersonation", "impersonated"]

_AUTHENTICATION = "authentication.k8s.io"
_EXTRA = "impersonate-extra-"
_SERVICE_ACCOUNT = "system:serviceaccount:"


def asks_impersonation(headers: CIMultiDictProxy[str]) -> bool:
    """Whether any header speaks of another identity. Cheap: every request is asked."""
    for name in headers:  # noqa: SIM110  # a generator costs as much as the answer
        if name[:12].lower() == "impersonate-":
            return True
    return False


def impersonated(authorizer: Authorizer, user: User, headers: CIMultiDictProxy[str]) -> User:
    """Who the request acts as. Raises Forbidden where `user` may not act as them."""
    name = headers.get("Impersonate-User", "")
    uid = headers.get("Impersonate-Uid", "")
    groups = tuple(headers.getall("Impersonate-Group", ()))
    extra = extra_headers(headers, _EXTRA)
    if not name:
        if groups or uid or extra:
            shown = _shown(User("", uid, groups, extra))
            raise BadRequest(f"requested {shown} without impersonating a user name")
        return user
    wanted = User(name, uid, groups, extra)
    for attributes in _questions(user, wanted):
        require(authorizer, attributes)
    return wanted._replace(groups=_effective_groups(wanted))


def _shown(user: User) -> str:
    """As Go prints the identity: upstream's message does."""
    extra = ", ".join(f"{quote(key)}:{_strings(user.extra[key])}" for key in sorted(user.extra))
    shown = f"map[string][]string{{{extra}}}" if extra else "map[string][]string(nil)"
    return (
        f"&user.DefaultInfo{{Name:{quote(user.name)}, UID:{quote(user.uid)}, "
        f"Groups:{_strings(user.groups)}, Extra:{shown}}}"
    )


def _strings(values: Sequence[str]) -> str:
    return f"[]string{{{', '.join(map(quote, values))}}}" if values else "[]string(nil)"


def _questions(user: User, wanted: User) -> Iterator[Attributes]:
    """What must be allowed, one question for each part of the identity."""
    namespace, name = _service_account(wanted.name)
    if namespace:
        yield Attributes(user, "impersonate", resource="serviceaccounts", namespace=namespace, name=name)
    else:
        yield Attributes(user, "impersonate", resource="users", name=wanted.name)
    for group in wanted.groups:
        yield Attributes(user, "impersonate", resource="groups", name=group)
    if wanted.uid:
        yield Attributes(user, "impersonate", _AUTHENTICATION, "uids", name=wanted.uid)
    for key, values in wanted.extra.items():
        for value in values:
            yield Attributes(user, "impersonate", _AUTHENTICATION, "userextras", key, name=value)


def _service_account(name: str) -> tuple[str, str]:
    """The namespace and name of a service account's user name; empty for any other."""
    namespace, _, account = name.removeprefix(_SERVICE_ACCOUNT).partition(":")
    return (namespace, account) if name.startswith(_SERVICE_ACCOUNT) and account else ("", "")


def _effective_groups(wanted: User) -> tuple[str, ...]:
    """The groups asked for, and those that authentication would have given."""
    groups = wanted.groups
    namespace, _ = _service_account(wanted.name)
    if namespace and not groups:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    if wanted.name == ANONYMOUS.name:
        return groups if UNAUTHENTICATED in groups else (*groups, UNAUTHENTICATED)
    return groups if AUTHENTICATED in groups or UNAUTHENTICATED in groups else (*groups, AUTHENTICATED)
