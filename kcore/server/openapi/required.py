"""What each type requires, where that does not follow from the fields: facts of upstream's OpenAPI, by module and type.

The rule is that fields which are written even when empty are required (`schemas`). It does not hold for these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["ALSO_REQUIRED", "NOT_REQUIRED", "UNIONS"]

ALSO_REQUIRED: Mapping[str, Sequence[str]] = {
    "admissionregistration_v1.MutatingWebhook": ("clientConfig",),
    "admissionregistration_v1.ValidatingAdmissionPolicyBinding": ("spec",),
    "admissionregistration_v1.ValidatingWebhook": ("clientConfig",),
    "apps_v1.DaemonSetSpec": ("template",),
    "apps_v1.DeploymentSpec": ("template",),
    "apps_v1.StatefulSetSpec": ("template",),
    "authentication_v1.TokenReview": ("spec",),
    "authorization_v1.LocalSubjectAccessReview": ("spec",),
    "authorization_v1.SelfSubjectAccessReview": ("spec",),
    "authorization_v1.SelfSubjectRulesReview": ("spec",),
    "authorization_v1.SubjectAccessReview": ("spec",),
    "autoscaling_v1.HorizontalPodAutoscaler": ("spec",),
    "autoscaling_v1.HorizontalPodAutoscalerSpec": ("scaleTargetRef",),
    "autoscaling_v2.ContainerResourceMetricSource": ("target",),
    "autoscaling_v2.ContainerResourceMetricStatus": ("current",),
    "autoscaling_v2.ExternalMetricSource": ("metric", "target"),
    "autoscaling_v2.ExternalMetricStatus": ("current", "metric"),
    "autoscaling_v2.HorizontalPodAutoscaler": ("spec",),
    "autoscaling_v2.HorizontalPodAutoscalerSpec": ("scaleTargetRef",),
    "autoscaling_v2.ObjectMetricSource": ("describedObject", "metric", "target"),
    "autoscaling_v2.ObjectMetricStatus": ("current", "describedObject", "metric"),
    "autoscaling_v2.PodsMetricSource": ("metric", "target"),
    "autoscaling_v2.PodsMetricStatus": ("current", "metric"),
    "autoscaling_v2.ResourceMetricSource": ("target",),
    "autoscaling_v2.ResourceMetricStatus": ("current",),
    "batch_v1.CronJob": ("spec",),
    "batch_v1.CronJobSpec": ("jobTemplate",),
    "batch_v1.JobSpec": ("template",),
    "certificates_v1.CertificateSigningRequest": ("spec",),
    "core_v1.Binding": ("target",),
    "core_v1.Event": ("involvedObject", "metadata"),
    "core_v1.PersistentVolumeClaimTemplate": ("spec",),
    "core_v1.PreferredSchedulingTerm": ("preference",),
    "core_v1.ScaleIOPersistentVolumeSource": ("secretRef",),
    "core_v1.ScaleIOVolumeSource": ("secretRef",),
    "core_v1.WeightedPodAffinityTerm": ("podAffinityTerm",),
    "flowcontrol_v1.FlowSchemaSpec": ("priorityLevelConfiguration",),
    "networking_v1.HTTPIngressPath": ("backend",),
    "networking_v1.IPAddress": ("spec",),
    "networking_v1.IPAddressSpec": ("parentRef",),
    "rbac_v1.ClusterRoleBinding": ("roleRef",),
    "rbac_v1.RoleBinding": ("roleRef",),
    "resource_v1.DeviceClass": ("spec",),
    "resource_v1.ResourceClaim": ("spec",),
    "resource_v1.ResourceClaimTemplate": ("spec",),
    "resource_v1.ResourceClaimTemplateSpec": ("spec",),
    "resource_v1.ResourceSlice": ("spec",),
    "resource_v1.ResourceSliceSpec": ("pool",),
    "storage_v1.CSIDriver": ("spec",),
    "storage_v1.CSINode": ("spec",),
    "storage_v1.VolumeAttachment": ("spec",),
    "storage_v1.VolumeAttachmentSpec": ("source",),
    "apiextensions_v1.CustomResourceDefinition": ("spec",),
    "apiextensions_v1.CustomResourceDefinitionSpec": ("names",),
}
"""Objects that may be left out in JSON, and then are empty, but never should be."""

NOT_REQUIRED: Mapping[str, Sequence[str]] = {
    "apps_v1.DaemonSetCondition": ("lastTransitionTime",),
    "apps_v1.DeploymentCondition": ("lastTransitionTime", "lastUpdateTime"),
    "apps_v1.ReplicaSetCondition": ("lastTransitionTime",),
    "apps_v1.StatefulSetCondition": ("lastTransitionTime",),
    "apps_v1.StatefulSetSpec": ("serviceName",),
    "apps_v1.StatefulSetStatus": ("availableReplicas",),
    "authentication_v1.TokenRequestSpec": ("boundObjectRef",),
    "authentication_v1.TokenRequestStatus": ("expirationTimestamp",),
    "autoscaling_v2.HorizontalPodAutoscalerCondition": ("lastTransitionTime",),
    "autoscaling_v2.HorizontalPodAutoscalerStatus": ("currentMetrics",),
    "batch_v1.JobCondition": ("lastProbeTime", "lastTransitionTime"),
    "certificates_v1.CertificateSigningRequestCondition": ("lastTransitionTime", "lastUpdateTime"),
    "core_v1.ContainerStateRunning": ("startedAt",),
    "core_v1.ContainerStateTerminated": ("finishedAt", "startedAt"),
    "core_v1.Event": ("eventTime", "firstTimestamp", "lastTimestamp", "reportingComponent", "reportingInstance"),
    "core_v1.EventSeries": ("lastObservedTime",),
    "core_v1.NamespaceCondition": ("lastTransitionTime",),
    "core_v1.NodeCondition": ("lastHeartbeatTime", "lastTransitionTime"),
    "core_v1.PersistentVolumeClaimCondition": ("lastProbeTime", "lastTransitionTime"),
    "core_v1.PodCondition": ("lastProbeTime", "lastTransitionTime"),
    "core_v1.ReplicationControllerCondition": ("lastTransitionTime",),
    "core_v1.ResourceFieldSelector": ("divisor",),
    "core_v1.ServicePort": ("targetPort",),
    "core_v1.TypedLocalObjectReference": ("apiGroup",),
    "core_v1.TypedObjectReference": ("apiGroup",),
    "discovery_v1.EndpointSlice": ("endpoints", "ports"),
    "events_v1.Event": ("deprecatedFirstTimestamp", "deprecatedLastTimestamp"),
    "flowcontrol_v1.FlowSchemaCondition": ("lastTransitionTime",),
    "flowcontrol_v1.PriorityLevelConfigurationCondition": ("lastTransitionTime",),
    "policy_v1.PodDisruptionBudgetStatus": ("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"),
    "rbac_v1.ClusterRole": ("rules",),
    "rbac_v1.Role": ("rules",),
    "scheduling_v1.PriorityClass": ("value",),
    "storage_v1.VolumeError": ("time",),
    "apiextensions_v1.CustomResourceDefinitionCondition": ("lastTransitionTime",),
    "apiextensions_v1.CustomResourceDefinitionStatus": ("conditions", "storedVersions"),
    "apiregistration_v1.APIServiceCondition": ("lastTransitionTime",),
}
"""Fields that are written even when empty, but need not be sent."""

UNIONS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "core_v1.AppArmorProfile": [
        {"discriminator": "type", "fields-to-discriminateBy": {"localhostProfile": "LocalhostProfile"}}
    ],
    "core_v1.PodSchedulingGroup": [{"fields-to-discriminateBy": {"podGroupName": "PodGroupName"}}],
    "core_v1.SeccompProfile": [
        {"discriminator": "type", "fields-to-discriminateBy": {"localhostProfile": "LocalhostProfile"}}
    ],
    "flowcontrol_v1.LimitResponse": [{"discriminator": "type", "fields-to-discriminateBy": {"queuing": "Queuing"}}],
    "flowcontrol_v1.PriorityLevelConfigurationSpec": [
        {"discriminator": "type", "fields-to-discriminateBy": {"exempt": "Exempt", "limited": "Limited"}}
    ],
    "flowcontrol_v1.Subject": [
        {
            "discriminator": "kind",
            "fields-to-discriminateBy": {"group": "Group", "serviceAccount": "ServiceAccount", "user": "User"},
        }
    ],
}
"""Types of which one field says which of the others counts (x-kubernetes-unions)."""
