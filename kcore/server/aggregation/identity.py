"""Who asks, as other servers are told: in the headers that the `extension-apiserver-authentication` ConfigMap names."""

from __future__ import annotations

from urllib.parse import quote

from multidict import CIMultiDict

from kcore.registry.request import User
from kcore.server.authentication.front_proxy import ProxyHeaders

__all__ = ["AGGREGATOR", "identity"]

AGGREGATOR = User("system:kube-aggregator", groups=("system:masters",))
"""Whom the checks of other servers are made as."""

# What RFC 9110 allows in a header's name.
_TOKEN = "!#$&'*+-.^_`|~"

_NAMES = ProxyHeaders()


def identity(user: User) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict({_NAMES.username[0]: user.name})
    if user.uid:
        headers[_NAMES.uid[0]] = user.uid
    for group in user.groups:
        headers.add(_NAMES.group[0], group)
    for key, values in user.extra.items():
        for value in values:
            headers.add(_NAMES.extra_prefixes[0] + quote(key, safe=_TOKEN), value)
    return headers
