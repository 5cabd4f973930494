"""The default plugins without anything to bind with, for tests of decisions."""

from __future__ import annotations

from typing import cast

from kcore.api.scheme import Scheme
from kcore.client.client import Client
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers
from kcore.kit.clock import Chance, SystemClock
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.plugins import DEFAULT_PLUGINS, Handle
from kcore.scheduler.profile import Profile
from kcore.scheduler.waiting import WaitingPods


class NoClient:
    """Knows the kinds, and nothing else."""

    scheme = Scheme()


def default_profile(cache: SchedulerCache) -> Profile:
    client, clock = cast(Client, NoClient()), SystemClock()
    recorder = EventBroadcaster(client, clock).recorder("default-scheduler")
    handle = Handle(client, cache, clock, Chance(1), Informers(client), recorder, WaitingPods())
    return Profile([(entry.make(handle), entry.weight) for entry in DEFAULT_PLUGINS])
