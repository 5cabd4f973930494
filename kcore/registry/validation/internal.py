"""Objects as upstream's unversioned types print in field errors: with Go field names, in Go's order.

Upstream validates its internal types, so a bad value that is a struct, and the diff in the refusal of a pod
update, show those. Their fields differ from the wire's in name, order and, in places, in nesting; the table says
how. A type that is not in the table prints as it does on the wire.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec

from kcore.api import apps_v1, batch_v1, certificates_v1, core_v1, networking_v1, policy_v1, storage_v1
from kcore.api.schema import Struct

__all__ = ["diff", "internal", "shown"]

_HANDLER = "Exec HTTPGet TCPSocket GRPC"
_KEY_REF = "Name Key Optional"
_PROJECTION = "Name Items Optional"
_CONTAINER = (
    "Name Image Command Args WorkingDir Ports EnvFrom Env Resources ResizePolicy RestartPolicy RestartPolicyRules "
    "VolumeMounts VolumeDevices LivenessProbe ReadinessProbe StartupProbe Lifecycle TerminationMessagePath "
    "TerminationMessagePolicy ImagePullPolicy SecurityContext Stdin StdinOnce TTY"
)

# Go's field names, in Go's order; `Name=attribute` where lower-casing does not lead from one to the other.
_FIELDS: dict[type[Struct], str] = {
    apps_v1.DaemonSetUpdateStrategy: "Type RollingUpdate",
    apps_v1.DeploymentStrategy: "Type RollingUpdate",
    apps_v1.RollingUpdateDaemonSet: "MaxUnavailable MaxSurge",
    apps_v1.RollingUpdateDeployment: "MaxUnavailable MaxSurge",
    apps_v1.RollingUpdateStatefulSetStrategy: "Partition MaxUnavailable",
    apps_v1.StatefulSetUpdateStrategy: "Type RollingUpdate",
    batch_v1.PodFailurePolicy: "Rules",
    batch_v1.PodFailurePolicyOnExitCodesRequirement: "ContainerName Operator Values",
    batch_v1.PodFailurePolicyOnPodConditionsPattern: "Type Status",
    batch_v1.PodFailurePolicyRule: "Action OnExitCodes OnPodConditions",
    batch_v1.SuccessPolicy: "Rules",
    batch_v1.SuccessPolicyRule: "SucceededIndexes SucceededCount",
    batch_v1.UncountedTerminatedPods: "Succeeded Failed",
    certificates_v1.CertificateSigningRequestCondition: (
        "Type Status Reason Message LastUpdateTime LastTransitionTime"
    ),
    core_v1.AWSElasticBlockStoreVolumeSource: "VolumeID FSType Partition ReadOnly",
    core_v1.Affinity: "NodeAffinity PodAffinity PodAntiAffinity",
    core_v1.AppArmorProfile: "Type LocalhostProfile",
    core_v1.AzureDiskVolumeSource: "DiskName DataDiskURI=disk_uri CachingMode FSType ReadOnly Kind",
    core_v1.AzureFileVolumeSource: "SecretName ShareName ReadOnly",
    core_v1.CSIVolumeSource: "Driver ReadOnly FSType VolumeAttributes NodePublishSecretRef",
    core_v1.Capabilities: "Add Drop",
    core_v1.CephFSVolumeSource: "Monitors Path User SecretFile SecretRef ReadOnly",
    core_v1.CinderVolumeSource: "VolumeID FSType ReadOnly SecretRef",
    core_v1.ClusterTrustBundleProjection: "Name SignerName LabelSelector Optional Path",
    core_v1.ConfigMapEnvSource: "Name Optional",
    core_v1.ConfigMapKeySelector: _KEY_REF,
    core_v1.ConfigMapProjection: _PROJECTION,
    core_v1.ConfigMapVolumeSource: "Name Items DefaultMode Optional",
    core_v1.Container: _CONTAINER,
    core_v1.ContainerPort: "Name HostPort ContainerPort Protocol HostIP",
    core_v1.ContainerResizePolicy: "ResourceName RestartPolicy",
    core_v1.ContainerRestartRule: "Action ExitCodes",
    core_v1.ContainerRestartRuleOnExitCodes: "Operator Values",
    core_v1.DownwardAPIProjection: "Items",
    core_v1.DownwardAPIVolumeFile: "Path FieldRef ResourceFieldRef Mode",
    core_v1.DownwardAPIVolumeSource: "Items DefaultMode",
    core_v1.EmptyDirVolumeSource: "Medium SizeLimit",
    core_v1.EnvFromSource: "Prefix ConfigMapRef SecretRef",
    core_v1.EnvVar: "Name Value ValueFrom",
    core_v1.EnvVarSource: "FieldRef ResourceFieldRef ConfigMapKeyRef SecretKeyRef FileKeyRef",
    core_v1.EphemeralContainer: f"{_CONTAINER} TargetContainerName",
    core_v1.EphemeralVolumeSource: "VolumeClaimTemplate",
    core_v1.ExecAction: "Command",
    core_v1.FCVolumeSource: "TargetWWNs Lun FSType ReadOnly WWIDs",
    core_v1.FileKeySelector: "VolumeName Path Key Optional",
    core_v1.FlexVolumeSource: "Driver FSType SecretRef ReadOnly Options",
    core_v1.FlockerVolumeSource: "DatasetName DatasetUUID",
    core_v1.GCEPersistentDiskVolumeSource: "PDName FSType Partition ReadOnly",
    core_v1.GRPCAction: "Port Service",
    core_v1.GitRepoVolumeSource: "Repository Revision Directory",
    core_v1.GlusterfsVolumeSource: "EndpointsName=endpoints Path ReadOnly",
    core_v1.HTTPGetAction: "Path Port Host Scheme HTTPHeaders",
    core_v1.HTTPHeader: "Name Value",
    core_v1.HostAlias: "IP Hostnames",
    core_v1.HostIP: "IP",
    core_v1.HostPathVolumeSource: "Path Type",
    core_v1.ISCSIVolumeSource: (
        "TargetPortal IQN Lun ISCSIInterface FSType ReadOnly Portals DiscoveryCHAPAuth=chap_auth_discovery "
        "SessionCHAPAuth=chap_auth_session SecretRef InitiatorName"
    ),
    core_v1.ImageVolumeSource: "Reference PullPolicy",
    core_v1.KeyToPath: "Key Path Mode",
    core_v1.Lifecycle: "PostStart PreStop StopSignal",
    core_v1.LifecycleHandler: "Exec HTTPGet TCPSocket Sleep",
    core_v1.LocalObjectReference: "Name",
    core_v1.NFSVolumeSource: "Server Path ReadOnly",
    core_v1.NodeAddress: "Type Address",
    core_v1.NodeAffinity: (
        "RequiredDuringSchedulingIgnoredDuringExecution PreferredDuringSchedulingIgnoredDuringExecution"
    ),
    core_v1.NodeSelector: "NodeSelectorTerms",
    core_v1.NodeSelectorRequirement: "Key Operator Values",
    core_v1.NodeSelectorTerm: "MatchExpressions MatchFields",
    core_v1.ObjectFieldSelector: "APIVersion FieldPath",
    core_v1.PersistentVolumeClaimSpec: (
        "AccessModes Selector Resources VolumeName StorageClassName VolumeMode DataSource DataSourceRef "
        "VolumeAttributesClassName"
    ),
    core_v1.PersistentVolumeClaimTemplate: "ObjectMeta=metadata Spec",
    core_v1.PersistentVolumeClaimVolumeSource: "ClaimName ReadOnly",
    core_v1.PhotonPersistentDiskVolumeSource: "PdID FSType",
    core_v1.PodAffinity: (
        "RequiredDuringSchedulingIgnoredDuringExecution PreferredDuringSchedulingIgnoredDuringExecution"
    ),
    core_v1.PodAffinityTerm: (
        "LabelSelector Namespaces TopologyKey NamespaceSelector MatchLabelKeys MismatchLabelKeys"
    ),
    core_v1.PodAntiAffinity: (
        "RequiredDuringSchedulingIgnoredDuringExecution PreferredDuringSchedulingIgnoredDuringExecution"
    ),
    core_v1.PodCertificateProjection: (
        "SignerName KeyType MaxExpirationSeconds CredentialBundlePath KeyPath CertificateChainPath UserAnnotations"
    ),
    core_v1.PodDNSConfig: "Nameservers Searches Options",
    core_v1.PodDNSConfigOption: "Name Value",
    core_v1.PodIP: "IP",
    core_v1.PodOS: "Name",
    core_v1.PodReadinessGate: "ConditionType",
    core_v1.PodResourceClaim: "Name ResourceClaimName ResourceClaimTemplateName",
    core_v1.PodSchedulingGate: "Name",
    core_v1.PodSchedulingGroup: "PodGroupName",
    core_v1.PodSecurityContext: (
        "SELinuxOptions WindowsOptions RunAsUser RunAsGroup RunAsNonRoot SupplementalGroups SupplementalGroupsPolicy "
        "FSGroup FSGroupChangePolicy Sysctls SeccompProfile AppArmorProfile SELinuxChangePolicy"
    ),
    core_v1.PodSpec: (
        "Volumes InitContainers Containers EphemeralContainers RestartPolicy TerminationGracePeriodSeconds "
        "ActiveDeadlineSeconds DNSPolicy NodeSelector ServiceAccountName AutomountServiceAccountToken NodeName "
        "SecurityContext ImagePullSecrets Hostname Subdomain SetHostnameAsFQDN Affinity SchedulerName Tolerations "
        "HostAliases PriorityClassName Priority PreemptionPolicy DNSConfig ReadinessGates RuntimeClassName Overhead "
        "EnableServiceLinks TopologySpreadConstraints OS SchedulingGates ResourceClaims Resources HostnameOverride "
        "SchedulingGroup"
    ),
    core_v1.PodTemplateSpec: "ObjectMeta=metadata Spec",
    core_v1.PortworxVolumeSource: "VolumeID FSType ReadOnly",
    core_v1.PreferredSchedulingTerm: "Weight Preference",
    core_v1.Probe: (
        f"{_HANDLER} InitialDelaySeconds TimeoutSeconds PeriodSeconds SuccessThreshold FailureThreshold "
        "TerminationGracePeriodSeconds"
    ),
    core_v1.ProjectedVolumeSource: "Sources DefaultMode",
    core_v1.QuobyteVolumeSource: "Registry Volume ReadOnly User Group Tenant",
    core_v1.RBDVolumeSource: (
        "CephMonitors=monitors RBDImage=image FSType RBDPool=pool RadosUser=user Keyring SecretRef ReadOnly"
    ),
    core_v1.ResourceClaim: "Name Request",
    core_v1.ResourceFieldSelector: "ContainerName Resource Divisor",
    core_v1.ResourceRequirements: "Limits Requests Claims",
    core_v1.SELinuxOptions: "User Role Type Level",
    core_v1.ScopeSelector: "MatchExpressions",
    core_v1.ScopedResourceSelectorRequirement: "ScopeName Operator Values",
    core_v1.ScaleIOVolumeSource: (
        "Gateway System SecretRef SSLEnabled ProtectionDomain StoragePool StorageMode VolumeName FSType ReadOnly"
    ),
    core_v1.SeccompProfile: "Type LocalhostProfile",
    core_v1.SecretEnvSource: "Name Optional",
    core_v1.SecretKeySelector: _KEY_REF,
    core_v1.SecretProjection: _PROJECTION,
    core_v1.SecretVolumeSource: "SecretName Items DefaultMode Optional",
    core_v1.SecurityContext: (
        "Capabilities Privileged SELinuxOptions WindowsOptions RunAsUser RunAsGroup RunAsNonRoot "
        "ReadOnlyRootFilesystem AllowPrivilegeEscalation ProcMount SeccompProfile AppArmorProfile"
    ),
    core_v1.ServiceAccountTokenProjection: "Audience ExpirationSeconds Path",
    core_v1.SleepAction: "Seconds",
    core_v1.StorageOSVolumeSource: "VolumeName VolumeNamespace FSType ReadOnly SecretRef",
    core_v1.Sysctl: "Name Value",
    core_v1.TCPSocketAction: "Port Host",
    core_v1.Taint: "Key Value Effect TimeAdded",
    core_v1.Toleration: "Key Operator Value Effect TolerationSeconds",
    core_v1.TopologySpreadConstraint: (
        "MaxSkew TopologyKey WhenUnsatisfiable LabelSelector MinDomains NodeAffinityPolicy NodeTaintsPolicy "
        "MatchLabelKeys"
    ),
    core_v1.TypedLocalObjectReference: "APIGroup Kind Name",
    core_v1.TypedObjectReference: "APIGroup Kind Name Namespace",
    core_v1.Volume: (
        "Name HostPath EmptyDir GCEPersistentDisk AWSElasticBlockStore GitRepo Secret NFS ISCSI Glusterfs "
        "PersistentVolumeClaim RBD Quobyte FlexVolume Cinder CephFS Flocker DownwardAPI FC AzureFile ConfigMap "
        "VsphereVolume AzureDisk PhotonPersistentDisk Projected PortworxVolume ScaleIO StorageOS CSI Ephemeral Image"
    ),
    core_v1.VolumeDevice: "Name DevicePath",
    core_v1.VolumeMount: ("Name ReadOnly RecursiveReadOnly MountPath SubPath MountPropagation SubPathExpr"),
    core_v1.VolumeProjection: "Secret DownwardAPI ConfigMap ServiceAccountToken ClusterTrustBundle PodCertificate",
    core_v1.VolumeResourceRequirements: "Limits Requests",
    core_v1.VsphereVirtualDiskVolumeSource: "VolumePath FSType StoragePolicyName StoragePolicyID",
    core_v1.WeightedPodAffinityTerm: "Weight PodAffinityTerm",
    core_v1.WindowsSecurityContextOptions: "GMSACredentialSpecName GMSACredentialSpec RunAsUserName HostProcess",
    networking_v1.ParentReference: "Group Resource Namespace Name",
    networking_v1.ServiceCIDRSpec: "CIDRs",
    storage_v1.CSINodeDriver: "Name NodeID TopologyKeys Allocatable",
    policy_v1.PodDisruptionBudgetSpec: "MinAvailable Selector MaxUnavailable UnhealthyPodEvictionPolicy",
}

# Go pointers to strings and numbers whose zero the wire leaves out, and so our types hold as plain values.
_NULL_WHEN_EMPTY: frozenset[tuple[type[Struct], str]] = frozenset({(core_v1.ISCSIVolumeSource, "initiator_name")})


def internal(value: Any) -> Any:
    """The JSON tree of Go's encoding of the internal type."""
    if isinstance(value, Struct):
        if isinstance(value, core_v1.PodSpec):
            return _pod_spec(value)
        return _fields(value)
    if isinstance(value, tuple | list):
        return [internal(v) for v in value] or None
    if isinstance(value, Mapping):
        return {k: internal(value[k]) for k in sorted(value)} or None
    return value


