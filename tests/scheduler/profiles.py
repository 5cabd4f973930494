"""The default plugins without anything to bind with, for tests of decisions."""

from __future__ import annotations

from typing import cast

from kcore.client.client import Client
from kcore.kit.clock import Chance, SystemClock
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.plugins import DEFAULT_PLUGINS, Handle
from kcore.scheduler.profile import Profile


def default_profile(cache: SchedulerCache) -> Profile:
    handle = Handle(cast(Client, None), cache, SystemClock(), Chance(1))
    return Profile([(entry.make(handle), entry.weight) for entry in DEFAULT_PLUGINS])
