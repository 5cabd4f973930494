"""What every controller is given."""

from __future__ import annotations

from typing import NamedTuple

from kcore.client.client import Client
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers
from kcore.controllers.options import ControllerOptions
from kcore.kit.clock import Chance, Clock

__all__ = ["Context"]


class Context(NamedTuple):
    client: Client
    informers: Informers
    clock: Clock
    chance: Chance
    events: EventBroadcaster
    options: ControllerOptions = ControllerOptions()
