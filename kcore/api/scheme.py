"""The registry of kinds: which resources exist, found by group, version and name or by type.

`BUILT_IN` is the table of everything that is served without a CustomResourceDefinition, in the order in which
discovery lists it. A `Scheme` starts from it and grows and shrinks as definitions come and go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from kcore.api import (
    admissionregistration_v1,
    apiextensions_v1,
    apiregistration_v1,
    apps_v1,
    authentication_v1,
    authorization_v1,
    autoscaling_v1,
    autoscaling_v2,
    batch_v1,
    certificates_v1,
    coordination_v1,
    core_v1,
    discovery_v1,
    events_v1,
    flowcontrol_v1,
    networking_v1,
    node_v1,
    policy_v1,
    rbac_v1,
    resource_v1,
    scheduling_v1,
    storage_v1,
)
from kcore.api.kind import SCALE, STATUS, GroupVersion, Kind, Subresource, resource
from kcore.api.object import CustomResource

__all__ = ["BUILT_IN", "Scheme"]


def group(name: str, version: str, *kinds: Kind) -> Iterator[Kind]:
    """Put a group's rows of the table into their group and version."""
    for kind in kinds:
        subresources = tuple(s if s.kind else replace(s, kind=kind.name) for s in kind.subresources)
        yield replace(kind, group=name, version=version, subresources=subresources)


