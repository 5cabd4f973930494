"""The types of flowcontrol/v1."""

from typing import Annotated

from msgspec import field

from kcore.api.object import Object
from kcore.api.schema import (
    LIST_ATOMIC,
    LIST_SET,
    Int32,
    ListMap,
    Patch,
    Struct,
    Time,
    empty,
    empty_tuple,
    null,
)


class ExemptPriorityLevelConfiguration(Struct):
    lendable_percent: Int32 | None = None
    nominal_concurrency_shares: Int32 | None = None


class FlowDistinguisherMethod(Struct):
    type: str = field(default_factory=empty)


class NonResourcePolicyRule(Struct):
    non_resource_urls: Annotated[tuple[str, ...], LIST_SET] = field(default_factory=empty_tuple, name="nonResourceURLs")
    verbs: Annotated[tuple[str, ...], LIST_SET] = field(default_factory=empty_tuple)


class ResourcePolicyRule(Struct):
    api_groups: Annotated[tuple[str, ...], LIST_SET] = field(default_factory=empty_tuple)
    cluster_scope: bool = False
    namespaces: Annotated[tuple[str, ...], LIST_SET] = ()
    resources: Annotated[tuple[str, ...], LIST_SET] = field(default_factory=empty_tuple)
    verbs: Annotated[tuple[str, ...], LIST_SET] = field(default_factory=empty_tuple)


class GroupSubject(Struct):
    name: str = field(default_factory=empty)


class ServiceAccountSubject(Struct):
    name: str = field(default_factory=empty)
    namespace: str = field(default_factory=empty)


class UserSubject(Struct):
    name: str = field(default_factory=empty)


class Subject(Struct):
    group: GroupSubject | None = None
    kind: str = field(default_factory=empty)
    service_account: ServiceAccountSubject | None = None
    user: UserSubject | None = None


class PolicyRulesWithSubjects(Struct):
    non_resource_rules: Annotated[tuple[NonResourcePolicyRule, ...], LIST_ATOMIC] = ()
    resource_rules: Annotated[tuple[ResourcePolicyRule, ...], LIST_ATOMIC] = ()
    subjects: Annotated[tuple[Subject, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class PriorityLevelConfigurationReference(Struct):
    name: str = field(default_factory=empty)


class FlowSchemaSpec(Struct):
    distinguisher_method: FlowDistinguisherMethod | None = None
    matching_precedence: Int32 = 0
    priority_level_configuration: PriorityLevelConfigurationReference = field(
        default_factory=PriorityLevelConfigurationReference
    )
    rules: Annotated[tuple[PolicyRulesWithSubjects, ...], LIST_ATOMIC] = ()


class FlowSchemaCondition(Struct):
    type: str = ""
    last_transition_time: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    status: str = ""


class FlowSchemaStatus(Struct):
    conditions: Annotated[tuple[FlowSchemaCondition, ...], ListMap("type"), Patch("merge", key="type")] = ()


class FlowSchema(Object):
    spec: FlowSchemaSpec = field(default_factory=FlowSchemaSpec)
    status: FlowSchemaStatus = field(default_factory=FlowSchemaStatus)


class QueuingConfiguration(Struct):
    hand_size: Int32 = 0
    queue_length_limit: Int32 = 0
    queues: Int32 = 0


class LimitResponse(Struct):
    type: str = field(default_factory=empty)
    queuing: QueuingConfiguration | None = None


class LimitedPriorityLevelConfiguration(Struct):
    borrowing_limit_percent: Int32 | None = None
    lendable_percent: Int32 | None = None
    limit_response: LimitResponse = field(default_factory=LimitResponse)
    nominal_concurrency_shares: Int32 | None = None


class PriorityLevelConfigurationSpec(Struct):
    type: str = field(default_factory=empty)
    exempt: ExemptPriorityLevelConfiguration | None = None
    limited: LimitedPriorityLevelConfiguration | None = None


class PriorityLevelConfigurationCondition(Struct):
    type: str = ""
    last_transition_time: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    status: str = ""


class PriorityLevelConfigurationStatus(Struct):
    conditions: Annotated[
        tuple[PriorityLevelConfigurationCondition, ...], ListMap("type"), Patch("merge", key="type")
    ] = ()


class PriorityLevelConfiguration(Object):
    spec: PriorityLevelConfigurationSpec = field(default_factory=PriorityLevelConfigurationSpec)
    status: PriorityLevelConfigurationStatus = field(default_factory=PriorityLevelConfigurationStatus)
