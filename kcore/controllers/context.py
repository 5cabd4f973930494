"""What every controller is given."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from kcore.client.client import Client
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers
from kcore.controllers.certificates.authority import Authority
from kcore.kit.clock import Chance, Clock
from kcore.registry.service_account_tokens import Signer

__all__ = ["Context", "ControllerOptions"]


class ControllerOptions(NamedTuple):
    """What the controllers may be told. What is left empty has nobody who does it."""

    cluster_cidr: str = ""
    """What nodes get their pod addresses from: one range, or one of each family with a comma between."""
    root_ca: bytes = b""
    """The certificate of the authority that signed the API server's, in PEM."""
    authority: Authority | None = None
    """Who signs the certificates that are asked for."""
    token_signer: Signer | None = None
    """Who signs the tokens that secrets of service accounts ask for."""
    volume_directory: Path = Path("/var/lib/kcore/volumes")
    """Where the volumes of kcore's own provisioner are."""


class Context(NamedTuple):
    client: Client
    informers: Informers
    clock: Clock
    chance: Chance
    events: EventBroadcaster
    options: ControllerOptions = ControllerOptions()
