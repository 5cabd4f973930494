"""The policy of a new cluster, as Kubernetes defines it: for people, for the components, and for their namespaces."""

from __future__ import annotations

from kcore.api.rbac_v1 import ClusterRole, ClusterRoleBinding, Role, RoleBinding
from kcore.registry.rbac.bootstrap_controllers import CONTROLLER_BINDINGS, CONTROLLER_ROLES
from kcore.registry.rbac.policy import (
    CORE,
    EVENTS,
    READ,
    READ_WRITE,
    WRITE,
    account,
    allow,
    allow_paths,
    bind_cluster_role,
    bind_role,
    cluster_role,
    group,
    role,
    user,
)

__all__ = ["CLUSTER_ROLES", "CLUSTER_ROLE_BINDINGS", "NODE_RULES", "ROLES", "ROLE_BINDINGS"]

_AUTHENTICATED = group("system:authenticated")
_UNAUTHENTICATED = group("system:unauthenticated")
_CONTROLLER_MANAGER = user("system:kube-controller-manager")
_SCHEDULER = user("system:kube-scheduler")

_CERTIFICATES = "certificates.k8s.io"
_COORDINATION = "coordination.k8s.io"
_RESOURCE = "resource.k8s.io"
_STORAGE = "storage.k8s.io"
_ACCESS_REVIEW = allow("create", "authorization.k8s.io", "subjectaccessreviews")
_TOKEN_REVIEW = allow("create", "authentication.k8s.io", "tokenreviews")