BUILT_IN: tuple[Kind, ...] = (
    *group(
        "",
        "v1",
        resource(core_v1.Binding, "bindings", verbs=("create",)),
        resource(
            core_v1.ComponentStatus,
            "componentstatuses",
            short_names=("cs",),
            namespaced=False,
            verbs=(
                "get",
                "list",
            ),
            deprecation="v1 ComponentStatus is deprecated in v1.19+",
        ),
        resource(core_v1.ConfigMap, "configmaps", short_names=("cm",)),
        resource(
            core_v1.Endpoints,
            "endpoints",
            short_names=("ep",),
            deprecation="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
        ),
        resource(core_v1.Event, "events", short_names=("ev",)),
        resource(core_v1.LimitRange, "limitranges", short_names=("limits",)),
        resource(
            core_v1.Namespace,
            "namespaces",
            short_names=("ns",),
            namespaced=False,
            verbs=(
                "create",
                "delete",
                "get",
                "list",
                "patch",
                "update",
                "watch",
            ),
            subresources=(
                Subresource("finalize", "Namespace", ("update",)),
                STATUS,
            ),
        ),
        resource(
            core_v1.Node,
            "nodes",
            short_names=("no",),
            namespaced=False,
            subresources=(
                Subresource(
                    "proxy",
                    "NodeProxyOptions",
                    (
                        "create",
                        "delete",
                        "get",
                        "patch",
                        "update",
                    ),
                ),
                STATUS,
            ),
        ),
        resource(
            core_v1.PersistentVolumeClaim,
            "persistentvolumeclaims",
            short_names=("pvc",),
            subresources=(STATUS,),
        ),
        resource(
            core_v1.PersistentVolume,
            "persistentvolumes",
            short_names=("pv",),
            namespaced=False,
            subresources=(STATUS,),
        ),
        resource(
            core_v1.Pod,
            "pods",
            short_names=("po",),
            categories=("all",),
            subresources=(
                Subresource(
                    "attach",
                    "PodAttachOptions",
                    (
                        "create",
                        "get",
                    ),
                ),
                Subresource("binding", "Binding", ("create",)),
                Subresource(
                    "ephemeralcontainers",
                    "Pod",
                    (
                        "get",
                        "patch",
                        "update",
                    ),
                ),
                Subresource("eviction", "Eviction", ("create",), group="policy", version="v1"),
                Subresource(
                    "exec",
                    "PodExecOptions",
                    (
                        "create",
                        "get",
                    ),
                ),
                Subresource("log", "Pod", ("get",)),
                Subresource(
                    "portforward",
                    "PodPortForwardOptions",
                    (
                        "create",
                        "get",
                    ),
                ),
                Subresource(
                    "proxy",
                    "PodProxyOptions",
                    (
                        "create",
                        "delete",
                        "get",
                        "patch",
                        "update",
                    ),
                ),
                Subresource(
                    "resize",
                    "Pod",
                    (
                        "get",
                        "patch",
                        "update",
                    ),
                ),
                STATUS,
            ),
        ),
        resource(core_v1.PodTemplate, "podtemplates"),
        resource(
            core_v1.ReplicationController,
            "replicationcontrollers",
            short_names=("rc",),
            categories=("all",),
            subresources=(
                SCALE,
                STATUS,
            ),
        ),
        resource(core_v1.ResourceQuota, "resourcequotas", short_names=("quota",), subresources=(STATUS,)),
        resource(core_v1.Secret, "secrets"),
        resource(
            core_v1.ServiceAccount,
            "serviceaccounts",
            short_names=("sa",),
            subresources=(
                Subresource("token", "TokenRequest", ("create",), group="authentication.k8s.io", version="v1"),
            ),
        ),
        resource(
            core_v1.Service,
            "services",
            short_names=("svc",),
            categories=("all",),
            subresources=(
                Subresource(
                    "proxy",
                    "ServiceProxyOptions",
                    (
                        "create",
                        "delete",
                        "get",
                        "patch",
                        "update",
                    ),
                ),
                STATUS,
            ),
        ),
    ),
    *group(
        "apiregistration.k8s.io",
        "v1",
        resource(
            apiregistration_v1.APIService,
            "apiservices",
            categories=("api-extensions",),
            namespaced=False,
            subresources=(STATUS,),
        ),
    ),
    *group(
        "apps",
        "v1",
        resource(apps_v1.ControllerRevision, "controllerrevisions"),
        resource(apps_v1.DaemonSet, "daemonsets", short_names=("ds",), categories=("all",), subresources=(STATUS,)),
        resource(
            apps_v1.Deployment,
            "deployments",
            short_names=("deploy",),
            categories=("all",),
            subresources=(
                SCALE,
                STATUS,
            ),
        ),
        resource(
            apps_v1.ReplicaSet,
            "replicasets",
            short_names=("rs",),
            categories=("all",),
            subresources=(
                SCALE,
                STATUS,
            ),
        ),
        resource(
            apps_v1.StatefulSet,
            "statefulsets",
            short_names=("sts",),
            categories=("all",),
            subresources=(
                SCALE,
                STATUS,
            ),
        ),
    ),
    *group(
        "events.k8s.io",
        "v1",
        resource(events_v1.Event, "events", short_names=("ev",)),
    ),
    *group(
        "authentication.k8s.io",
        "v1",
        resource(authentication_v1.SelfSubjectReview, "selfsubjectreviews", namespaced=False, verbs=("create",)),
        resource(authentication_v1.TokenReview, "tokenreviews", namespaced=False, verbs=("create",)),
    ),
    *group(
        "authorization.k8s.io",
        "v1",
        resource(authorization_v1.LocalSubjectAccessReview, "localsubjectaccessreviews", verbs=("create",)),
        resource(
            authorization_v1.SelfSubjectAccessReview,
            "selfsubjectaccessreviews",
            namespaced=False,
            verbs=("create",),
        ),
        resource(
            authorization_v1.SelfSubjectRulesReview,
            "selfsubjectrulesreviews",
            namespaced=False,
            verbs=("create",),
        ),
        resource(authorization_v1.SubjectAccessReview, "subjectaccessreviews", namespaced=False, verbs=("create",)),
    ),
    *group(
        "autoscaling",
        "v2",
        resource(
            autoscaling_v2.HorizontalPodAutoscaler,
            "horizontalpodautoscalers",
            short_names=("hpa",),
            categories=("all",),
            subresources=(STATUS,),
        ),
    ),
    *group(
        "autoscaling",
        "v1",
        resource(
            autoscaling_v1.HorizontalPodAutoscaler,
            "horizontalpodautoscalers",
            short_names=("hpa",),
            categories=("all",),
            subresources=(STATUS,),
        ),
    ),
    *group(
        "batch",
        "v1",
        resource(batch_v1.CronJob, "cronjobs", short_names=("cj",), categories=("all",), subresources=(STATUS,)),
        resource(batch_v1.Job, "jobs", categories=("all",), subresources=(STATUS,)),
    ),
    *group(
        "certificates.k8s.io",
        "v1",
        resource(
            certificates_v1.CertificateSigningRequest,
            "certificatesigningrequests",
            short_names=("csr",),
            namespaced=False,
            subresources=(
                Subresource(
                    "approval",
                    "CertificateSigningRequest",
                    (
                        "get",
                        "patch",
                        "update",
                    ),
                ),
                STATUS,
            ),
        ),
    ),
    *group(
        "networking.k8s.io",
        "v1",
        resource(networking_v1.IngressClass, "ingressclasses", namespaced=False),
        resource(networking_v1.Ingress, "ingresses", short_names=("ing",), subresources=(STATUS,)),
        resource(networking_v1.IPAddress, "ipaddresses", short_names=("ip",), namespaced=False),
        resource(networking_v1.NetworkPolicy, "networkpolicies", short_names=("netpol",)),
        resource(networking_v1.ServiceCIDR, "servicecidrs", namespaced=False, subresources=(STATUS,)),
    ),
    *group(
        "policy",
        "v1",
        resource(
            policy_v1.PodDisruptionBudget,
            "poddisruptionbudgets",
            short_names=("pdb",),
            subresources=(STATUS,),
        ),
    ),
    *group(
        "rbac.authorization.k8s.io",
        "v1",
        resource(rbac_v1.ClusterRoleBinding, "clusterrolebindings", namespaced=False),
        resource(rbac_v1.ClusterRole, "clusterroles", namespaced=False),
        resource(rbac_v1.RoleBinding, "rolebindings"),
        resource(rbac_v1.Role, "roles"),
    ),
    *group(
        "storage.k8s.io",
        "v1",
        resource(storage_v1.CSIDriver, "csidrivers", namespaced=False),
        resource(storage_v1.CSINode, "csinodes", namespaced=False),
        resource(storage_v1.CSIStorageCapacity, "csistoragecapacities"),
        resource(storage_v1.StorageClass, "storageclasses", short_names=("sc",), namespaced=False),
        resource(storage_v1.VolumeAttachment, "volumeattachments", namespaced=False, subresources=(STATUS,)),
        resource(
            storage_v1.VolumeAttributesClass,
            "volumeattributesclasses",
            short_names=("vac",),
            namespaced=False,
        ),
    ),
    *group(
        "admissionregistration.k8s.io",
        "v1",
        resource(
            admissionregistration_v1.MutatingAdmissionPolicy,
            "mutatingadmissionpolicies",
            categories=("api-extensions",),
            namespaced=False,
        ),
        resource(
            admissionregistration_v1.MutatingAdmissionPolicyBinding,
            "mutatingadmissionpolicybindings",
            categories=("api-extensions",),
            namespaced=False,
        ),
        resource(
            admissionregistration_v1.MutatingWebhookConfiguration,
            "mutatingwebhookconfigurations",
            categories=("api-extensions",),
            namespaced=False,
        ),
        resource(
            admissionregistration_v1.ValidatingAdmissionPolicy,
            "validatingadmissionpolicies",
            categories=("api-extensions",),
            namespaced=False,
            subresources=(STATUS,),
        ),
        resource(
            admissionregistration_v1.ValidatingAdmissionPolicyBinding,
            "validatingadmissionpolicybindings",
            categories=("api-extensions",),
            namespaced=False,
        ),
        resource(
            admissionregistration_v1.ValidatingWebhookConfiguration,
            "validatingwebhookconfigurations",
            categories=("api-extensions",),
            namespaced=False,
        ),
    ),
    *group(
        "apiextensions.k8s.io",
        "v1",
        resource(
            apiextensions_v1.CustomResourceDefinition,
            "customresourcedefinitions",
            short_names=(
                "crd",
                "crds",
            ),
            categories=("api-extensions",),
            namespaced=False,
            subresources=(STATUS,),
        ),
    ),
    *group(
        "scheduling.k8s.io",
        "v1",
        resource(scheduling_v1.PriorityClass, "priorityclasses", short_names=("pc",), namespaced=False),
    ),
    *group(
        "coordination.k8s.io",
        "v1",
        resource(coordination_v1.Lease, "leases"),
    ),
    *group(
        "node.k8s.io",
        "v1",
        resource(node_v1.RuntimeClass, "runtimeclasses", namespaced=False),
    ),
    *group(
        "discovery.k8s.io",
        "v1",
        resource(discovery_v1.EndpointSlice, "endpointslices"),
    ),
    *group(
        "resource.k8s.io",
        "v1",
        resource(resource_v1.DeviceClass, "deviceclasses", namespaced=False),
        resource(resource_v1.ResourceClaim, "resourceclaims", subresources=(STATUS,)),
        resource(resource_v1.ResourceClaimTemplate, "resourceclaimtemplates"),
        resource(resource_v1.ResourceSlice, "resourceslices", namespaced=False),
    ),
    *group(
        "flowcontrol.apiserver.k8s.io",
        "v1",
        resource(flowcontrol_v1.FlowSchema, "flowschemas", namespaced=False, subresources=(STATUS,)),
        resource(
            flowcontrol_v1.PriorityLevelConfiguration,
            "prioritylevelconfigurations",
            namespaced=False,
            subresources=(STATUS,),
        ),
    ),
)