def _fields(value: Struct) -> dict[str, Any]:
    columns = _columns(type(value))
    if columns is None:
        return msgspec.to_builtins(value)  # type: ignore[no-any-return]
    tree: dict[str, Any] = {}
    for name, attribute in columns:
        field = getattr(value, attribute)
        if name == "ObjectMeta":
            tree.update(msgspec.to_builtins(field))
        elif field == "" and (type(value), attribute) in _NULL_WHEN_EMPTY:
            tree[name] = None
        else:
            tree[name] = internal(field)
    return tree


def _pod_spec(spec: core_v1.PodSpec) -> dict[str, Any]:
    """The host fields of a pod live in the internal security context."""
    tree = _fields(spec)
    if spec.security_context is not None:
        tree["SecurityContext"] = {
            "HostNetwork": spec.host_network,
            "HostPID": spec.host_pid,
            "HostIPC": spec.host_ipc,
            "ShareProcessNamespace": spec.share_process_namespace,
            "HostUsers": spec.host_users,
            **tree["SecurityContext"],
        }
    return tree


@cache
def _columns(type_: type[Struct]) -> tuple[tuple[str, str], ...] | None:
    """Pairs of Go name and attribute of a type."""
    fields = _FIELDS.get(type_)
    if fields is None:
        return None
    attributes = {f.replace("_", ""): f for f in type_.__struct_fields__}
    columns = []
    for field in fields.split():
        name, _, attribute = field.partition("=")
        columns.append((name, attribute or attributes[name.lower()]))
    return tuple(columns)


def shown(value: Any) -> msgspec.Raw:
    """A bad value that is a struct, for a field error."""
    return msgspec.Raw(json.dumps(internal(value), separators=(",", ":"), ensure_ascii=False).encode())


def diff(old: Any, new: Any, form: Callable[[Any], Any] = internal) -> str:
    """What changed between two structs: a unified diff of their indented JSON."""
    before, after = (json.dumps(form(v), indent=1, ensure_ascii=False).splitlines(keepends=True) for v in (old, new))
    before[-1] += "\n"
    after[-1] += "\n"
    return "".join(list(difflib.unified_diff(before, after, n=3))[2:])
