"""The types of core/v1."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import field

from kcore.api.meta_v1 import Condition, LabelSelector, ObjectMeta
from kcore.api.object import Object
from kcore.api.schema import (
    LIST_ATOMIC,
    LIST_SET,
    MAP_ATOMIC,
    Base64,
    Int32,
    Int64,
    IntOrString,
    ListMap,
    MicroTime,
    Patch,
    Quantity,
    Struct,
    Time,
    empty,
    empty_map,
    empty_tuple,
    false,
    null,
    zero,
    zero_quantity,
)


class AWSElasticBlockStoreVolumeSource(Struct):
    fs_type: str = ""
    partition: Int32 = 0
    read_only: bool = False
    volume_id: str = field(default_factory=empty, name="volumeID")


class NodeSelectorRequirement(Struct):
    key: str = field(default_factory=empty)
    operator: str = field(default_factory=empty)
    values: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class NodeSelectorTerm(Struct):
    __map_type__: ClassVar[str] = "atomic"

    match_expressions: Annotated[tuple[NodeSelectorRequirement, ...], LIST_ATOMIC] = ()
    match_fields: Annotated[tuple[NodeSelectorRequirement, ...], LIST_ATOMIC] = ()


class NodeSelector(Struct):
    __map_type__: ClassVar[str] = "atomic"

    node_selector_terms: Annotated[tuple[NodeSelectorTerm, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class PreferredSchedulingTerm(Struct):
    preference: NodeSelectorTerm = field(default_factory=NodeSelectorTerm)
    weight: Int32 = field(default_factory=zero)


class NodeAffinity(Struct):
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[PreferredSchedulingTerm, ...], LIST_ATOMIC
    ] = ()
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None


class PodAffinityTerm(Struct):
    label_selector: LabelSelector | None = None
    match_label_keys: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    mismatch_label_keys: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    namespace_selector: LabelSelector | None = None
    namespaces: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    topology_key: str = field(default_factory=empty)


class WeightedPodAffinityTerm(Struct):
    pod_affinity_term: PodAffinityTerm = field(default_factory=PodAffinityTerm)
    weight: Int32 = field(default_factory=zero)


class PodAffinity(Struct):
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[WeightedPodAffinityTerm, ...], LIST_ATOMIC
    ] = ()
    required_during_scheduling_ignored_during_execution: Annotated[tuple[PodAffinityTerm, ...], LIST_ATOMIC] = ()


class PodAntiAffinity(Struct):
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[WeightedPodAffinityTerm, ...], LIST_ATOMIC
    ] = ()
    required_during_scheduling_ignored_during_execution: Annotated[tuple[PodAffinityTerm, ...], LIST_ATOMIC] = ()


class Affinity(Struct):
    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAntiAffinity | None = None


class AppArmorProfile(Struct):
    type: str = field(default_factory=empty)
    localhost_profile: str | None = None


class AttachedVolume(Struct):
    name: str = field(default_factory=empty)
    device_path: str = field(default_factory=empty)


class AzureDiskVolumeSource(Struct):
    caching_mode: str | None = None
    disk_name: str = field(default_factory=empty)
    disk_uri: str = field(default_factory=empty, name="diskURI")
    fs_type: str | None = None
    kind: str | None = None
    read_only: bool | None = None


class AzureFilePersistentVolumeSource(Struct):
    read_only: bool = False
    secret_name: str = field(default_factory=empty)
    secret_namespace: str | None = None
    share_name: str = field(default_factory=empty)


class AzureFileVolumeSource(Struct):
    read_only: bool = False
    secret_name: str = field(default_factory=empty)
    share_name: str = field(default_factory=empty)


class ObjectReference(Struct):
    __map_type__: ClassVar[str] = "atomic"

    name: str = ""
    namespace: str = ""
    api_version: str = ""
    field_path: str = ""
    kind: str = ""
    resource_version: str = ""
    uid: str = ""


class Binding(Object):
    target: ObjectReference = field(default_factory=ObjectReference)


class SecretReference(Struct):
    __map_type__: ClassVar[str] = "atomic"

    name: str = ""
    namespace: str = ""


class CSIPersistentVolumeSource(Struct):
    controller_expand_secret_ref: SecretReference | None = None
    controller_publish_secret_ref: SecretReference | None = None
    driver: str = field(default_factory=empty)
    fs_type: str = ""
    node_expand_secret_ref: SecretReference | None = None
    node_publish_secret_ref: SecretReference | None = None
    node_stage_secret_ref: SecretReference | None = None
    read_only: bool = False
    volume_attributes: Mapping[str, str] = {}
    volume_handle: str = field(default_factory=empty)


class LocalObjectReference(Struct):
    __map_type__: ClassVar[str] = "atomic"

    name: str = ""


class CSIVolumeSource(Struct):
    driver: str = field(default_factory=empty)
    fs_type: str | None = None
    node_publish_secret_ref: LocalObjectReference | None = None
    read_only: bool | None = None
    volume_attributes: Mapping[str, str] = {}


class Capabilities(Struct):
    add: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    drop: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class CephFSPersistentVolumeSource(Struct):
    monitors: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)
    path: str = ""
    read_only: bool = False
    secret_file: str = ""
    secret_ref: SecretReference | None = None
    user: str = ""


class CephFSVolumeSource(Struct):
    monitors: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)
    path: str = ""
    read_only: bool = False
    secret_file: str = ""
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class CinderPersistentVolumeSource(Struct):
    fs_type: str = ""
    read_only: bool = False
    secret_ref: SecretReference | None = None
    volume_id: str = field(default_factory=empty, name="volumeID")


class CinderVolumeSource(Struct):
    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    volume_id: str = field(default_factory=empty, name="volumeID")


class ClientIPConfig(Struct):
    timeout_seconds: Int32 | None = None


class ClusterTrustBundleProjection(Struct):
    name: str | None = None
    label_selector: LabelSelector | None = None
    optional: bool | None = None
    path: str = field(default_factory=empty)
    signer_name: str | None = None


class ComponentCondition(Struct):
    type: str = field(default_factory=empty)
    error: str = ""
    message: str = ""
    status: str = field(default_factory=empty)


class ComponentStatus(Object):
    conditions: Annotated[tuple[ComponentCondition, ...], ListMap("type"), Patch("merge", key="type")] = ()


class ConfigMap(Object):
    binary_data: Mapping[str, Base64] = {}
    data: Mapping[str, str] = {}
    immutable: bool | None = None


class ConfigMapEnvSource(Struct):
    name: str = ""
    optional: bool | None = None


class ConfigMapKeySelector(Struct):
    __map_type__: ClassVar[str] = "atomic"

    key: str = field(default_factory=empty)
    name: str = ""
    optional: bool | None = None


class ConfigMapNodeConfigSource(Struct):
    name: str = field(default_factory=empty)
    namespace: str = field(default_factory=empty)
    kubelet_config_key: str = field(default_factory=empty)
    resource_version: str = ""
    uid: str = ""


class KeyToPath(Struct):
    key: str = field(default_factory=empty)
    mode: Int32 | None = None
    path: str = field(default_factory=empty)


class ConfigMapProjection(Struct):
    name: str = ""
    items: Annotated[tuple[KeyToPath, ...], LIST_ATOMIC] = ()
    optional: bool | None = None


class ConfigMapVolumeSource(Struct):
    name: str = ""
    default_mode: Int32 | None = None
    items: Annotated[tuple[KeyToPath, ...], LIST_ATOMIC] = ()
    optional: bool | None = None


class ContainerPort(Struct):
    name: str = ""
    container_port: Int32 = field(default_factory=zero)
    host_ip: str = field(default="", name="hostIP")
    host_port: Int32 = 0
    protocol: str = ""


class ContainerResizePolicy(Struct):
    resource_name: str = field(default_factory=empty)
    restart_policy: str = field(default_factory=empty)


class ContainerRestartRuleOnExitCodes(Struct):
    operator: str = field(default_factory=empty)
    values: Annotated[tuple[Int32, ...], LIST_SET] = ()


class ContainerRestartRule(Struct):
    action: str = field(default_factory=empty)
    exit_codes: ContainerRestartRuleOnExitCodes | None = None


class SecretEnvSource(Struct):
    name: str = ""
    optional: bool | None = None


class EnvFromSource(Struct):
    config_map_ref: ConfigMapEnvSource | None = None
    prefix: str = ""
    secret_ref: SecretEnvSource | None = None


class FileKeySelector(Struct):
    __map_type__: ClassVar[str] = "atomic"

    key: str = field(default_factory=empty)
    optional: bool | None = None
    path: str = field(default_factory=empty)
    volume_name: str = field(default_factory=empty)


class ObjectFieldSelector(Struct):
    __map_type__: ClassVar[str] = "atomic"

    api_version: str = ""
    field_path: str = field(default_factory=empty)


class ResourceFieldSelector(Struct):
    __map_type__: ClassVar[str] = "atomic"

    container_name: str = ""
    divisor: Quantity = field(default_factory=zero_quantity)
    resource: str = field(default_factory=empty)


class SecretKeySelector(Struct):
    __map_type__: ClassVar[str] = "atomic"

    key: str = field(default_factory=empty)
    name: str = ""
    optional: bool | None = None


class EnvVarSource(Struct):
    config_map_key_ref: ConfigMapKeySelector | None = None
    field_ref: ObjectFieldSelector | None = None
    file_key_ref: FileKeySelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    secret_key_ref: SecretKeySelector | None = None


class EnvVar(Struct):
    name: str = field(default_factory=empty)
    value: str = ""
    value_from: EnvVarSource | None = None


class ExecAction(Struct):
    command: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class HTTPHeader(Struct):
    name: str = field(default_factory=empty)
    value: str = field(default_factory=empty)


class HTTPGetAction(Struct):
    host: str = ""
    http_headers: Annotated[tuple[HTTPHeader, ...], LIST_ATOMIC] = ()
    path: str = ""
    port: IntOrString = field(default_factory=zero)
    scheme: str = ""


class SleepAction(Struct):
    seconds: Int64 = field(default_factory=zero)


class TCPSocketAction(Struct):
    host: str = ""
    port: IntOrString = field(default_factory=zero)


class LifecycleHandler(Struct):
    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    sleep: SleepAction | None = None
    tcp_socket: TCPSocketAction | None = None


class Lifecycle(Struct):
    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str | None = None


class GRPCAction(Struct):
    port: Int32 = field(default_factory=zero)
    service: str | None = None


class Probe(Struct):
    exec: ExecAction | None = None
    failure_threshold: Int32 = 0
    grpc: GRPCAction | None = None
    http_get: HTTPGetAction | None = None
    initial_delay_seconds: Int32 = 0
    period_seconds: Int32 = 0
    success_threshold: Int32 = 0
    tcp_socket: TCPSocketAction | None = None
    termination_grace_period_seconds: Int64 | None = None
    timeout_seconds: Int32 = 0


class ResourceClaim(Struct):
    name: str = field(default_factory=empty)
    request: str = ""


class ResourceRequirements(Struct):
    claims: Annotated[tuple[ResourceClaim, ...], ListMap("name")] = ()
    limits: Mapping[str, Quantity] = {}
    requests: Mapping[str, Quantity] = {}


class SELinuxOptions(Struct):
    type: str = ""
    level: str = ""
    role: str = ""
    user: str = ""


class SeccompProfile(Struct):
    type: str = field(default_factory=empty)
    localhost_profile: str | None = None


class WindowsSecurityContextOptions(Struct):
    gmsa_credential_spec: str | None = None
    gmsa_credential_spec_name: str | None = None
    host_process: bool | None = None
    run_as_user_name: str | None = None


class SecurityContext(Struct):
    allow_privilege_escalation: bool | None = None
    app_armor_profile: AppArmorProfile | None = None
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    proc_mount: str | None = None
    read_only_root_filesystem: bool | None = None
    run_as_group: Int64 | None = None
    run_as_non_root: bool | None = None
    run_as_user: Int64 | None = None
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: SeccompProfile | None = None
    windows_options: WindowsSecurityContextOptions | None = None


class VolumeDevice(Struct):
    name: str = field(default_factory=empty)
    device_path: str = field(default_factory=empty)


class VolumeMount(Struct):
    name: str = field(default_factory=empty)
    mount_path: str = field(default_factory=empty)
    mount_propagation: str | None = None
    read_only: bool = False
    recursive_read_only: str | None = None
    sub_path: str = ""
    sub_path_expr: str = ""


class Container(Struct):
    name: str = field(default_factory=empty)
    args: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    command: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    env: Annotated[tuple[EnvVar, ...], ListMap("name"), Patch("merge", key="name")] = ()
    env_from: Annotated[tuple[EnvFromSource, ...], LIST_ATOMIC] = ()
    image: str = ""
    image_pull_policy: str = ""
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = None
    ports: Annotated[
        tuple[ContainerPort, ...], ListMap("containerPort", "protocol"), Patch("merge", key="containerPort")
    ] = ()
    readiness_probe: Probe | None = None
    resize_policy: Annotated[tuple[ContainerResizePolicy, ...], LIST_ATOMIC] = ()
    resources: ResourceRequirements = field(default_factory=ResourceRequirements)
    restart_policy: str | None = None
    restart_policy_rules: Annotated[tuple[ContainerRestartRule, ...], LIST_ATOMIC] = ()
    security_context: SecurityContext | None = None
    startup_probe: Probe | None = None
    stdin: bool = False
    stdin_once: bool = False
    termination_message_path: str = ""
    termination_message_policy: str = ""
    tty: bool = False
    volume_devices: Annotated[tuple[VolumeDevice, ...], ListMap("devicePath"), Patch("merge", key="devicePath")] = ()
    volume_mounts: Annotated[tuple[VolumeMount, ...], ListMap("mountPath"), Patch("merge", key="mountPath")] = ()
    working_dir: str = ""


class ContainerExtendedResourceRequest(Struct):
    container_name: str = field(default_factory=empty)
    request_name: str = field(default_factory=empty)
    resource_name: str = field(default_factory=empty)


class ContainerImage(Struct):
    names: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    size_bytes: Int64 = 0


class ContainerStateRunning(Struct):
    started_at: Time | None = field(default_factory=null)


class ContainerStateTerminated(Struct):
    container_id: str = field(default="", name="containerID")
    exit_code: Int32 = field(default_factory=zero)
    finished_at: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    signal: Int32 = 0
    started_at: Time | None = field(default_factory=null)


class ContainerStateWaiting(Struct):
    message: str = ""
    reason: str = ""


class ContainerState(Struct):
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None
    waiting: ContainerStateWaiting | None = None


class LinuxContainerUser(Struct):
    gid: Int64 = field(default_factory=zero)
    supplemental_groups: Annotated[tuple[Int64, ...], LIST_ATOMIC] = ()
    uid: Int64 = field(default_factory=zero)


class ContainerUser(Struct):
    linux: LinuxContainerUser | None = None


class ResourceHealth(Struct):
    health: str = ""
    message: str = ""
    resource_id: str = field(default_factory=empty, name="resourceID")


class ResourceStatus(Struct):
    name: str = field(default_factory=empty)
    resources: Annotated[tuple[ResourceHealth, ...], ListMap("resourceID")] = ()


class ImageVolumeStatus(Struct):
    image_ref: str = field(default_factory=empty)


class VolumeStatus(Struct):
    image: ImageVolumeStatus | None = None


class VolumeMountStatus(Struct):
    name: str = field(default_factory=empty)
    mount_path: str = field(default_factory=empty)
    read_only: bool = False
    recursive_read_only: str | None = None
    volume_status: VolumeStatus | None = None


class ContainerStatus(Struct):
    name: str = field(default_factory=empty)
    allocated_resources: Mapping[str, Quantity] = {}
    allocated_resources_status: Annotated[tuple[ResourceStatus, ...], ListMap("name"), Patch("merge", key="name")] = ()
    container_id: str = field(default="", name="containerID")
    image: str = field(default_factory=empty)
    image_id: str = field(default_factory=empty, name="imageID")
    last_state: ContainerState = field(default_factory=ContainerState)
    ready: bool = field(default_factory=false)
    resources: ResourceRequirements | None = None
    restart_count: Int32 = field(default_factory=zero)
    started: bool | None = None
    state: ContainerState = field(default_factory=ContainerState)
    stop_signal: str | None = None
    user: ContainerUser | None = None
    volume_mounts: Annotated[tuple[VolumeMountStatus, ...], ListMap("mountPath"), Patch("merge", key="mountPath")] = ()


class DaemonEndpoint(Struct):
    port: Int32 = field(default_factory=zero, name="Port")


class DownwardAPIVolumeFile(Struct):
    field_ref: ObjectFieldSelector | None = None
    mode: Int32 | None = None
    path: str = field(default_factory=empty)
    resource_field_ref: ResourceFieldSelector | None = None


class DownwardAPIProjection(Struct):
    items: Annotated[tuple[DownwardAPIVolumeFile, ...], LIST_ATOMIC] = ()


class DownwardAPIVolumeSource(Struct):
    default_mode: Int32 | None = None
    items: Annotated[tuple[DownwardAPIVolumeFile, ...], LIST_ATOMIC] = ()


class EmptyDirVolumeSource(Struct):
    medium: str = ""
    size_limit: Quantity | None = None


class EndpointAddress(Struct):
    __map_type__: ClassVar[str] = "atomic"

    hostname: str = ""
    ip: str = field(default_factory=empty)
    node_name: str | None = None
    target_ref: ObjectReference | None = None


class EndpointPort(Struct):
    __map_type__: ClassVar[str] = "atomic"

    name: str = ""
    app_protocol: str | None = None
    port: Int32 = field(default_factory=zero)
    protocol: str = ""


class EndpointSubset(Struct):
    addresses: Annotated[tuple[EndpointAddress, ...], LIST_ATOMIC] = ()
    not_ready_addresses: Annotated[tuple[EndpointAddress, ...], LIST_ATOMIC] = ()
    ports: Annotated[tuple[EndpointPort, ...], LIST_ATOMIC] = ()


class Endpoints(Object):
    subsets: Annotated[tuple[EndpointSubset, ...], LIST_ATOMIC] = ()


class EphemeralContainer(Struct):
    name: str = field(default_factory=empty)
    args: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    command: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    env: Annotated[tuple[EnvVar, ...], ListMap("name"), Patch("merge", key="name")] = ()
    env_from: Annotated[tuple[EnvFromSource, ...], LIST_ATOMIC] = ()
    image: str = ""
    image_pull_policy: str = ""
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = None
    ports: Annotated[
        tuple[ContainerPort, ...], ListMap("containerPort", "protocol"), Patch("merge", key="containerPort")
    ] = ()
    readiness_probe: Probe | None = None
    resize_policy: Annotated[tuple[ContainerResizePolicy, ...], LIST_ATOMIC] = ()
    resources: ResourceRequirements = field(default_factory=ResourceRequirements)
    restart_policy: str | None = None
    restart_policy_rules: Annotated[tuple[ContainerRestartRule, ...], LIST_ATOMIC] = ()
    security_context: SecurityContext | None = None
    startup_probe: Probe | None = None
    stdin: bool = False
    stdin_once: bool = False
    target_container_name: str = ""
    termination_message_path: str = ""
    termination_message_policy: str = ""
    tty: bool = False
    volume_devices: Annotated[tuple[VolumeDevice, ...], ListMap("devicePath"), Patch("merge", key="devicePath")] = ()
    volume_mounts: Annotated[tuple[VolumeMount, ...], ListMap("mountPath"), Patch("merge", key="mountPath")] = ()
    working_dir: str = ""


class TypedLocalObjectReference(Struct):
    __map_type__: ClassVar[str] = "atomic"

    name: str = field(default_factory=empty)
    api_group: str | None = field(default_factory=null)
    kind: str = field(default_factory=empty)


class TypedObjectReference(Struct):
    name: str = field(default_factory=empty)
    namespace: str | None = None
    api_group: str | None = field(default_factory=null)
    kind: str = field(default_factory=empty)


class VolumeResourceRequirements(Struct):
    limits: Mapping[str, Quantity] = {}
    requests: Mapping[str, Quantity] = {}


class PersistentVolumeClaimSpec(Struct):
    access_modes: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    data_source: TypedLocalObjectReference | None = None
    data_source_ref: TypedObjectReference | None = None
    resources: VolumeResourceRequirements = field(default_factory=VolumeResourceRequirements)
    selector: LabelSelector | None = None
    storage_class_name: str | None = None
    volume_attributes_class_name: str | None = None
    volume_mode: str | None = None
    volume_name: str = ""


class PersistentVolumeClaimTemplate(Struct):
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: PersistentVolumeClaimSpec = field(default_factory=PersistentVolumeClaimSpec)


class EphemeralVolumeSource(Struct):
    volume_claim_template: PersistentVolumeClaimTemplate | None = None


class EventSeries(Struct):
    count: Int32 = 0
    last_observed_time: MicroTime | None = field(default_factory=null)


class EventSource(Struct):
    component: str = ""
    host: str = ""


class Event(Object):
    type: str = ""
    action: str = ""
    count: Int32 = 0
    event_time: MicroTime | None = field(default_factory=null)
    first_timestamp: Time | None = field(default_factory=null)
    involved_object: ObjectReference = field(default_factory=ObjectReference)
    last_timestamp: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    related: ObjectReference | None = None
    reporting_component: str = field(default_factory=empty)
    reporting_instance: str = field(default_factory=empty)
    series: EventSeries | None = None
    source: EventSource = field(default_factory=EventSource)


class FCVolumeSource(Struct):
    fs_type: str = ""
    lun: Int32 | None = None
    read_only: bool = False
    target_ww_ns: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default=(), name="targetWWNs")
    wwids: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class FlexPersistentVolumeSource(Struct):
    driver: str = field(default_factory=empty)
    fs_type: str = ""
    options: Mapping[str, str] = {}
    read_only: bool = False
    secret_ref: SecretReference | None = None


class FlexVolumeSource(Struct):
    driver: str = field(default_factory=empty)
    fs_type: str = ""
    options: Mapping[str, str] = {}
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class FlockerVolumeSource(Struct):
    dataset_name: str = ""
    dataset_uuid: str = field(default="", name="datasetUUID")


class GCEPersistentDiskVolumeSource(Struct):
    fs_type: str = ""
    partition: Int32 = 0
    pd_name: str = field(default_factory=empty)
    read_only: bool = False


class GitRepoVolumeSource(Struct):
    directory: str = ""
    repository: str = field(default_factory=empty)
    revision: str = ""


class GlusterfsPersistentVolumeSource(Struct):
    endpoints: str = field(default_factory=empty)
    endpoints_namespace: str = ""
    path: str = field(default_factory=empty)
    read_only: bool = False


class GlusterfsVolumeSource(Struct):
    endpoints: str = field(default_factory=empty)
    path: str = field(default_factory=empty)
    read_only: bool = False


class HostAlias(Struct):
    hostnames: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    ip: str = field(default_factory=empty)


class HostIP(Struct):
    ip: str = field(default_factory=empty)


class HostPathVolumeSource(Struct):
    type: str | None = None
    path: str = field(default_factory=empty)


class ISCSIPersistentVolumeSource(Struct):
    chap_auth_discovery: bool = False
    chap_auth_session: bool = False
    fs_type: str = ""
    initiator_name: str = ""
    iqn: str = field(default_factory=empty)
    iscsi_interface: str = ""
    lun: Int32 = field(default_factory=zero)
    portals: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    read_only: bool = False
    secret_ref: SecretReference | None = None
    target_portal: str = field(default_factory=empty)


class ISCSIVolumeSource(Struct):
    chap_auth_discovery: bool = False
    chap_auth_session: bool = False
    fs_type: str = ""
    initiator_name: str = ""
    iqn: str = field(default_factory=empty)
    iscsi_interface: str = ""
    lun: Int32 = field(default_factory=zero)
    portals: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    target_portal: str = field(default_factory=empty)


class ImageVolumeSource(Struct):
    pull_policy: str = ""
    reference: str = ""


class LimitRangeItem(Struct):
    type: str = field(default_factory=empty)
    default: Mapping[str, Quantity] = {}
    default_request: Mapping[str, Quantity] = {}
    max: Mapping[str, Quantity] = {}
    max_limit_request_ratio: Mapping[str, Quantity] = {}
    min: Mapping[str, Quantity] = {}


class LimitRangeSpec(Struct):
    limits: Annotated[tuple[LimitRangeItem, ...] | None, LIST_ATOMIC] = field(default_factory=null)


class LimitRange(Object):
    spec: LimitRangeSpec = field(default_factory=LimitRangeSpec)


class PortStatus(Struct):
    error: str | None = None
    port: Int32 = field(default_factory=zero)
    protocol: str = field(default_factory=empty)


class LoadBalancerIngress(Struct):
    hostname: str = ""
    ip: str = ""
    ip_mode: str | None = None
    ports: Annotated[tuple[PortStatus, ...], LIST_ATOMIC] = ()


class LoadBalancerStatus(Struct):
    ingress: Annotated[tuple[LoadBalancerIngress, ...], LIST_ATOMIC] = ()


class LocalVolumeSource(Struct):
    fs_type: str | None = None
    path: str = field(default_factory=empty)


class ModifyVolumeStatus(Struct):
    target_volume_attributes_class_name: str = ""
    status: str = field(default_factory=empty)


class NFSVolumeSource(Struct):
    path: str = field(default_factory=empty)
    read_only: bool = False
    server: str = field(default_factory=empty)


class NamespaceSpec(Struct):
    finalizers: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class NamespaceCondition(Struct):
    type: str = field(default_factory=empty)
    last_transition_time: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    status: str = field(default_factory=empty)


class NamespaceStatus(Struct):
    conditions: Annotated[tuple[NamespaceCondition, ...], ListMap("type"), Patch("merge", key="type")] = ()
    phase: str = ""


class Namespace(Object):
    spec: NamespaceSpec = field(default_factory=NamespaceSpec)
    status: NamespaceStatus = field(default_factory=NamespaceStatus)


class NodeConfigSource(Struct):
    config_map: ConfigMapNodeConfigSource | None = None


class Taint(Struct):
    key: str = field(default_factory=empty)
    effect: str = field(default_factory=empty)
    time_added: Time | None = None
    value: str = ""


class NodeSpec(Struct):
    config_source: NodeConfigSource | None = None
    external_id: str = field(default="", name="externalID")
    pod_cidr: str = field(default="", name="podCIDR")
    pod_cidrs: Annotated[tuple[str, ...], LIST_SET, Patch("merge")] = field(default=(), name="podCIDRs")
    provider_id: str = field(default="", name="providerID")
    taints: Annotated[tuple[Taint, ...], LIST_ATOMIC] = ()
    unschedulable: bool = False


class NodeAddress(Struct):
    type: str = field(default_factory=empty)
    address: str = field(default_factory=empty)


class NodeCondition(Struct):
    type: str = field(default_factory=empty)
    last_heartbeat_time: Time | None = field(default_factory=null)
    last_transition_time: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    status: str = field(default_factory=empty)


class NodeConfigStatus(Struct):
    active: NodeConfigSource | None = None
    assigned: NodeConfigSource | None = None
    error: str = ""
    last_known_good: NodeConfigSource | None = None


class NodeDaemonEndpoints(Struct):
    kubelet_endpoint: DaemonEndpoint = field(default_factory=DaemonEndpoint)


class NodeFeatures(Struct):
    supplemental_groups_policy: bool | None = None


class NodeRuntimeHandlerFeatures(Struct):
    recursive_read_only_mounts: bool | None = None
    user_namespaces: bool | None = None


class NodeRuntimeHandler(Struct):
    name: str = ""
    features: NodeRuntimeHandlerFeatures | None = None


class NodeSwapStatus(Struct):
    capacity: Int64 | None = None


class NodeSystemInfo(Struct):
    architecture: str = field(default_factory=empty)
    boot_id: str = field(default_factory=empty, name="bootID")
    container_runtime_version: str = field(default_factory=empty)
    kernel_version: str = field(default_factory=empty)
    kube_proxy_version: str = field(default_factory=empty)
    kubelet_version: str = field(default_factory=empty)
    machine_id: str = field(default_factory=empty, name="machineID")
    operating_system: str = field(default_factory=empty)
    os_image: str = field(default_factory=empty)
    swap: NodeSwapStatus | None = None
    system_uuid: str = field(default_factory=empty, name="systemUUID")


class NodeStatus(Struct):
    addresses: Annotated[tuple[NodeAddress, ...], ListMap("type"), Patch("merge", key="type")] = ()
    allocatable: Mapping[str, Quantity] = {}
    capacity: Mapping[str, Quantity] = {}
    conditions: Annotated[tuple[NodeCondition, ...], ListMap("type"), Patch("merge", key="type")] = ()
    config: NodeConfigStatus | None = None
    daemon_endpoints: NodeDaemonEndpoints = field(default_factory=NodeDaemonEndpoints)
    declared_features: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    features: NodeFeatures | None = None
    images: Annotated[tuple[ContainerImage, ...], LIST_ATOMIC] = ()
    node_info: NodeSystemInfo = field(default_factory=NodeSystemInfo)
    phase: str = ""
    runtime_handlers: Annotated[tuple[NodeRuntimeHandler, ...], LIST_ATOMIC] = ()
    volumes_attached: Annotated[tuple[AttachedVolume, ...], LIST_ATOMIC] = ()
    volumes_in_use: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class Node(Object):
    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)


class NodeAllocatableResourceClaimStatus(Struct):
    containers: Annotated[tuple[str, ...], LIST_SET] = ()
    resource_claim_name: str | None = field(default_factory=null)
    resources: Mapping[str, Quantity] = field(default_factory=empty_map)


class PhotonPersistentDiskVolumeSource(Struct):
    fs_type: str = ""
    pd_id: str = field(default_factory=empty, name="pdID")


class PortworxVolumeSource(Struct):
    fs_type: str = ""
    read_only: bool = False
    volume_id: str = field(default_factory=empty, name="volumeID")


class QuobyteVolumeSource(Struct):
    group: str = ""
    read_only: bool = False
    registry: str = field(default_factory=empty)
    tenant: str = ""
    user: str = ""
    volume: str = field(default_factory=empty)


class RBDPersistentVolumeSource(Struct):
    fs_type: str = ""
    image: str = field(default_factory=empty)
    keyring: str = ""
    monitors: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)
    pool: str = ""
    read_only: bool = False
    secret_ref: SecretReference | None = None
    user: str = ""


class ScaleIOPersistentVolumeSource(Struct):
    fs_type: str = ""
    gateway: str = field(default_factory=empty)
    protection_domain: str = ""
    read_only: bool = False
    secret_ref: SecretReference = field(default_factory=SecretReference)
    ssl_enabled: bool = False
    storage_mode: str = ""
    storage_pool: str = ""
    system: str = field(default_factory=empty)
    volume_name: str = ""


class StorageOSPersistentVolumeSource(Struct):
    fs_type: str = ""
    read_only: bool = False
    secret_ref: ObjectReference | None = None
    volume_name: str = ""
    volume_namespace: str = ""


class VolumeNodeAffinity(Struct):
    required: NodeSelector | None = None


class VsphereVirtualDiskVolumeSource(Struct):
    fs_type: str = ""
    storage_policy_id: str = field(default="", name="storagePolicyID")
    storage_policy_name: str = ""
    volume_path: str = field(default_factory=empty)


class PersistentVolumeSpec(Struct):
    access_modes: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    azure_file: AzureFilePersistentVolumeSource | None = None
    capacity: Mapping[str, Quantity] = {}
    cephfs: CephFSPersistentVolumeSource | None = None
    cinder: CinderPersistentVolumeSource | None = None
    claim_ref: ObjectReference | None = None
    csi: CSIPersistentVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexPersistentVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    glusterfs: GlusterfsPersistentVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    iscsi: ISCSIPersistentVolumeSource | None = None
    local: LocalVolumeSource | None = None
    mount_options: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    nfs: NFSVolumeSource | None = None
    node_affinity: VolumeNodeAffinity | None = None
    persistent_volume_reclaim_policy: str = ""
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDPersistentVolumeSource | None = None
    scale_io: ScaleIOPersistentVolumeSource | None = field(default=None, name="scaleIO")
    storage_class_name: str = ""
    storageos: StorageOSPersistentVolumeSource | None = None
    volume_attributes_class_name: str | None = None
    volume_mode: str | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None


class PersistentVolumeStatus(Struct):
    last_phase_transition_time: Time | None = None
    message: str = ""
    phase: str = ""
    reason: str = ""


class PersistentVolume(Object):
    spec: PersistentVolumeSpec = field(default_factory=PersistentVolumeSpec)
    status: PersistentVolumeStatus = field(default_factory=PersistentVolumeStatus)


class PersistentVolumeClaimCondition(Struct):
    type: str = field(default_factory=empty)
    last_probe_time: Time | None = field(default_factory=null)
    last_transition_time: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    status: str = field(default_factory=empty)


class PersistentVolumeClaimStatus(Struct):
    access_modes: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    allocated_resource_statuses: Mapping[str, str] = {}
    allocated_resources: Mapping[str, Quantity] = {}
    capacity: Mapping[str, Quantity] = {}
    conditions: Annotated[tuple[PersistentVolumeClaimCondition, ...], ListMap("type"), Patch("merge", key="type")] = ()
    current_volume_attributes_class_name: str | None = None
    modify_volume_status: ModifyVolumeStatus | None = None
    phase: str = ""


class PersistentVolumeClaim(Object):
    spec: PersistentVolumeClaimSpec = field(default_factory=PersistentVolumeClaimSpec)
    status: PersistentVolumeClaimStatus = field(default_factory=PersistentVolumeClaimStatus)


class PersistentVolumeClaimVolumeSource(Struct):
    claim_name: str = field(default_factory=empty)
    read_only: bool = False


class PodDNSConfigOption(Struct):
    name: str = ""
    value: str | None = None


class PodDNSConfig(Struct):
    nameservers: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    options: Annotated[tuple[PodDNSConfigOption, ...], LIST_ATOMIC] = ()
    searches: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class PodOS(Struct):
    name: str = field(default_factory=empty)


class PodReadinessGate(Struct):
    condition_type: str = field(default_factory=empty)


class PodResourceClaim(Struct):
    name: str = field(default_factory=empty)
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class PodSchedulingGate(Struct):
    name: str = field(default_factory=empty)


class PodSchedulingGroup(Struct):
    pod_group_name: str | None = None


class Sysctl(Struct):
    name: str = field(default_factory=empty)
    value: str = field(default_factory=empty)


class PodSecurityContext(Struct):
    app_armor_profile: AppArmorProfile | None = None
    fs_group: Int64 | None = None
    fs_group_change_policy: str | None = None
    run_as_group: Int64 | None = None
    run_as_non_root: bool | None = None
    run_as_user: Int64 | None = None
    se_linux_change_policy: str | None = None
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: SeccompProfile | None = None
    supplemental_groups: Annotated[tuple[Int64, ...], LIST_ATOMIC] = ()
    supplemental_groups_policy: str | None = None
    sysctls: Annotated[tuple[Sysctl, ...], LIST_ATOMIC] = ()
    windows_options: WindowsSecurityContextOptions | None = None


class Toleration(Struct):
    key: str = ""
    effect: str = ""
    operator: str = ""
    toleration_seconds: Int64 | None = None
    value: str = ""


class TopologySpreadConstraint(Struct):
    label_selector: LabelSelector | None = None
    match_label_keys: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    max_skew: Int32 = field(default_factory=zero)
    min_domains: Int32 | None = None
    node_affinity_policy: str | None = None
    node_taints_policy: str | None = None
    topology_key: str = field(default_factory=empty)
    when_unsatisfiable: str = field(default_factory=empty)


class PodCertificateProjection(Struct):
    certificate_chain_path: str = ""
    credential_bundle_path: str = ""
    key_path: str = ""
    key_type: str = field(default_factory=empty)
    max_expiration_seconds: Int32 | None = None
    signer_name: str = field(default_factory=empty)
    user_annotations: Mapping[str, str] = {}


class SecretProjection(Struct):
    name: str = ""
    items: Annotated[tuple[KeyToPath, ...], LIST_ATOMIC] = ()
    optional: bool | None = None


class ServiceAccountTokenProjection(Struct):
    audience: str = ""
    expiration_seconds: Int64 | None = None
    path: str = field(default_factory=empty)


class VolumeProjection(Struct):
    cluster_trust_bundle: ClusterTrustBundleProjection | None = None
    config_map: ConfigMapProjection | None = None
    downward_api: DownwardAPIProjection | None = field(default=None, name="downwardAPI")
    pod_certificate: PodCertificateProjection | None = None
    secret: SecretProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = None


class ProjectedVolumeSource(Struct):
    default_mode: Int32 | None = None
    sources: Annotated[tuple[VolumeProjection, ...], LIST_ATOMIC] = ()


class RBDVolumeSource(Struct):
    fs_type: str = ""
    image: str = field(default_factory=empty)
    keyring: str = ""
    monitors: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)
    pool: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class ScaleIOVolumeSource(Struct):
    fs_type: str = ""
    gateway: str = field(default_factory=empty)
    protection_domain: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference = field(default_factory=LocalObjectReference)
    ssl_enabled: bool = False
    storage_mode: str = ""
    storage_pool: str = ""
    system: str = field(default_factory=empty)
    volume_name: str = ""


class SecretVolumeSource(Struct):
    default_mode: Int32 | None = None
    items: Annotated[tuple[KeyToPath, ...], LIST_ATOMIC] = ()
    optional: bool | None = None
    secret_name: str = ""


class StorageOSVolumeSource(Struct):
    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None
    volume_name: str = ""
    volume_namespace: str = ""


class Volume(Struct):
    name: str = field(default_factory=empty)
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    azure_file: AzureFileVolumeSource | None = None
    cephfs: CephFSVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = None
    csi: CSIVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = field(default=None, name="downwardAPI")
    empty_dir: EmptyDirVolumeSource | None = None
    ephemeral: EphemeralVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    git_repo: GitRepoVolumeSource | None = None
    glusterfs: GlusterfsVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    image: ImageVolumeSource | None = None
    iscsi: ISCSIVolumeSource | None = None
    nfs: NFSVolumeSource | None = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    scale_io: ScaleIOVolumeSource | None = field(default=None, name="scaleIO")
    secret: SecretVolumeSource | None = None
    storageos: StorageOSVolumeSource | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None


class PodSpec(Struct):
    active_deadline_seconds: Int64 | None = None
    affinity: Affinity | None = None
    automount_service_account_token: bool | None = None
    containers: Annotated[tuple[Container, ...], ListMap("name"), Patch("merge", key="name")] = field(
        default_factory=empty_tuple
    )
    dns_config: PodDNSConfig | None = None
    dns_policy: str = ""
    enable_service_links: bool | None = None
    ephemeral_containers: Annotated[tuple[EphemeralContainer, ...], ListMap("name"), Patch("merge", key="name")] = ()
    host_aliases: Annotated[tuple[HostAlias, ...], ListMap("ip"), Patch("merge", key="ip")] = ()
    host_ipc: bool = field(default=False, name="hostIPC")
    host_network: bool = False
    host_pid: bool = field(default=False, name="hostPID")
    host_users: bool | None = None
    hostname: str = ""
    hostname_override: str | None = None
    image_pull_secrets: Annotated[tuple[LocalObjectReference, ...], ListMap("name"), Patch("merge", key="name")] = ()
    init_containers: Annotated[tuple[Container, ...], ListMap("name"), Patch("merge", key="name")] = ()
    node_name: str = ""
    node_selector: Annotated[Mapping[str, str], MAP_ATOMIC] = {}
    os: PodOS | None = None
    overhead: Mapping[str, Quantity] = {}
    preemption_policy: str | None = None
    priority: Int32 | None = None
    priority_class_name: str = ""
    readiness_gates: Annotated[tuple[PodReadinessGate, ...], LIST_ATOMIC] = ()
    resource_claims: Annotated[
        tuple[PodResourceClaim, ...], ListMap("name"), Patch("merge,retainKeys", key="name")
    ] = ()
    resources: ResourceRequirements | None = None
    restart_policy: str = ""
    runtime_class_name: str | None = None
    scheduler_name: str = ""
    scheduling_gates: Annotated[tuple[PodSchedulingGate, ...], ListMap("name"), Patch("merge", key="name")] = ()
    scheduling_group: PodSchedulingGroup | None = None
    security_context: PodSecurityContext | None = None
    service_account: str = ""
    service_account_name: str = ""
    set_hostname_as_fqdn: bool | None = field(default=None, name="setHostnameAsFQDN")
    share_process_namespace: bool | None = None
    subdomain: str = ""
    termination_grace_period_seconds: Int64 | None = None
    tolerations: Annotated[tuple[Toleration, ...], LIST_ATOMIC] = ()
    topology_spread_constraints: Annotated[
        tuple[TopologySpreadConstraint, ...],
        ListMap("topologyKey", "whenUnsatisfiable"),
        Patch("merge", key="topologyKey"),
    ] = ()
    volumes: Annotated[tuple[Volume, ...], ListMap("name"), Patch("merge,retainKeys", key="name")] = ()


class PodCondition(Struct):
    type: str = field(default_factory=empty)
    last_probe_time: Time | None = field(default_factory=null)
    last_transition_time: Time | None = field(default_factory=null)
    message: str = ""
    observed_generation: Int64 = 0
    reason: str = ""
    status: str = field(default_factory=empty)


class PodExtendedResourceClaimStatus(Struct):
    request_mappings: Annotated[tuple[ContainerExtendedResourceRequest, ...], LIST_ATOMIC] = field(
        default_factory=empty_tuple
    )
    resource_claim_name: str | None = field(default_factory=null)


class PodIP(Struct):
    ip: str = field(default_factory=empty)


class PodResourceClaimStatus(Struct):
    name: str = field(default_factory=empty)
    resource_claim_name: str | None = None


class PodStatus(Struct):
    allocated_resources: Mapping[str, Quantity] = {}
    conditions: Annotated[tuple[PodCondition, ...], ListMap("type"), Patch("merge", key="type")] = ()
    container_statuses: Annotated[tuple[ContainerStatus, ...], LIST_ATOMIC] = ()
    ephemeral_container_statuses: Annotated[tuple[ContainerStatus, ...], LIST_ATOMIC] = ()
    extended_resource_claim_status: PodExtendedResourceClaimStatus | None = None
    host_ip: str = field(default="", name="hostIP")
    host_ips: Annotated[tuple[HostIP, ...], LIST_ATOMIC, Patch("merge", key="ip")] = field(default=(), name="hostIPs")
    init_container_statuses: Annotated[tuple[ContainerStatus, ...], LIST_ATOMIC] = ()
    message: str = ""
    node_allocatable_resource_claim_statuses: Annotated[
        tuple[NodeAllocatableResourceClaimStatus, ...], LIST_ATOMIC
    ] = ()
    nominated_node_name: str = ""
    observed_generation: Int64 = 0
    phase: str = ""
    pod_ip: str = field(default="", name="podIP")
    pod_ips: Annotated[tuple[PodIP, ...], ListMap("ip"), Patch("merge", key="ip")] = field(default=(), name="podIPs")
    qos_class: str = ""
    reason: str = ""
    resize: str = ""
    resource_claim_statuses: Annotated[
        tuple[PodResourceClaimStatus, ...], ListMap("name"), Patch("merge,retainKeys", key="name")
    ] = ()
    resources: ResourceRequirements | None = None
    start_time: Time | None = None


class Pod(Object):
    spec: PodSpec = field(default_factory=PodSpec)
    status: PodStatus = field(default_factory=PodStatus)


class PodTemplateSpec(Struct):
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: PodSpec = field(default_factory=PodSpec)


class PodTemplate(Object):
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)


class ReplicationControllerSpec(Struct):
    min_ready_seconds: Int32 = 0
    replicas: Int32 | None = None
    selector: Annotated[Mapping[str, str], MAP_ATOMIC] = {}
    template: PodTemplateSpec | None = None


class ReplicationControllerCondition(Struct):
    type: str = field(default_factory=empty)
    last_transition_time: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    status: str = field(default_factory=empty)


class ReplicationControllerStatus(Struct):
    available_replicas: Int32 = 0
    conditions: Annotated[tuple[ReplicationControllerCondition, ...], ListMap("type"), Patch("merge", key="type")] = ()
    fully_labeled_replicas: Int32 = 0
    observed_generation: Int64 = 0
    ready_replicas: Int32 = 0
    replicas: Int32 = field(default_factory=zero)


class ReplicationController(Object):
    spec: ReplicationControllerSpec = field(default_factory=ReplicationControllerSpec)
    status: ReplicationControllerStatus = field(default_factory=ReplicationControllerStatus)


class ScopedResourceSelectorRequirement(Struct):
    operator: str = field(default_factory=empty)
    scope_name: str = field(default_factory=empty)
    values: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class ScopeSelector(Struct):
    __map_type__: ClassVar[str] = "atomic"

    match_expressions: Annotated[tuple[ScopedResourceSelectorRequirement, ...], LIST_ATOMIC] = ()


class ResourceQuotaSpec(Struct):
    hard: Mapping[str, Quantity] = {}
    scope_selector: ScopeSelector | None = None
    scopes: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class ResourceQuotaStatus(Struct):
    hard: Mapping[str, Quantity] = {}
    used: Mapping[str, Quantity] = {}


class ResourceQuota(Object):
    spec: ResourceQuotaSpec = field(default_factory=ResourceQuotaSpec)
    status: ResourceQuotaStatus = field(default_factory=ResourceQuotaStatus)


class Secret(Object):
    type: str = ""
    data: Mapping[str, Base64] = {}
    immutable: bool | None = None
    string_data: Mapping[str, str] = {}


class ServicePort(Struct):
    name: str = ""
    app_protocol: str | None = None
    node_port: Int32 = 0
    port: Int32 = field(default_factory=zero)
    protocol: str = ""
    target_port: IntOrString = field(default_factory=zero)


class SessionAffinityConfig(Struct):
    client_ip: ClientIPConfig | None = field(default=None, name="clientIP")


class ServiceSpec(Struct):
    type: str = ""
    allocate_load_balancer_node_ports: bool | None = None
    cluster_ip: str = field(default="", name="clusterIP")
    cluster_ips: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default=(), name="clusterIPs")
    external_ips: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default=(), name="externalIPs")
    external_name: str = ""
    external_traffic_policy: str = ""
    health_check_node_port: Int32 = 0
    internal_traffic_policy: str | None = None
    ip_families: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    ip_family_policy: str | None = None
    load_balancer_class: str | None = None
    load_balancer_ip: str = field(default="", name="loadBalancerIP")
    load_balancer_source_ranges: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    ports: Annotated[tuple[ServicePort, ...], ListMap("port", "protocol"), Patch("merge", key="port")] = ()
    publish_not_ready_addresses: bool = False
    selector: Annotated[Mapping[str, str], MAP_ATOMIC] = {}
    session_affinity: str = ""
    session_affinity_config: SessionAffinityConfig | None = None
    traffic_distribution: str | None = None


class ServiceStatus(Struct):
    conditions: Annotated[tuple[Condition, ...], ListMap("type"), Patch("merge", key="type")] = ()
    load_balancer: LoadBalancerStatus = field(default_factory=LoadBalancerStatus)


class Service(Object):
    spec: ServiceSpec = field(default_factory=ServiceSpec)
    status: ServiceStatus = field(default_factory=ServiceStatus)


class ServiceAccount(Object):
    automount_service_account_token: bool | None = None
    image_pull_secrets: Annotated[tuple[LocalObjectReference, ...], LIST_ATOMIC] = ()
    secrets: Annotated[tuple[ObjectReference, ...], ListMap("name"), Patch("merge", key="name")] = ()


class TopologySelectorLabelRequirement(Struct):
    key: str = field(default_factory=empty)
    values: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class TopologySelectorTerm(Struct):
    __map_type__: ClassVar[str] = "atomic"

    match_label_expressions: Annotated[tuple[TopologySelectorLabelRequirement, ...], LIST_ATOMIC] = ()
