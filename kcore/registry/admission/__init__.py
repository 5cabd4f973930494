"""Rules that look beyond the object: one plugin a file, run in this order. The names are upstream's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeAlias

from kcore.api.schema import JSON
from kcore.registry.admission.always_admit import AlwaysAdmit
from kcore.registry.admission.always_deny import AlwaysDeny
from kcore.registry.admission.always_pull_images import AlwaysPullImages
from kcore.registry.admission.certificate_approval import CertificateApproval
from kcore.registry.admission.certificate_signing import CertificateSigning
from kcore.registry.admission.certificate_subject_restriction import CertificateSubjectRestriction
from kcore.registry.admission.default_ingress_class import DefaultIngressClass
from kcore.registry.admission.default_storage_class import DefaultStorageClass
from kcore.registry.admission.default_toleration_seconds import DefaultTolerationSeconds
from kcore.registry.admission.deny_service_external_ips import DenyServiceExternalIPs
from kcore.registry.admission.event_rate_limit import EventRateLimit
from kcore.registry.admission.extended_resource_toleration import ExtendedResourceToleration
from kcore.registry.admission.limit_pod_hard_anti_affinity_topology import LimitPodHardAntiAffinityTopology
from kcore.registry.admission.limit_ranger import LimitRanger
from kcore.registry.admission.mutating_admission_policy import MutatingAdmissionPolicy
from kcore.registry.admission.mutating_admission_webhook import MutatingAdmissionWebhook
from kcore.registry.admission.namespace_auto_provision import NamespaceAutoProvision
from kcore.registry.admission.namespace_exists import NamespaceExists
from kcore.registry.admission.namespace_lifecycle import NamespaceLifecycle
from kcore.registry.admission.node_restriction import NodeRestriction
from kcore.registry.admission.owner_references_permission_enforcement import OwnerReferencesPermissionEnforcement
from kcore.registry.admission.persistent_volume_claim_resize import PersistentVolumeClaimResize
from kcore.registry.admission.plugin import NOBODY, Admission, Chain, Operation, Plugin
from kcore.registry.admission.pod_node_selector import PodNodeSelector
from kcore.registry.admission.pod_security import PodSecurity
from kcore.registry.admission.pod_toleration_restriction import PodTolerationRestriction
from kcore.registry.admission.pod_topology_labels import PodTopologyLabels
from kcore.registry.admission.priority import Priority
from kcore.registry.admission.resource_quota import ResourceQuota
from kcore.registry.admission.runtime_class import RuntimeClass
from kcore.registry.admission.service_account import ServiceAccount
from kcore.registry.admission.storage_object_in_use_protection import StorageObjectInUseProtection
from kcore.registry.admission.taint_nodes_by_condition import TaintNodesByCondition
from kcore.registry.admission.validating_admission_policy import ValidatingAdmissionPolicy
from kcore.registry.admission.validating_admission_webhook import ValidatingAdmissionWebhook
from kcore.registry.strategy import Environment, Strategies

__all__ = [
    "DEFAULT_PLUGINS",
    "NOBODY",
    "PLUGINS",
    "STANDALONE_PLUGINS",
    "Admission",
    "Chain",
    "MakePlugin",
    "Operation",
    "Plugin",
    "UnknownPlugin",
    "chosen_plugins",
]

PLUGINS: tuple[type[Plugin], ...] = (
    AlwaysAdmit,
    NamespaceAutoProvision,
    NamespaceLifecycle,
    NamespaceExists,
    LimitPodHardAntiAffinityTopology,
    LimitRanger,
    ServiceAccount,
    NodeRestriction,
    TaintNodesByCondition,
    AlwaysPullImages,
    PodSecurity,
    PodNodeSelector,
    Priority,
    DefaultTolerationSeconds,
    PodTolerationRestriction,
    EventRateLimit,
    ExtendedResourceToleration,
    DefaultStorageClass,
    StorageObjectInUseProtection,
    OwnerReferencesPermissionEnforcement,
    PersistentVolumeClaimResize,
    RuntimeClass,
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    DefaultIngressClass,
    DenyServiceExternalIPs,
    PodTopologyLabels,
    MutatingAdmissionPolicy,
    MutatingAdmissionWebhook,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionWebhook,
    ResourceQuota,  # after all who wait for others: what it charges is committed in the same turn
    AlwaysDeny,
)
"""All that there are, in upstream's order (AllOrderedPlugins)."""

ABSENT = ("ImagePolicyWebhook",)
"""Those of upstream that are not built here: to switch one on is an error, to switch it off is none."""

IDLE = (
    "ClusterTrustBundleAttest",
    "JobValidation",
    "NodeDeclaredFeatureValidator",
    "PodGroupProtection",
    "PodGroupWorkloadExists",
    "PodResizeValidator",
)
"""Those about APIs that are not generally available in this version: they have nothing to do, on or off."""

DEFAULT_PLUGINS: tuple[type[Plugin], ...] = tuple(p for p in PLUGINS if p.on_by_default)

STANDALONE_PLUGINS = tuple(p for p in DEFAULT_PLUGINS if p is not ServiceAccount)
"""The default ones that need no controllers beside them: nobody else makes the accounts of namespaces."""

MakePlugin: TypeAlias = Callable[[Environment, Strategies], Plugin]


class UnknownPlugin(ValueError):
    """A choice of plugins that makes no sense; the message is for the user."""


def chosen_plugins(
    enabled: Iterable[str] = (), disabled: Iterable[str] = (), configurations: Mapping[str, JSON] | None = None
) -> tuple[MakePlugin, ...]:
    """The default plugins, with these and without those, told what they are configured to do. Raises UnknownPlugin."""
    on, off = set(enabled), set(disabled)
    _check(on, off)
    chosen = (p for p in PLUGINS if p.__name__ not in off and (p.on_by_default or p.__name__ in on))
    given = configurations or {}
    if strangers := sorted(given.keys() - _names() - {*ABSENT, *IDLE}):
        raise UnknownPlugin(f"the admission configuration is about unknown plugins: {', '.join(strangers)}")
    return tuple(_configured(plugin, given) for plugin in chosen)


def _names() -> set[str]:
    return {p.__name__ for p in PLUGINS}


def _check(on: set[str], off: set[str]) -> None:
    known = _names() | {*ABSENT, *IDLE}
    for flag, names in (("enable", on), ("disable", off)):
        for name in sorted(names - known):
            raise UnknownPlugin(f'{flag}-admission-plugins plugin "{name}" is unknown')
    if both := sorted(on & off):
        named = " ".join(both)
        raise UnknownPlugin(f"[{named}] in enable-admission-plugins and disable-admission-plugins overlapped")
    for name in sorted(on.intersection(ABSENT)):
        raise UnknownPlugin(f"the admission plugin {name} is not built into kcore")


def _configured(plugin: type[Plugin], configurations: Mapping[str, JSON]) -> MakePlugin:
    name, configuration = plugin.__name__, plugin.configuration
    if name not in configurations:
        if configuration is not None and configuration.needed:
            raise UnknownPlugin(
                f"the admission plugin {name} needs a configuration: see --admission-control-config-file"
            )
        return plugin
    if configuration is None:
        raise UnknownPlugin(f"the admission plugin {name} takes no configuration")
    configurable: Callable[..., Plugin] = plugin
    return partial(configurable, settings=configuration.read(name, configurations[name]))
