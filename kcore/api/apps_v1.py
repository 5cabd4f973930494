"""The types of apps/v1."""

from typing import Annotated

from msgspec import field

from kcore.api.core_v1 import PersistentVolumeClaim, PodTemplateSpec
from kcore.api.meta_v1 import LabelSelector
from kcore.api.object import Object
from kcore.api.schema import (
    LIST_ATOMIC,
    Int32,
    Int64,
    IntOrString,
    ListMap,
    Patch,
    RawExtension,
    Struct,
    Time,
    empty,
    null,
    zero,
)


class ControllerRevision(Object):
    data: RawExtension = None
    revision: Int64 = field(default_factory=zero)


class RollingUpdateDaemonSet(Struct):
    max_surge: IntOrString | None = None
    max_unavailable: IntOrString | None = None


class DaemonSetUpdateStrategy(Struct):
    type: str = ""
    rolling_update: RollingUpdateDaemonSet | None = None


class DaemonSetSpec(Struct):
    min_ready_seconds: Int32 = 0
    revision_history_limit: Int32 | None = None
    selector: LabelSelector | None = field(default_factory=null)
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)
    update_strategy: DaemonSetUpdateStrategy = field(default_factory=DaemonSetUpdateStrategy)


class DaemonSetCondition(Struct):
    type: str = field(default_factory=empty)
    last_transition_time: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    status: str = field(default_factory=empty)


class DaemonSetStatus(Struct):
    collision_count: Int32 | None = None
    conditions: Annotated[tuple[DaemonSetCondition, ...], ListMap("type"), Patch("merge", key="type")] = ()
    current_number_scheduled: Int32 = field(default_factory=zero)
    desired_number_scheduled: Int32 = field(default_factory=zero)
    number_available: Int32 = 0
    number_misscheduled: Int32 = field(default_factory=zero)
    number_ready: Int32 = field(default_factory=zero)
    number_unavailable: Int32 = 0
    observed_generation: Int64 = 0
    updated_number_scheduled: Int32 = 0


class DaemonSet(Object):
    spec: DaemonSetSpec = field(default_factory=DaemonSetSpec)
    status: DaemonSetStatus = field(default_factory=DaemonSetStatus)


class RollingUpdateDeployment(Struct):
    max_surge: IntOrString | None = None
    max_unavailable: IntOrString | None = None


class DeploymentStrategy(Struct):
    type: str = ""
    rolling_update: RollingUpdateDeployment | None = None


class DeploymentSpec(Struct):
    min_ready_seconds: Int32 = 0
    paused: bool = False
    progress_deadline_seconds: Int32 | None = None
    replicas: Int32 | None = None
    revision_history_limit: Int32 | None = None
    selector: LabelSelector | None = field(default_factory=null)
    strategy: Annotated[DeploymentStrategy, Patch("retainKeys")] = field(default_factory=DeploymentStrategy)
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)


class DeploymentCondition(Struct):
    type: str = field(default_factory=empty)
    last_transition_time: Time | None = field(default_factory=null)
    last_update_time: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    status: str = field(default_factory=empty)


class DeploymentStatus(Struct):
    available_replicas: Int32 = 0
    collision_count: Int32 | None = None
    conditions: Annotated[tuple[DeploymentCondition, ...], ListMap("type"), Patch("merge", key="type")] = ()
    observed_generation: Int64 = 0
    ready_replicas: Int32 = 0
    replicas: Int32 = 0
    terminating_replicas: Int32 | None = None
    unavailable_replicas: Int32 = 0
    updated_replicas: Int32 = 0


class Deployment(Object):
    spec: DeploymentSpec = field(default_factory=DeploymentSpec)
    status: DeploymentStatus = field(default_factory=DeploymentStatus)


class ReplicaSetSpec(Struct):
    min_ready_seconds: Int32 = 0
    replicas: Int32 | None = None
    selector: LabelSelector | None = field(default_factory=null)
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)


class ReplicaSetCondition(Struct):
    type: str = field(default_factory=empty)
    last_transition_time: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    status: str = field(default_factory=empty)


class ReplicaSetStatus(Struct):
    available_replicas: Int32 = 0
    conditions: Annotated[tuple[ReplicaSetCondition, ...], ListMap("type"), Patch("merge", key="type")] = ()
    fully_labeled_replicas: Int32 = 0
    observed_generation: Int64 = 0
    ready_replicas: Int32 = 0
    replicas: Int32 = field(default_factory=zero)
    terminating_replicas: Int32 | None = None


class ReplicaSet(Object):
    spec: ReplicaSetSpec = field(default_factory=ReplicaSetSpec)
    status: ReplicaSetStatus = field(default_factory=ReplicaSetStatus)


class RollingUpdateStatefulSetStrategy(Struct):
    max_unavailable: IntOrString | None = None
    partition: Int32 | None = None


class StatefulSetOrdinals(Struct):
    start: Int32 = 0


class StatefulSetPersistentVolumeClaimRetentionPolicy(Struct):
    when_deleted: str = ""
    when_scaled: str = ""


class StatefulSetUpdateStrategy(Struct):
    type: str = ""
    rolling_update: RollingUpdateStatefulSetStrategy | None = None


class StatefulSetSpec(Struct):
    min_ready_seconds: Int32 = 0
    ordinals: StatefulSetOrdinals | None = None
    persistent_volume_claim_retention_policy: StatefulSetPersistentVolumeClaimRetentionPolicy | None = None
    pod_management_policy: str = ""
    replicas: Int32 | None = None
    revision_history_limit: Int32 | None = None
    selector: LabelSelector | None = field(default_factory=null)
    service_name: str = field(default_factory=empty)
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)
    update_strategy: StatefulSetUpdateStrategy = field(default_factory=StatefulSetUpdateStrategy)
    volume_claim_templates: Annotated[tuple[PersistentVolumeClaim, ...], LIST_ATOMIC] = ()


class StatefulSetCondition(Struct):
    type: str = field(default_factory=empty)
    last_transition_time: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    status: str = field(default_factory=empty)


class StatefulSetStatus(Struct):
    available_replicas: Int32 = field(default_factory=zero)
    collision_count: Int32 | None = None
    conditions: Annotated[tuple[StatefulSetCondition, ...], ListMap("type"), Patch("merge", key="type")] = ()
    current_replicas: Int32 = 0
    current_revision: str = ""
    observed_generation: Int64 = 0
    ready_replicas: Int32 = 0
    replicas: Int32 = field(default_factory=zero)
    update_revision: str = ""
    updated_replicas: Int32 = 0


class StatefulSet(Object):
    spec: StatefulSetSpec = field(default_factory=StatefulSetSpec)
    status: StatefulSetStatus = field(default_factory=StatefulSetStatus)
