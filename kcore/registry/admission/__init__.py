"""Rules that look beyond the object: one plugin a file, run in this order. The names are upstream's."""

from __future__ import annotations

from collections.abc import Iterable

from kcore.registry.admission.always_pull_images import AlwaysPullImages
from kcore.registry.admission.default_ingress_class import DefaultIngressClass
from kcore.registry.admission.default_storage_class import DefaultStorageClass
from kcore.registry.admission.default_toleration_seconds import DefaultTolerationSeconds
from kcore.registry.admission.extended_resource_toleration import ExtendedResourceToleration
from kcore.registry.admission.limit_ranger import LimitRanger
from kcore.registry.admission.mutating_admission_webhook import MutatingAdmissionWebhook
from kcore.registry.admission.namespace_lifecycle import NamespaceLifecycle
from kcore.registry.admission.node_restriction import NodeRestriction
from kcore.registry.admission.persistent_volume_claim_resize import PersistentVolumeClaimResize
from kcore.registry.admission.plugin import NOBODY, Admission, Chain, Operation, Plugin
from kcore.registry.admission.pod_node_selector import PodNodeSelector
from kcore.registry.admission.pod_security import PodSecurity
from kcore.registry.admission.priority import Priority
from kcore.registry.admission.resource_quota import ResourceQuota
from kcore.registry.admission.runtime_class import RuntimeClass
from kcore.registry.admission.service_account import ServiceAccount
from kcore.registry.admission.storage_object_in_use_protection import StorageObjectInUseProtection
from kcore.registry.admission.taint_nodes_by_condition import TaintNodesByCondition
from kcore.registry.admission.validating_admission_webhook import ValidatingAdmissionWebhook

__all__ = [
    "DEFAULT_PLUGINS",
    "NOBODY",
    "PLUGINS",
    "STANDALONE_PLUGINS",
    "Admission",
    "Chain",
    "Operation",
    "Plugin",
    "UnknownPlugin",
    "chosen_plugins",
]

PLUGINS: tuple[type[Plugin], ...] = (
    NamespaceLifecycle,
    LimitRanger,
    ServiceAccount,
    NodeRestriction,
    TaintNodesByCondition,
    AlwaysPullImages,
    PodSecurity,
    PodNodeSelector,
    Priority,
    DefaultTolerationSeconds,
    ExtendedResourceToleration,
    DefaultStorageClass,
    StorageObjectInUseProtection,
    PersistentVolumeClaimResize,
    RuntimeClass,
    DefaultIngressClass,
    MutatingAdmissionWebhook,
    ValidatingAdmissionWebhook,
    ResourceQuota,  # at last: what it charges, nobody refuses any more
)
"""All that there are, in upstream's order (AllOrderedPlugins)."""

DEFAULT_PLUGINS: tuple[type[Plugin], ...] = tuple(p for p in PLUGINS if p.on_by_default)

STANDALONE_PLUGINS = tuple(p for p in DEFAULT_PLUGINS if p is not ServiceAccount)
"""The default ones that need no controllers beside them: nobody else makes the accounts of namespaces."""


class UnknownPlugin(ValueError):
    """A name that is no plugin's, or that is both enabled and disabled; the message is for the user."""


def chosen_plugins(enabled: Iterable[str] = (), disabled: Iterable[str] = ()) -> tuple[type[Plugin], ...]:
    """The default plugins, with these and without those. Raises UnknownPlugin."""
    on, off = set(enabled), set(disabled)
    names = [p.__name__ for p in PLUGINS]
    if strangers := sorted((on | off) - set(names)):
        raise UnknownPlugin(f"no admission plugin is called {', '.join(strangers)}; there are {', '.join(names)}")
    if both := sorted(on & off):
        raise UnknownPlugin(f"admission plugins can not be both enabled and disabled: {', '.join(both)}")
    return tuple(p for p in PLUGINS if p.__name__ not in off and (p.on_by_default or p.__name__ in on))