class Scheme:
    """All kinds that are served at a moment."""

    def __init__(self, kinds: Iterable[Kind] = BUILT_IN) -> None:
        self._by_resource: dict[tuple[str, str, str], Kind] = {}
        self._by_kind: dict[tuple[str, str, str], Kind] = {}
        self._by_type: dict[type[Any], Kind] = {}
        self.generation = 0
        """Grows with each change, so that discovery and OpenAPI know when to render again."""
        self._subscribers: list[Callable[[Kind, bool], None]] = []
        for kind in kinds:
            self.add(kind)

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._by_resource.values())

    def add(self, kind: Kind) -> None:
        """Serve `kind` from now on, in place of what was served at its resource before."""
        self._by_resource[kind.group, kind.version, kind.plural] = kind
        self._by_kind[kind.group, kind.version, kind.name] = kind
        if kind.type is not CustomResource:
            self._by_type.setdefault(kind.type, kind)
        self._changed(kind, True)

    def remove(self, kind: Kind) -> None:
        del self._by_resource[kind.group, kind.version, kind.plural]
        del self._by_kind[kind.group, kind.version, kind.name]
        if self._by_type.get(kind.type) is kind:
            del self._by_type[kind.type]
        self._changed(kind, False)

    def subscribe(self, on_change: Callable[[Kind, bool], None]) -> None:
        """Call `on_change(kind, served)` whenever a kind comes (perhaps in place of itself) or goes."""
        self._subscribers.append(on_change)

    def _changed(self, kind: Kind, served: bool) -> None:
        self.generation += 1
        for on_change in self._subscribers:
            on_change(kind, served)

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind served at a resource path."""
        return self._by_resource.get((group, version, plural))

    def find_kind(self, group: str, version: str, name: str) -> Kind | None:
        """The kind that a document's `apiVersion` and `kind` name."""
        return self._by_kind.get((group, version, name))

    def of(self, type_: type[Any]) -> Kind:
        """The kind of a Struct type. Raises KeyError for a type that is not served, or that many kinds share."""
        return self._by_type[type_]

    def group_versions(self) -> list[GroupVersion]:
        """Every served group and version once, in the order of first registration."""
        return list(dict.fromkeys(kind.group_version for kind in self))
