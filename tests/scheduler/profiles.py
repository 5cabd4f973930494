"""The default plugins without anything to bind with, for tests of decisions."""

from __future__ import annotations

from typing import cast

from kcore.api.scheme import Scheme
from kcore.client.client import Client
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers
from kcore.kit.clock import Chance, SystemClock
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.config.plan import DEFAULT_PLAN, make_profile
from kcore.scheduler.plugins import Handle
from kcore.scheduler.profile import Profile
from kcore.scheduler.volumes import Volumes
from kcore.scheduler.waiting import WaitingPods


class NoClient:
    """Knows the kinds, and nothing else."""

    scheme = Scheme()


def handle_for(cache: SchedulerCache) -> Handle:
    client, clock = cast(Client, NoClient()), SystemClock()
    recorder = EventBroadcaster(client, clock).recorder("default-scheduler")
    informers = Informers(client)
    return Handle(client, cache, clock, Chance(1), informers, recorder, WaitingPods(), Volumes(informers))


def default_profile(cache: SchedulerCache) -> Profile:
    return make_profile(DEFAULT_PLAN.profiles[0], handle_for(cache))
