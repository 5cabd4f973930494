"""How a claim asks for a volume to be made, and who makes it: annotations agreed with all provisioners of the world."""

from __future__ import annotations

__all__ = [
    "BETA_STORAGE_PROVISIONER",
    "HOST_PATH",
    "PROVISIONED_BY",
    "STORAGE_PROVISIONER",
]

STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
BETA_STORAGE_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
"""On a claim: who is to make its volume."""
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
"""On a volume: who made it, and will delete it."""

HOST_PATH = "kcore.dev/host-path"
"""kcore's own provisioner: its volumes are directories of the machine that all of its nodes run on."""
