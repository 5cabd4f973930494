"""What every controller is given."""

from __future__ import annotations

from typing import NamedTuple

from kcore.client.client import Client
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers
from kcore.kit.clock import Chance, Clock

__all__ = ["Context"]


class Context(NamedTuple):
    """`cluster_cidr` is what nodes get their pod addresses from (""; they get none); `root_ca` is the certificate of
    the authority that signed the API server's, in PEM (empty: it is not published)."""

    client: Client
    informers: Informers
    clock: Clock
    chance: Chance
    events: EventBroadcaster
    cluster_cidr: str = ""
    root_ca: bytes = b""
