"""As whom each controller works: a service account of kube-system, whose role upstream's policy defines.

Controllers that upstream runs inside the API server, and kcore's own, have no such role: they work as the API server.
"""

from __future__ import annotations

from kcore.client.client import Client
from kcore.registry.rbac.bootstrap_controllers import CONTROLLER_ROLES

__all__ = ["as_controller"]

_ROLES = frozenset(role.metadata.name.removeprefix("system:controller:") for role in CONTROLLER_ROLES)

# Where the account is not called as the controller is.
_ACCOUNTS = {
    "bootstrap-signer-controller": "bootstrap-signer",
    "certificatesigningrequest-approving-controller": "certificate-controller",
    "certificatesigningrequest-cleaner-controller": "certificate-controller",
    "certificatesigningrequest-signing-controller": "certificate-controller",
    "daemonset-controller": "daemon-set-controller",
    "endpointslice-mirroring-controller": "endpointslicemirroring-controller",
    "garbage-collector-controller": "generic-garbage-collector",
    "horizontal-pod-autoscaler-controller": "horizontal-pod-autoscaler",
    "node-ipam-controller": "node-controller",
    "node-lifecycle-controller": "node-controller",
    "persistentvolume-attach-detach-controller": "attachdetach-controller",
    "persistentvolume-binder-controller": "persistent-volume-binder",
    "persistentvolume-expander-controller": "expand-controller",
    "persistentvolume-protection-controller": "pv-protection-controller",
    "persistentvolumeclaim-protection-controller": "pvc-protection-controller",
    "resourceclaim-cleanup-controller": "resource-claim-controller",
    "resourceclaim-controller": "resource-claim-controller",
    "root-ca-certificate-publisher-controller": "root-ca-cert-publisher",
    "service-cidr-controller": "service-cidrs-controller",
    "service-lb-controller": "service-controller",
    "stale-disruption-controller": "disruption-controller",
    "taint-eviction-controller": "node-controller",
}
_NAMESPACE = "kube-system"
_GROUPS = ("system:serviceaccounts", f"system:serviceaccounts:{_NAMESPACE}", "system:authenticated")


def as_controller(client: Client, name: str) -> Client:
    """The client of the controller that is called so."""
    account = _ACCOUNTS.get(name, name)
    if account not in _ROLES:
        return client
    return client.as_user(f"system:serviceaccount:{_NAMESPACE}:{account}", _GROUPS)
