"""The levels and schemas of a new cluster, as Kubernetes defines them (KEP-1040)."""

from __future__ import annotations

from collections.abc import Sequence

from kcore.api.flowcontrol_v1 import (
    ExemptPriorityLevelConfiguration,
    FlowDistinguisherMethod,
    FlowSchema,
    FlowSchemaSpec,
    GroupSubject,
    LimitedPriorityLevelConfiguration,
    LimitResponse,
    NonResourcePolicyRule,
    PolicyRulesWithSubjects,
    PriorityLevelConfiguration,
    PriorityLevelConfigurationReference,
    PriorityLevelConfigurationSpec,
    QueuingConfiguration,
    ResourcePolicyRule,
    ServiceAccountSubject,
    Subject,
    UserSubject,
)
from kcore.api.meta_v1 import ObjectMeta

__all__ = ["AUTO_UPDATE", "MANDATORY_LEVELS", "MANDATORY_SCHEMAS", "SUGGESTED_LEVELS", "SUGGESTED_SCHEMAS"]

AUTO_UPDATE = "apf.kubernetes.io/autoupdate-spec"
"""Whether a suggested object is kept as it is written here; people who change one say `false`."""

_BY_USER, _BY_NAMESPACE = "ByUser", "ByNamespace"
_CONTROLLER_MANAGER, _SCHEDULER = "system:kube-controller-manager", "system:kube-scheduler"


def _metadata(name: str) -> ObjectMeta:
    return ObjectMeta(name=name, annotations={AUTO_UPDATE: "true"})


def _level(
    name: str, shares: int, lendable: int, queuing: QueuingConfiguration | None = None
) -> PriorityLevelConfiguration:
    response = LimitResponse(type="Queue", queuing=queuing) if queuing is not None else LimitResponse(type="Reject")
    limited = LimitedPriorityLevelConfiguration(
        nominal_concurrency_shares=shares, lendable_percent=lendable, limit_response=response
    )
    spec = PriorityLevelConfigurationSpec(type="Limited", limited=limited)
    return PriorityLevelConfiguration(metadata=_metadata(name), spec=spec)


def _queues(queues: int, hand_size: int) -> QueuingConfiguration:
    return QueuingConfiguration(queues=queues, hand_size=hand_size, queue_length_limit=50)


MANDATORY_LEVELS = (
    PriorityLevelConfiguration(
        metadata=_metadata("exempt"),
        spec=PriorityLevelConfigurationSpec(
            type="Exempt", exempt=ExemptPriorityLevelConfiguration(nominal_concurrency_shares=0, lendable_percent=0)
        ),
    ),
    _level("catch-all", 5, 0),
)
SUGGESTED_LEVELS = (
    _level("system", 30, 33, _queues(64, 6)),
    _level("node-high", 40, 25, _queues(64, 6)),
    _level("leader-election", 10, 0, _queues(16, 4)),
    _level("workload-high", 40, 50, _queues(128, 6)),
    _level("workload-low", 100, 90, _queues(128, 6)),
    _level("global-default", 20, 50, _queues(128, 6)),
)


def _groups(*names: str) -> Sequence[Subject]:
    return [Subject(kind="Group", group=GroupSubject(name=name)) for name in names]


def _users(*names: str) -> Sequence[Subject]:
    return [Subject(kind="User", user=UserSubject(name=name)) for name in names]


def _accounts(*names: str) -> Sequence[Subject]:
    """Of kube-system."""
    return [
        Subject(kind="ServiceAccount", service_account=ServiceAccountSubject(name=name, namespace="kube-system"))
        for name in names
    ]


def _on(verbs: str, group: str, resources: str, namespaces: str = "*", *, cluster: bool = False) -> ResourcePolicyRule:
    return ResourcePolicyRule(
        verbs=tuple(verbs.split()),
        api_groups=(group,),
        resources=tuple(resources.split()),
        namespaces=tuple(namespaces.split()),
        cluster_scope=cluster,
    )


_EVERY_RESOURCE = (_on("*", "*", "*", cluster=True),)
_EVERY_PATH = (NonResourcePolicyRule(verbs=("*",), non_resource_urls=("*",)),)
_PROBES = (NonResourcePolicyRule(verbs=("get",), non_resource_urls=("/healthz", "/readyz", "/livez")),)
_ELECTING = "get create update"
_LEASES = _on(_ELECTING, "coordination.k8s.io", "leases")


def _schema(
    name: str,
    level: str,
    precedence: int,
    distinguished: str,
    subjects: Sequence[Subject],
    resources: Sequence[ResourcePolicyRule] = _EVERY_RESOURCE,
    paths: Sequence[NonResourcePolicyRule] = _EVERY_PATH,
) -> FlowSchema:
    rule = PolicyRulesWithSubjects(
        subjects=tuple(subjects), resource_rules=tuple(resources), non_resource_rules=tuple(paths)
    )
    spec = FlowSchemaSpec(
        priority_level_configuration=PriorityLevelConfigurationReference(name=level),
        matching_precedence=precedence,
        distinguisher_method=FlowDistinguisherMethod(type=distinguished) if distinguished else None,
        rules=(rule,),
    )
    return FlowSchema(metadata=_metadata(name), spec=spec)


_EVERYBODY = _groups("system:unauthenticated", "system:authenticated")

MANDATORY_SCHEMAS = (
    _schema("exempt", "exempt", 1, "", _groups("system:masters")),
    _schema("catch-all", "catch-all", 10000, _BY_USER, _EVERYBODY),
)
SUGGESTED_SCHEMAS = (
    _schema("system-nodes", "system", 500, _BY_USER, _groups("system:nodes")),
    _schema(
        "system-node-high",
        "node-high",
        400,
        _BY_USER,
        _groups("system:nodes"),
        (_on("*", "", "nodes nodes/status", cluster=True), _on("*", "coordination.k8s.io", "leases")),
        (),
    ),
    _schema("probes", "exempt", 2, "", _EVERYBODY, (), _PROBES),
    _schema(
        "system-leader-election",
        "leader-election",
        100,
        _BY_USER,
        [*_users(_CONTROLLER_MANAGER, _SCHEDULER), *_accounts("*")],
        (_LEASES,),
        (),
    ),
    _schema(
        "endpoint-controller",
        "workload-high",
        150,
        _BY_USER,
        [*_users(_CONTROLLER_MANAGER), *_accounts("endpoint-controller", "endpointslicemirroring-controller")],
        (_on(_ELECTING, "", "endpoints"),),
        (),
    ),
    _schema("workload-leader-election", "leader-election", 200, _BY_USER, _accounts("*"), (_LEASES,), ()),
    _schema("kube-controller-manager", "workload-high", 800, _BY_NAMESPACE, _users(_CONTROLLER_MANAGER)),
    _schema("kube-scheduler", "workload-high", 800, _BY_NAMESPACE, _users(_SCHEDULER)),
    _schema("kube-system-service-accounts", "workload-high", 900, _BY_NAMESPACE, _accounts("*")),
    _schema("service-accounts", "workload-low", 9000, _BY_USER, _groups("system:serviceaccounts")),
    _schema("global-default", "global-default", 9900, _BY_USER, _EVERYBODY),
)
