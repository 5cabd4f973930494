"""Values that fields have to be one of, and what is meant where nothing is sent: facts of upstream's types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.api.schema import Struct
from kcore.registry.managed_fields.schemas import KEY_DEFAULTS

__all__ = ["default_of", "enum_of"]

_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_PULL = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_TRAFFIC = ("Cluster", "Local")
_VOLUME_MODES = ("Block", "Filesystem")
_TAINTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")
_SETS = ("DoesNotExist", "Exists", "In", "NotIn")
_HONOR = ("Honor", "Ignore")
_FAILURE = ("Fail", "Ignore")
_MATCH = ("Equivalent", "Exact")
_REINVOCATION = ("IfNeeded", "Never")
_SIDE_EFFECTS = ("None", "NoneOnDryRun", "Some", "Unknown")
_SCOPES = ("*", "Cluster", "Namespaced")
_TERMINATION = ("FallbackToLogsOnError", "File")
_PREEMPTION = ("Never", "PreemptLowerPriority")
_RECLAIM = ("Delete", "Recycle", "Retain")
_ROLLING = ("OnDelete", "RollingUpdate")

_ENUMS: Mapping[str, Sequence[str]] = {
    "AppArmorProfile.type": _PROFILES,
    "AzureDiskVolumeSource.cachingMode": ("None", "ReadOnly", "ReadWrite"),
    "AzureDiskVolumeSource.kind": ("Dedicated", "Managed", "Shared"),
    "Container.imagePullPolicy": _PULL,
    "Container.terminationMessagePolicy": _TERMINATION,
    "ContainerPort.protocol": _PROTOCOLS,
    "CronJobSpec.concurrencyPolicy": ("Allow", "Forbid", "Replace"),
    "DaemonSetUpdateStrategy.type": _ROLLING,
    "DeploymentStrategy.type": ("Recreate", "RollingUpdate"),
    "EndpointPort.protocol": _PROTOCOLS,
    "EndpointSlice.addressType": ("FQDN", "IPv4", "IPv6"),
    "EphemeralContainer.imagePullPolicy": _PULL,
    "EphemeralContainer.terminationMessagePolicy": _TERMINATION,
    "HPAScalingPolicy.type": ("Percent", "Pods"),
    "HPAScalingRules.selectPolicy": ("Disabled", "Max", "Min"),
    "HTTPGetAction.scheme": ("HTTP", "HTTPS"),
    "HTTPIngressPath.pathType": ("Exact", "ImplementationSpecific", "Prefix"),
    "HostPathVolumeSource.type": (
        "",
        "BlockDevice",
        "CharDevice",
        "Directory",
        "DirectoryOrCreate",
        "File",
        "FileOrCreate",
        "Socket",
    ),
    "ImageVolumeSource.pullPolicy": _PULL,
    "JobSpec.completionMode": ("Indexed", "NonIndexed"),
    "JobSpec.podReplacementPolicy": ("Failed", "TerminatingOrFailed"),
    "LabelSelectorRequirement.operator": _SETS,
    "MatchResources.matchPolicy": _MATCH,
    "MutatingAdmissionPolicySpec.failurePolicy": _FAILURE,
    "MutatingWebhook.failurePolicy": _FAILURE,
    "MutatingWebhook.matchPolicy": _MATCH,
    "MutatingWebhook.reinvocationPolicy": _REINVOCATION,
    "MutatingWebhook.sideEffects": _SIDE_EFFECTS,
    "NamedRuleWithOperations.scope": _SCOPES,
    "NamespaceStatus.phase": ("Active", "Terminating"),
    "NetworkPolicyPort.protocol": _PROTOCOLS,
    "NodeSelectorRequirement.operator": ("DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"),
    "NodeStatus.phase": ("Pending", "Running", "Terminated"),
    "PersistentVolumeClaimSpec.volumeMode": _VOLUME_MODES,
    "PersistentVolumeClaimStatus.phase": ("Bound", "Lost", "Pending"),
    "PersistentVolumeSpec.persistentVolumeReclaimPolicy": _RECLAIM,
    "PersistentVolumeSpec.volumeMode": _VOLUME_MODES,
    "PersistentVolumeStatus.phase": ("Available", "Bound", "Failed", "Pending", "Released"),
    "PodFailurePolicyOnExitCodesRequirement.operator": ("In", "NotIn"),
    "PodFailurePolicyRule.action": ("Count", "FailIndex", "FailJob", "Ignore"),
    "PodSecurityContext.fsGroupChangePolicy": ("Always", "OnRootMismatch"),
    "PodSecurityContext.supplementalGroupsPolicy": ("Merge", "Strict"),
    "PodSpec.dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "PodSpec.preemptionPolicy": _PREEMPTION,
    "PodSpec.restartPolicy": ("Always", "Never", "OnFailure"),
    "PodStatus.phase": ("Failed", "Pending", "Running", "Succeeded", "Unknown"),
    "PodStatus.qosClass": ("BestEffort", "Burstable", "Guaranteed"),
    "PriorityClass.preemptionPolicy": _PREEMPTION,
    "RuleWithOperations.scope": _SCOPES,
    "ScopedResourceSelectorRequirement.operator": _SETS,
    "SeccompProfile.type": _PROFILES,
    "SecurityContext.procMount": ("Default", "Unmasked"),
    "ServicePort.protocol": _PROTOCOLS,
    "ServiceSpec.externalTrafficPolicy": _TRAFFIC,
    "ServiceSpec.internalTrafficPolicy": _TRAFFIC,
    "ServiceSpec.ipFamilyPolicy": ("PreferDualStack", "RequireDualStack", "SingleStack"),
    "ServiceSpec.sessionAffinity": ("ClientIP", "None"),
    "ServiceSpec.type": ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
    "StatefulSetSpec.podManagementPolicy": ("OrderedReady", "Parallel"),
    "StatefulSetUpdateStrategy.type": _ROLLING,
    "StorageClass.reclaimPolicy": _RECLAIM,
    "StorageClass.volumeBindingMode": ("Immediate", "WaitForFirstConsumer"),
    "Taint.effect": _TAINTS,
    "Toleration.effect": _TAINTS,
    "TopologySpreadConstraint.nodeAffinityPolicy": _HONOR,
    "TopologySpreadConstraint.nodeTaintsPolicy": _HONOR,
    "TopologySpreadConstraint.whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway"),
    "ValidatingAdmissionPolicySpec.failurePolicy": _FAILURE,
    "ValidatingWebhook.failurePolicy": _FAILURE,
    "ValidatingWebhook.matchPolicy": _MATCH,
    "ValidatingWebhook.sideEffects": _SIDE_EFFECTS,
    "VolumeMount.mountPropagation": ("Bidirectional", "HostToContainer", "None"),
}


def enum_of(type_name: str, wire: str) -> Sequence[str]:
    return _ENUMS.get(f"{type_name}.{wire}", ())


def default_of(type_: type[Struct], wire: str) -> Any:
    """None: there is none."""
    return KEY_DEFAULTS.get((type_, wire))