_PEOPLE = (
    cluster_role("cluster-admin", allow("*", "*", "*"), allow_paths("*", "*")),
    cluster_role(
        "system:discovery",
        allow_paths("get", "/livez /readyz /healthz /version /version/ /openapi /openapi/* /api /api/* /apis /apis/*"),
    ),
    cluster_role("system:public-info-viewer", allow_paths("get", "/livez /readyz /healthz /version /version/")),
    cluster_role(
        "system:monitoring",
        allow_paths("get", "/metrics /metrics/slis /livez /readyz /healthz /livez/* /readyz/* /healthz/*"),
    ),
    cluster_role(
        "system:basic-user",
        allow("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
        allow("create", "authentication.k8s.io", "selfsubjectreviews"),
    ),
    cluster_role("admin", aggregates="admin"),
    cluster_role("edit", aggregates="edit", into="admin"),
    cluster_role("view", aggregates="view", into="edit"),
    cluster_role(
        "system:aggregate-to-admin",
        allow("create", "authorization.k8s.io", "localsubjectaccessreviews"),
        allow(READ_WRITE, "rbac.authorization.k8s.io", "roles rolebindings"),
        into="admin",
    ),
    cluster_role(
        "system:aggregate-to-edit",
        # What reading gives power too.
        allow(READ, CORE, "pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy"),
        allow("impersonate", CORE, "serviceaccounts"),
        allow(WRITE, CORE, "pods pods/attach pods/proxy pods/exec pods/portforward"),
        allow("create", CORE, "pods/eviction"),
        allow(
            WRITE,
            CORE,
            "replicationcontrollers replicationcontrollers/scale serviceaccounts services services/proxy "
            "persistentvolumeclaims configmaps secrets events",
        ),
        allow("create", CORE, "serviceaccounts/token"),
        allow(
            WRITE,
            "apps",
            "statefulsets statefulsets/scale daemonsets deployments deployments/scale deployments/rollback "
            "replicasets replicasets/scale",
        ),
        allow(WRITE, "autoscaling", "horizontalpodautoscalers"),
        allow(WRITE, "batch", "jobs cronjobs"),
        allow(
            WRITE,
            "extensions",
            "daemonsets deployments deployments/scale deployments/rollback ingresses replicasets replicasets/scale "
            "replicationcontrollers/scale networkpolicies",
        ),
        allow(WRITE, "policy", "poddisruptionbudgets"),
        allow(WRITE, "networking.k8s.io", "networkpolicies ingresses"),
        allow(READ_WRITE, _COORDINATION, "leases"),
        allow(WRITE, _RESOURCE, "resourceclaims resourceclaimtemplates"),
        into="edit",
    ),
    cluster_role(
        "system:aggregate-to-view",
        allow(
            READ,
            CORE,
            "pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status "
            "endpoints persistentvolumeclaims persistentvolumeclaims/status configmaps",
        ),
        allow(
            READ,
            CORE,
            "limitranges resourcequotas bindings events pods/status resourcequotas/status namespaces/status "
            "replicationcontrollers/status pods/log",
        ),
        allow(READ, CORE, "namespaces"),  # granted in a namespace, it is about that one
        allow(READ, "discovery.k8s.io", "endpointslices"),
        allow(
            READ,
            "apps",
            "controllerrevisions statefulsets statefulsets/status statefulsets/scale daemonsets daemonsets/status "
            "deployments deployments/status deployments/scale replicasets replicasets/status replicasets/scale",
        ),
        allow(READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
        allow(READ, "batch", "jobs cronjobs cronjobs/status jobs/status"),
        allow(
            READ,
            "extensions",
            "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status "
            "replicasets replicasets/scale replicasets/status replicationcontrollers/scale networkpolicies",
        ),
        allow(READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
        allow(READ, "networking.k8s.io", "networkpolicies ingresses ingresses/status"),
        allow(READ, _RESOURCE, "resourceclaims resourceclaims/status resourceclaimtemplates"),
        into="view",
    ),
)

NODE_RULES = (
    _TOKEN_REVIEW,
    allow("create", "authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews"),
    allow(READ, CORE, "services"),
    allow("create get list watch", CORE, "nodes"),
    allow("update patch", CORE, "nodes/status"),
    allow("update patch", CORE, "nodes"),
    allow("create update patch", "core events.k8s.io", "events"),
    allow(READ, CORE, "pods"),
    allow("create delete", CORE, "pods"),
    allow("update patch", CORE, "pods/status"),
    allow("create", CORE, "pods/eviction"),
    allow(READ, CORE, "secrets configmaps"),
    allow("get", CORE, "persistentvolumeclaims persistentvolumes"),
    allow("get", CORE, "endpoints"),
    allow("create get list watch", _CERTIFICATES, "certificatesigningrequests"),
    allow("get create update patch delete", _COORDINATION, "leases"),
    allow("get", _STORAGE, "volumeattachments"),
    allow("get update patch", CORE, "persistentvolumeclaims/status"),
    allow("create", CORE, "serviceaccounts/token"),
    allow(READ, _STORAGE, "csidrivers"),
    allow("get create update patch delete", _STORAGE, "csinodes"),
    allow(READ, "node.k8s.io", "runtimeclasses"),
    allow("get", _RESOURCE, "resourceclaims"),
    allow("get list watch create update patch delete deletecollection", _RESOURCE, "resourceslices"),
)
"""What every node may do, as far as that does not depend on the node."""

_COMPONENTS = (
    cluster_role(
        "system:heapster",
        allow(READ, CORE, "events pods nodes namespaces"),
        allow(READ, "extensions", "deployments"),
    ),
    cluster_role("system:node", *NODE_RULES),
    cluster_role(
        "system:node-problem-detector",
        allow("get", CORE, "nodes"),
        allow("patch", CORE, "nodes/status"),
        EVENTS,
    ),
    cluster_role(
        "system:kubelet-api-admin",
        allow(READ, CORE, "nodes"),
        allow("proxy", CORE, "nodes"),
        allow(
            "*",
            CORE,
            "nodes/proxy nodes/metrics nodes/stats nodes/log nodes/spec nodes/checkpoint nodes/configz nodes/healthz "
            "nodes/pods",
        ),
    ),
    cluster_role(
        "system:node-bootstrapper", allow("create get list watch", _CERTIFICATES, "certificatesigningrequests")
    ),
    cluster_role("system:auth-delegator", _TOKEN_REVIEW, _ACCESS_REVIEW),
    cluster_role("system:kube-aggregator", allow(READ, CORE, "services endpoints")),
    cluster_role(
        "system:kube-controller-manager",
        EVENTS,
        allow("create", _COORDINATION, "leases"),
        allow("get update", _COORDINATION, "leases", "kube-controller-manager"),
        allow("create", CORE, "secrets serviceaccounts"),
        allow("delete", CORE, "secrets"),
        allow("get", CORE, "namespaces secrets serviceaccounts configmaps"),
        allow("update", CORE, "secrets serviceaccounts"),
        _TOKEN_REVIEW,
        _ACCESS_REVIEW,
        allow("list watch", "*", "*"),
        allow("create", CORE, "serviceaccounts/token"),
    ),
    cluster_role("system:kube-dns", allow("list watch", CORE, "endpoints services")),
    cluster_role(
        "system:persistent-volume-provisioner",
        allow("get list watch create delete", CORE, "persistentvolumes"),
        allow("get list watch update", CORE, "persistentvolumeclaims"),
        allow(READ, _STORAGE, "storageclasses"),
        allow("watch", CORE, "events"),
        EVENTS,
    ),
    *(
        cluster_role(
            f"system:certificates.k8s.io:certificatesigningrequests:{purpose}",
            allow("create", _CERTIFICATES, f"certificatesigningrequests/{purpose}"),
        )
        for purpose in ("nodeclient", "selfnodeclient")
    ),
    *(
        cluster_role(
            f"system:certificates.k8s.io:{signer}-approver",
            allow("approve", _CERTIFICATES, "signers", f"kubernetes.io/{signer}"),
        )
        for signer in ("legacy-unknown", "kubelet-serving", "kube-apiserver-client", "kube-apiserver-client-kubelet")
    ),
    cluster_role(
        "system:volume-scheduler",
        allow("get list watch update patch", CORE, "persistentvolumes"),
        allow(READ, _STORAGE, "storageclasses"),
        allow("get list watch update patch", CORE, "persistentvolumeclaims"),
    ),
    cluster_role(
        "system:service-account-issuer-discovery",
        allow_paths("get", "/.well-known/openid-configuration /openid/v1/jwks"),
    ),
    cluster_role(
        "system:node-proxier",
        allow("list watch", CORE, "services endpoints"),
        allow(READ, CORE, "nodes"),
        EVENTS,
        allow("list watch", "discovery.k8s.io", "endpointslices"),
        allow("list watch", "networking.k8s.io", "servicecidrs"),
    ),
    cluster_role(
        "system:kube-scheduler",
        EVENTS,
        allow("create", _COORDINATION, "leases"),
        allow("get update", _COORDINATION, "leases", "kube-scheduler"),
        allow(READ_WRITE, _COORDINATION, "leasecandidates"),
        allow(READ, CORE, "nodes"),
        allow("get list watch delete", CORE, "pods"),
        allow("create", CORE, "pods/binding bindings"),
        allow("patch update", CORE, "pods/status"),
        allow(READ, CORE, "services replicationcontrollers"),
        allow(READ, "apps extensions", "replicasets"),
        allow(READ, "apps", "statefulsets"),
        allow(READ, "policy", "poddisruptionbudgets"),
        allow(READ, CORE, "persistentvolumeclaims persistentvolumes"),
        _TOKEN_REVIEW,
        _ACCESS_REVIEW,
        allow(READ, _STORAGE, "csinodes"),
        allow(READ, CORE, "namespaces"),
        allow(READ, _STORAGE, "csidrivers csistoragecapacities volumeattachments"),
        allow(READ, _RESOURCE, "deviceclasses resourceclaims resourceslices"),
        allow("update patch", _RESOURCE, "resourceclaims resourceclaims/binding resourceclaims/status"),
    ),
)

CLUSTER_ROLES: tuple[ClusterRole, ...] = (*_PEOPLE, *_COMPONENTS, *CONTROLLER_ROLES)

CLUSTER_ROLE_BINDINGS: tuple[ClusterRoleBinding, ...] = (
    bind_cluster_role("cluster-admin", group("system:masters")),
    bind_cluster_role("system:monitoring", group("system:monitoring")),
    bind_cluster_role("system:discovery", _AUTHENTICATED),
    bind_cluster_role("system:basic-user", _AUTHENTICATED),
    bind_cluster_role("system:public-info-viewer", _AUTHENTICATED, _UNAUTHENTICATED),
    bind_cluster_role("system:node-proxier", user("system:kube-proxy")),
    bind_cluster_role("system:kube-controller-manager", _CONTROLLER_MANAGER),
    bind_cluster_role("system:kube-dns", account("kube-dns")),
    bind_cluster_role("system:kube-scheduler", _SCHEDULER),
    bind_cluster_role("system:volume-scheduler", _SCHEDULER),
    # Nodes are let in one by one by what runs on them, not as a group; the empty binding is upstream's.
    bind_cluster_role("system:node"),
    bind_cluster_role("system:service-account-issuer-discovery", group("system:serviceaccounts")),
    *CONTROLLER_BINDINGS,
)

ROLES: tuple[Role, ...] = (
    role(
        "kube-system",
        "extension-apiserver-authentication-reader",
        allow(READ, CORE, "configmaps", "extension-apiserver-authentication"),
    ),
    role("kube-system", "system:controller:bootstrap-signer", allow(READ, CORE, "secrets")),
    role("kube-system", "system:controller:cloud-provider", allow("create get list watch", CORE, "configmaps")),
    role("kube-system", "system:controller:token-cleaner", allow("get list watch delete", CORE, "secrets"), EVENTS),
    role(
        "kube-system",
        "system::leader-locking-kube-controller-manager",
        allow("watch", CORE, "configmaps"),
        allow("get update", CORE, "configmaps", "kube-controller-manager"),
    ),
    role(
        "kube-system",
        "system::leader-locking-kube-scheduler",
        allow("watch", CORE, "configmaps"),
        allow("get update", CORE, "configmaps", "kube-scheduler"),
    ),
    role(
        "kube-public",
        "system:controller:bootstrap-signer",
        allow(READ, CORE, "configmaps"),
        allow("update", CORE, "configmaps", "cluster-info"),
        EVENTS,
    ),
)

ROLE_BINDINGS: tuple[RoleBinding, ...] = (
    bind_role(
        "kube-system",
        "system::extension-apiserver-authentication-reader",
        _CONTROLLER_MANAGER,
        _SCHEDULER,
        to="extension-apiserver-authentication-reader",
    ),
    bind_role(
        "kube-system",
        "system::leader-locking-kube-controller-manager",
        _CONTROLLER_MANAGER,
        account("kube-controller-manager"),
    ),
    bind_role("kube-system", "system::leader-locking-kube-scheduler", _SCHEDULER, account("kube-scheduler")),
    bind_role("kube-system", "system:controller:bootstrap-signer", account("bootstrap-signer")),
    bind_role("kube-system", "system:controller:cloud-provider", account("cloud-provider")),
    bind_role("kube-system", "system:controller:token-cleaner", account("token-cleaner")),
    bind_role("kube-public", "system:controller:bootstrap-signer", account("bootstrap-signer")),
)
