"""The bootstrap policy of the controllers: each works as a service account of kube-system with a role of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kcore.api.rbac_v1 import ClusterRole, ClusterRoleBinding, PolicyRule
from kcore.registry.rbac.policy import CORE, EVENTS, READ, allow, controllers

__all__ = ["CONTROLLER_BINDINGS", "CONTROLLER_ROLES"]

_ADMISSION = "admissionregistration.k8s.io"
_APPS = "apps extensions"
_CERTIFICATES = "certificates.k8s.io"
_NETWORKING = "networking.k8s.io"
_RESOURCE = "resource.k8s.io"
_SIGNERS = (
    "kubernetes.io/legacy-unknown kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet "
    "kubernetes.io/kubelet-serving"
)
_STORAGE = "storage.k8s.io"

_RULES: Mapping[str, Sequence[PolicyRule]] = {
    "attachdetach-controller": (
        allow("list watch", CORE, "persistentvolumes persistentvolumeclaims"),
        allow(READ, CORE, "nodes"),
        allow("patch update", CORE, "nodes/status"),
        allow("list watch", CORE, "pods"),
        EVENTS,
        allow("get create delete list watch", _STORAGE, "volumeattachments"),
        allow(READ, _STORAGE, "csidrivers"),
        allow(READ, _STORAGE, "csinodes"),
    ),
    "clusterrole-aggregation-controller": (
        allow("escalate get list watch update patch", "rbac.authorization.k8s.io", "clusterroles"),
    ),
    "cronjob-controller": (
        allow("get list watch update", "batch", "cronjobs"),
        allow("get list watch create update delete patch", "batch", "jobs"),
        allow("update", "batch", "cronjobs/status"),
        allow("update", "batch", "cronjobs/finalizers"),
        allow("list watch delete", CORE, "pods"),
        EVENTS,
    ),
    "daemon-set-controller": (
        allow(READ, _APPS, "daemonsets"),
        allow("update", _APPS, "daemonsets/status"),
        allow("update", _APPS, "daemonsets/finalizers"),
        allow("list watch", CORE, "nodes"),
        allow("list watch create delete patch", CORE, "pods"),
        allow("create", CORE, "pods/binding"),
        allow("get list watch create delete update patch", "apps", "controllerrevisions"),
        EVENTS,
    ),
    "deployment-controller": (
        allow("get list watch update", _APPS, "deployments"),
        allow("update", _APPS, "deployments/status"),
        allow("update", _APPS, "deployments/finalizers"),
        allow("get list watch create update patch delete", _APPS, "replicasets"),
        allow("get list watch update", CORE, "pods"),
        EVENTS,
    ),
    "disruption-controller": (
        allow(READ, _APPS, "deployments"),
        allow(READ, _APPS, "replicasets"),
        allow(READ, CORE, "replicationcontrollers"),
        allow(READ, "policy", "poddisruptionbudgets"),
        allow(READ, "apps", "statefulsets"),
        allow("update", "policy", "poddisruptionbudgets/status"),
        allow("patch update", CORE, "pods/status"),
        allow("get", "*", "*/scale"),
        EVENTS,
    ),
    "endpoint-controller": (
        allow(READ, CORE, "services pods"),
        allow("get list watch create update delete", CORE, "endpoints"),
        allow("create", CORE, "endpoints/restricted"),
        EVENTS,
    ),
    "endpointslice-controller": (
        allow(READ, CORE, "services pods nodes"),
        allow("update", CORE, "services/finalizers"),
        allow("get list watch create update delete", "discovery.k8s.io", "endpointslices"),
        EVENTS,
    ),
    "endpointslicemirroring-controller": (
        allow(READ, CORE, "services endpoints"),
        allow("update", CORE, "services/finalizers"),
        allow("update", CORE, "endpoints/finalizers"),
        allow("get list watch create update delete", "discovery.k8s.io", "endpointslices"),
        EVENTS,
    ),
    "expand-controller": (
        allow("get list watch update patch", CORE, "persistentvolumes"),
        allow("update patch", CORE, "persistentvolumeclaims/status"),
        allow(READ, CORE, "persistentvolumeclaims"),
        EVENTS,
        allow("get", CORE, "services"),
    ),
    "ephemeral-volume-controller": (
        allow(READ, CORE, "pods"),
        allow("update", CORE, "pods/finalizers"),
        allow("get list watch create", CORE, "persistentvolumeclaims"),
        EVENTS,
    ),
    "resource-claim-controller": (
        allow(READ, CORE, "pods"),
        allow("update", CORE, "pods/finalizers"),
        allow("get list watch create delete", _RESOURCE, "resourceclaims"),
        allow("update patch", _RESOURCE, "resourceclaims resourceclaims/binding resourceclaims/status"),
        allow("update patch", CORE, "pods/status"),
        EVENTS,
    ),
    "device-taint-eviction-controller": (
        allow("get list watch delete", CORE, "pods"),
        allow("update patch", CORE, "pods/status"),
        allow(READ, _RESOURCE, "resourceclaims"),
        allow(READ, _RESOURCE, "resourceslices"),
        allow(READ, _RESOURCE, "deviceclasses"),
        allow(READ, _RESOURCE, "devicetaintrules"),
        EVENTS,
    ),
    "generic-garbage-collector": (allow("get list watch patch update delete", "*", "*"), EVENTS),
    "horizontal-pod-autoscaler": (
        allow(READ, "autoscaling", "horizontalpodautoscalers"),
        allow("update", "autoscaling", "horizontalpodautoscalers/status"),
        allow("get update", "*", "*/scale"),
        allow("list watch", CORE, "pods"),
        allow("list watch", "metrics.k8s.io", "pods"),
        allow(READ, "custom.metrics.k8s.io", "*"),
        allow(READ, "external.metrics.k8s.io", "*"),
        EVENTS,
    ),
    "job-controller": (
        allow("get list watch update patch", "batch", "jobs"),
        allow("update", "batch", "jobs/status"),
        allow("update", "batch", "jobs/finalizers"),
        allow("list watch create delete patch", CORE, "pods"),
        EVENTS,
    ),
    "namespace-controller": (
        allow("get list watch delete", CORE, "namespaces"),
        allow("update", CORE, "namespaces/finalize namespaces/status"),
        allow("get list watch delete deletecollection", "*", "*"),
    ),
    "node-controller": (
        allow("get list watch update delete patch", CORE, "nodes"),
        allow("patch update", CORE, "nodes/status"),
        allow("patch update", CORE, "pods/status"),
        allow("list watch get delete", CORE, "pods"),
        EVENTS,
    ),
    "persistent-volume-binder": (
        allow("get list watch update create delete", CORE, "persistentvolumes"),
        allow("update", CORE, "persistentvolumes/status"),
        allow("get list watch update", CORE, "persistentvolumeclaims"),
        allow("update", CORE, "persistentvolumeclaims/status"),
        allow("list watch get create delete", CORE, "pods"),
        allow(READ, _STORAGE, "storageclasses"),
        allow("list watch", CORE, "nodes"),
        EVENTS,
        allow("watch", CORE, "events"),
        allow("get", CORE, "services"),
    ),
    "pod-garbage-collector": (
        allow("list watch delete", CORE, "pods"),
        allow(READ, CORE, "nodes"),
        allow("patch", CORE, "pods/status"),
    ),
    "replicaset-controller": (
        allow("get list watch update", _APPS, "replicasets"),
        allow("update", _APPS, "replicasets/status"),
        allow("update", _APPS, "replicasets/finalizers"),
        allow("list watch patch create delete", CORE, "pods"),
        EVENTS,
    ),
    "replication-controller": (
        allow("get list watch update", CORE, "replicationcontrollers"),
        allow("update", CORE, "replicationcontrollers/status"),
        allow("update", CORE, "replicationcontrollers/finalizers"),
        allow("list watch patch create delete", CORE, "pods"),
        EVENTS,
    ),
    "resourcequota-controller": (
        allow("list watch", "*", "*"),
        allow("update", CORE, "resourcequotas/status"),
        EVENTS,
    ),
    "route-controller": (allow("list watch", CORE, "nodes"), allow("patch", CORE, "nodes/status"), EVENTS),
    "service-account-controller": (allow("create", CORE, "serviceaccounts"), EVENTS),
    "service-controller": (
        allow(READ, CORE, "services"),
        allow("patch update", CORE, "services/status"),
        allow("list watch", CORE, "nodes"),
        EVENTS,
    ),
    "service-cidrs-controller": (
        allow("get list watch patch update", _NETWORKING, "servicecidrs"),
        allow("patch update", _NETWORKING, "servicecidrs/finalizers"),
        allow("patch update", _NETWORKING, "servicecidrs/status"),
        allow(READ, _NETWORKING, "ipaddresses"),
        EVENTS,
    ),
    "statefulset-controller": (
        allow("list watch", CORE, "pods"),
        allow(READ, "apps", "statefulsets"),
        allow("update", "apps", "statefulsets/status"),
        allow("update", "apps", "statefulsets/finalizers"),
        allow("get create delete update patch", CORE, "pods"),
        allow("get create delete update patch list watch", "apps", "controllerrevisions"),
        allow("get create list watch", CORE, "persistentvolumeclaims"),
        allow("update delete", CORE, "persistentvolumeclaims"),
        allow("update", CORE, "pods/finalizers"),
        EVENTS,
    ),
    "ttl-controller": (allow("update patch list watch", CORE, "nodes"), EVENTS),
    "certificate-controller": (
        allow("get list watch delete", _CERTIFICATES, "certificatesigningrequests"),
        allow("update", _CERTIFICATES, "certificatesigningrequests/status certificatesigningrequests/approval"),
        allow("approve", _CERTIFICATES, "signers", "kubernetes.io/kube-apiserver-client-kubelet"),
        allow("sign", _CERTIFICATES, "signers", _SIGNERS),
        allow("create", "authorization.k8s.io", "subjectaccessreviews"),
        EVENTS,
    ),
    "pvc-protection-controller": (
        allow("get list watch update", CORE, "persistentvolumeclaims"),
        allow("list watch get", CORE, "pods"),
        EVENTS,
    ),
    "pv-protection-controller": (allow("get list watch update", CORE, "persistentvolumes"), EVENTS),
    "volumeattributesclass-protection-controller": (
        allow(READ, CORE, "persistentvolumeclaims"),
        allow(READ, CORE, "persistentvolumes"),
        allow("get list watch update", _STORAGE, "volumeattributesclasses"),
        EVENTS,
    ),
    "ttl-after-finished-controller": (allow("get list watch delete", "batch", "jobs"), EVENTS),
    "root-ca-cert-publisher": (allow("create update", CORE, "configmaps"), EVENTS),
    "validatingadmissionpolicy-status-controller": (
        allow(READ, _ADMISSION, "validatingadmissionpolicies"),
        allow("get patch update", _ADMISSION, "validatingadmissionpolicies/status"),
        EVENTS,
    ),
    "legacy-service-account-token-cleaner": (
        allow("get", CORE, "configmaps", "kube-apiserver-legacy-service-account-token-tracking"),
        allow("patch delete", CORE, "secrets"),
    ),
    "selinux-warning-controller": (
        EVENTS,
        allow(READ, CORE, "persistentvolumes"),
        allow(READ, CORE, "persistentvolumeclaims"),
        allow(READ, CORE, "pods"),
        allow(READ, _STORAGE, "csidrivers"),
    ),
}

_MADE = tuple(controllers(_RULES))
CONTROLLER_ROLES: tuple[ClusterRole, ...] = tuple(role for role, _ in _MADE)
CONTROLLER_BINDINGS: tuple[ClusterRoleBinding, ...] = tuple(binding for _, binding in _MADE)
