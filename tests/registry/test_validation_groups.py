"""The rules of the groups beside core, apps and batch: a valid object, how it differs, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from kcore.api.field import FieldError
from kcore.registry.validation.certificates_v1 import (
    validate_certificate_request_approval,
    validate_certificate_request_status,
)
from kcore.registry.validation.claim_status import validate_claim_status
from tests.registry.rules import advice, broken, broken_update, changed, load


def obj(api_version: str, kind: str, name: str = "x", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "ns"}, **fields}


def path(**fields: Any) -> dict[str, Any]:
    backend = {"service": {"name": "s", "port": {"number": 80}}}
    return {
        "spec": {"rules": [{"http": {"paths": [{"pathType": "Prefix", "path": "/", "backend": backend, **fields}]}}]}
    }


SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)

INGRESS = obj(
    "networking.k8s.io/v1", "Ingress", spec={"defaultBackend": {"service": {"name": "s", "port": {"number": 1}}}}
)
CLASS = obj("networking.k8s.io/v1", "IngressClass", spec={"controller": "example.com/c"})
POLICY = obj("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}})
ADDRESS = obj(
    "networking.k8s.io/v1", "IPAddress", "10.96.0.9", spec={"parentRef": {"resource": "services", "name": "s"}}
)
CIDR = obj("networking.k8s.io/v1", "ServiceCIDR", spec={"cidrs": ["10.0.0.0/24"]})
SLICE = obj("discovery.k8s.io/v1", "EndpointSlice", addressType="IPv4", endpoints=[{"addresses": ["192.0.2.1"]}])
LEASE = obj("coordination.k8s.io/v1", "Lease", spec={"leaseDurationSeconds": 15})
ROLE = obj("rbac.authorization.k8s.io/v1", "Role", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])
CLUSTER_ROLE = changed(ROLE, {"kind": "ClusterRole"})
BINDING = obj(
    "rbac.authorization.k8s.io/v1",
    "RoleBinding",
    roleRef={"kind": "Role", "name": "r"},
    subjects=[{"kind": "User", "name": "ann"}],
)
CLUSTER_BINDING = changed(BINDING, {"kind": "ClusterRoleBinding", "roleRef": {"kind": "ClusterRole"}})
STORAGE_CLASS = obj("storage.k8s.io/v1", "StorageClass", provisioner="example.com/d")
DRIVER = obj("storage.k8s.io/v1", "CSIDriver", "d.example.com", spec={})
CSI_NODE = obj("storage.k8s.io/v1", "CSINode", spec={"drivers": [{"name": "d", "nodeID": "n"}]})
ATTACHMENT = obj(
    "storage.k8s.io/v1",
    "VolumeAttachment",
    spec={"attacher": "d", "nodeName": "n", "source": {"persistentVolumeName": "pv"}},
)
PRIORITY = obj("scheduling.k8s.io/v1", "PriorityClass", value=5)
RUNTIME = obj("node.k8s.io/v1", "RuntimeClass", handler="runc")
API_SERVICE = obj(
    "apiregistration.k8s.io/v1",
    "APIService",
    "v1.example.com",
    spec={"group": "example.com", "version": "v1", "groupPriorityMinimum": 10, "versionPriority": 5},
)
FLOW = obj("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", spec={"priorityLevelConfiguration": {"name": "exempt"}})
LEVEL = obj(
    "flowcontrol.apiserver.k8s.io/v1",
    "PriorityLevelConfiguration",
    spec={"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}},
)
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
HOOK: dict[str, Any] = {
    "name": "v.example.com",
    "clientConfig": {"url": "https://x.example/"},
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "rules": [RULE],
}
HOOKS = obj("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", webhooks=[HOOK])
ADMISSION = obj(
    "admissionregistration.k8s.io/v1",
    "ValidatingAdmissionPolicy",
    spec={"matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": "true"}]},
)
MUTATING = obj(
    "admissionregistration.k8s.io/v1",
    "MutatingAdmissionPolicy",
    spec={
        "matchConstraints": {"resourceRules": [RULE]},
        "mutations": [
            {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{}"}},
        ],
        "reinvocationPolicy": "Never",
    },
)
ADMISSION_BINDING = obj(
    "admissionregistration.k8s.io/v1",
    "ValidatingAdmissionPolicyBinding",
    spec={"policyName": "p", "validationActions": ["Deny"]},
)
RESOURCE_CLAIM = obj(
    "resource.k8s.io/v1",
    "ResourceClaim",
    spec={"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpu.example.com"}}]}},
)
RESOURCE_SLICE = obj(
    "resource.k8s.io/v1",
    "ResourceSlice",
    spec={
        "driver": "gpu.example.com",
        "nodeName": "n",
        "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
        "devices": [{"name": "d0"}],
    },
)
EVENT = obj(
    "events.k8s.io/v1",
    "Event",
    eventTime="2019-01-01T00:00:00.000000Z",
    reportingController="a/b",
    reportingInstance="i",
    action="A",
    reason="R",
    type="Normal",
    regarding={"kind": "Pod", "namespace": "ns", "name": "p"},
)

VALID = [
    *(INGRESS, CLASS, POLICY, ADDRESS, CIDR, SLICE, LEASE, ROLE, CLUSTER_ROLE, BINDING, CLUSTER_BINDING),
    *(STORAGE_CLASS, DRIVER, CSI_NODE, ATTACHMENT, PRIORITY, RUNTIME, API_SERVICE, FLOW, LEVEL, HOOKS, ADMISSION),
    *(MUTATING, ADMISSION_BINDING, RESOURCE_CLAIM, RESOURCE_SLICE, EVENT),
]


@pytest.mark.parametrize("body", VALID, ids=lambda body: str(body["kind"]))
def test_valid_object_has_nothing_wrong(body: dict[str, Any]) -> None:
    assert broken(body) == []


CREATES: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    (
        INGRESS,
        {"spec": {"defaultBackend": None}},
        ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"],
    ),
    (
        INGRESS,
        path(path="/a//b"),
        ["spec.rules[0].http.paths[0].path: Invalid value: \"/a//b\": must not contain '//'"],
    ),
    (
        INGRESS,
        path(pathType="ImplementationSpecific", path="x"),
        ['spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path'],
    ),
    (
        INGRESS,
        path(backend={"service": {"name": "s", "port": {"number": 1, "name": "a"}}}),
        ['spec.rules[0].http.paths[0].backend: Invalid value: "": cannot set both port name & port number'],
    ),
    (
        INGRESS,
        path(backend={}),
        ['spec.rules[0].http.paths[0].backend: Invalid value: "": resource or service backend is required'],
    ),
    (
        CLASS,
        {"spec": {"controller": "c"}},
        ['spec.controller: Invalid value: "c": must be a domain-prefixed path (such as "acme.io/foo")'],
    ),
    (
        CLASS,
        {"spec": {"parameters": {"kind": "K", "name": "n", "scope": "Namespace"}}},
        ["spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"],
    ),
    (
        POLICY,
        {"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.0.0.0/16"]}}]}]}},
        ['spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "10.0.0.0/16": must be a strict subset of `cidr`'],
    ),
    (
        POLICY,
        {"spec": {"egress": [{"ports": [{"port": "http", "endPort": 5}]}]}},
        ["spec.egress[0].ports[0].endPort: Invalid value: 5: may not be specified when `port` is non-numeric"],
    ),
    (
        POLICY,
        {"spec": {"ingress": [{"from": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}]}},
        ["spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer"],
    ),
    (
        CIDR,
        {"spec": {"cidrs": ["10.0.0.0/24", "10.0.1.0/24"]}},
        [
            'spec.cidrs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one IP for each '
            "IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        ],
    ),
    (
        SLICE,
        {"endpoints": [{"addresses": ["fd00::1"]}]},
        ['endpoints[0].addresses[0]: Invalid value: "fd00::1": must be an IPv4 address'],
    ),
    (SLICE, {"ports": [{"port": 1}, {"port": 2}]}, ['ports[1].name: Duplicate value: ""']),
    (
        LEASE,
        {"spec": {"leaseDurationSeconds": 0}},
        ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
    ),
    (
        ROLE,
        {"rules": [{"nonResourceURLs": ["/x"], "verbs": ["get"]}]},
        ['rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'],
    ),
    (
        CLUSTER_ROLE,
        {"rules": None, "aggregationRule": {}},
        [
            "aggregationRule.clusterRoleSelectors: Required value: "
            "at least one clusterRoleSelector required if aggregationRule is non-nil"
        ],
    ),
    (
        BINDING,
        {"subjects": [{"kind": "Robot", "name": "u"}]},
        ['subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"'],
    ),
    (
        CLUSTER_BINDING,
        {"roleRef": {"kind": "Role"}, "subjects": [{"kind": "ServiceAccount", "name": "u"}]},
        [
            'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
            "subjects[0].namespace: Required value",
        ],
    ),
    (
        STORAGE_CLASS,
        {"reclaimPolicy": "Recycle", "parameters": {"": "x"}},
        [
            'parameters: Invalid value: "": field can not be empty.',
            'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"',
        ],
    ),
    (
        DRIVER,
        {"spec": {"tokenRequests": [{"audience": "a", "expirationSeconds": 5}]}},
        ["spec.tokenRequests[0].expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes"],
    ),
    (
        CSI_NODE,
        {"spec": {"drivers": [{"name": "d", "nodeID": ""}]}},
        ["spec.drivers[0].nodeID: Required value"],
    ),
    (
        ATTACHMENT,
        {"spec": {"source": {"persistentVolumeName": None}}},
        ["spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"],
    ),
    (
        PRIORITY,
        {"value": 1_000_000_001},
        ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
    ),
    (
        PRIORITY,
        {"metadata": {"name": "system-mine"}},
        [
            "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. "
            "error: system-mine is not a known system priority class"
        ],
    ),
    (PRIORITY, {"metadata": {"name": "system-node-critical"}, "value": 2_000_001_000}, []),
    (
        RUNTIME,
        {"overhead": {"podFixed": {"bogus": "1"}}},
        [
            'overhead.limits[bogus]: Invalid value: "bogus": must be a standard resource type or fully qualified',
            'overhead.limits[bogus]: Invalid value: "bogus": must be a standard resource for containers',
        ],
    ),
    (
        API_SERVICE,
        {"spec": {"version": "v2", "groupPriorityMinimum": 20001}},
        [
            'metadata.name: Invalid value: "v1.example.com": must be `spec.version+"."+spec.group`: "v2.example.com"',
            "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000",
        ],
    ),
    (
        FLOW,
        {"spec": {"matchingPrecedence": 20000, "priorityLevelConfiguration": {"name": ""}}},
        [
            "spec.matchingPrecedence: Invalid value: 20000: must not be greater than 10000",
            "spec.priorityLevelConfiguration.name: Required value: must reference a priority level",
        ],
    ),
    (
        LEVEL,
        {"spec": {"type": "Exempt", "limited": None}},
        ["spec.type: Invalid value: \"Exempt\": must be 'Exempt' if and only if `name` is 'exempt'"],
    ),
    (
        LEVEL,
        {"spec": {"limited": {"limitResponse": {"type": "Queue", "queuing": {"handSize": 9, "queues": 3}}}}},
        ["spec.limited.limitResponse.queuing.handSize: Invalid value: 9: should not be greater than queues (3)"],
    ),
    (
        HOOKS,
        {"webhooks": [changed(HOOK, {"name": "v", "clientConfig": {"url": "http://x.example/"}})]},
        [
            'webhooks[0].name: Invalid value: "v": should be a domain with at least three segments separated by dots',
            "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; "
            "desired format: https://host[/path]",
        ],
    ),
    (
        HOOKS,
        {"webhooks": [changed(HOOK, {"sideEffects": None, "admissionReviewVersions": ["v7"]})]},
        [
            "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
            'webhooks[0].admissionReviewVersions: Invalid value: ["v7"]: must include at least one of v1, v1beta1',
        ],
    ),
    (HOOKS, {"webhooks": [HOOK, HOOK]}, ['webhooks[1].name: Duplicate value: "v.example.com"']),
    (
        HOOKS,
        {"webhooks": [changed(HOOK, {"rules": [changed(RULE, {"resources": ["pods", "pods/*", "pods/log"]})]})]},
        [
            'webhooks[0].rules[0].resources[2]: Invalid value: "pods/log": '
            "if 'pods/*' is present, must not specify pods/log"
        ],
    ),
    (
        ADMISSION,
        {"spec": {"validations": None}},
        [
            "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
            "spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item",
        ],
    ),
    (
        ADMISSION,
        {"spec": {"matchConstraints": {"resourceRules": []}}},
        ["spec.matchConstraints.resourceRules: Required value"],
    ),
    (
        HOOKS,
        {
            "webhooks": [
                changed(HOOK, {"rules": [changed(RULE, {"resources": ["pods/log", "pods/*", "*/log", "a/log"]})]})
            ]
        },
        ["webhooks[0].rules[0].resources[3]: Invalid value: \"a/log\": if '*/log' is present, must not specify a/log"],
    ),
    (
        ADMISSION,
        {"spec": {"matchConstraints": {"resourceRules": [changed(RULE, {"resourceNames": ["a", "a", "b/c"]})]}}},
        [
            'spec.matchConstraints.resourceRules[0].resourceNames[1]: Duplicate value: "a"',
            "spec.matchConstraints.resourceRules[0].resourceNames[2]: Invalid value: \"b/c\": may not contain '/'",
        ],
    ),
    (
        ADMISSION,
        {"spec": {"paramKind": {"apiVersion": "a/b/c", "kind": "K_"}}},
        [
            'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
            'spec.paramKind.kind: Invalid value: "K_": may have mixed case, but should otherwise match: '
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
            "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
        ],
    ),
    (
        ADMISSION,
        {"spec": {"paramKind": {"apiVersion": "a.example/", "kind": "K"}}},
        ['spec.paramKind.apiVersion: Invalid value: "a.example/": version must be specified'],
    ),
    (
        ADMISSION,
        {"spec": {"variables": [{"name": "a-b", "expression": "1"}, {"name": "for", "expression": "2"}]}},
        [
            'spec.variables[0].name: Invalid value: "a-b": must be a valid CEL identifier',
            'spec.variables[1].name: Invalid value: "for": must be a valid CEL identifier',
        ],
    ),
    (
        ADMISSION,
        {"spec": {"validations": [{"expression": "true", "message": "a\nb"}]}},
        ['spec.validations[0].message: Invalid value: "a\\nb": must not contain line breaks'],
    ),
    (
        ADMISSION,
        {"spec": {"auditAnnotations": [{"key": "k", "valueExpression": " "}, {"key": "k", "valueExpression": "'x'"}]}},
        [
            "spec.auditAnnotations[0].valueExpression: Required value: valueExpression is not specified",
            'spec.auditAnnotations[1].key: Duplicate value: "k"',
        ],
    ),
    (
        ADMISSION,
        {"spec": {"auditAnnotations": [{"key": "k", "valueExpression": "'" + "x" * 5200 + "'"}]}},
        ["spec.auditAnnotations[0].valueExpression: Required value: must not exceed 5120 bytes in length"],
    ),
    (
        MUTATING,
        {"spec": {"matchConstraints": {"resourceRules": [changed(RULE, {"operations": ["CREATE", "DELETE"]})]}}},
        [
            'spec.matchConstraints.resourceRules.operations: Unsupported value: "DELETE": '
            'supported values: "*", "CONNECT", "CREATE", "UPDATE"'
        ],
    ),
    (
        MUTATING,
        {
            "spec": {
                "mutations": [
                    {"patchType": "JSONPatch", "applyConfiguration": {"expression": "Object{}"}},
                    {"patchType": "Merge"},
                ]
            }
        },
        [
            "spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch",
            'spec.mutations[0].applyConfiguration: Invalid value: "{applyConfiguration}": '
            "must not be specified when patchType is JSONPatch",
            'spec.mutations[1].patchType: Unsupported value: "Merge": '
            'supported values: "ApplyConfiguration", "JSONPatch"',
        ],
    ),
    (
        ADMISSION_BINDING,
        {"spec": {"validationActions": []}},
        ["spec.validationActions: Required value: at least one validation action is required"],
    ),
    (
        ADMISSION_BINDING,
        {"spec": {"validationActions": ["Deny", "Deny"]}},
        ['spec.validationActions[1]: Duplicate value: "Deny"'],
    ),
    (
        RESOURCE_CLAIM,
        {"spec": {"devices": {"constraints": [{"requests": ["cpu"], "matchAttribute": "example.com/a"}]}}},
        [
            'spec.devices.constraints[0].requests[0]: Invalid value: "cpu": must be the name of a request in the claim '
            "or the name of a request and a subrequest separated by '/'"
        ],
    ),
    (
        RESOURCE_SLICE,
        {"spec": {"nodeName": None}},
        [
            "spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` "
            "is required"
        ],
    ),
    (EVENT, {"action": None}, ["action: Required value"]),
    (EVENT, {"deprecatedCount": 3}, ['count: Invalid value: "": needs to be unset']),
]


@pytest.mark.parametrize(("body", "patch", "errors"), CREATES)
def test_broken_rule_is_named_with_its_field(body: dict[str, Any], patch: dict[str, Any], errors: list[str]) -> None:
    assert broken(changed(body, patch)) == errors


CREATES += [
    (
        CIDR,
        {"spec": {"cidrs": ["FD00::/64"]}},
        ['spec.cidrs[0]: Invalid value: "FD00::/64": must be in canonical form ("fd00::/64")'],
    ),
    (
        CIDR,
        {"spec": {"cidrs": ["10.0.0.0/24", "10.1.0.0/24", "x"]}},
        [
            'spec.cidrs: Invalid value: {"CIDRs":["10.0.0.0/24","10.1.0.0/24","x"]}: may only hold up to 2 values',
        ],
    ),
    (
        INGRESS,
        {
            "metadata": {"annotations": {"kubernetes.io/ingress.class": "a"}},
            "spec": {"ingressClassName": "b", "rules": [{"http": {"paths": [{"path": "x"}]}}]},
        },
        [
            "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified",
            'annotations.kubernetes.io/ingress.class: Invalid value: "a": '
            "must match `ingressClassName` when both are specified",
        ],
    ),
    (
        POLICY,
        {"spec": {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.1/24", "except": ["10.1.0.0/25", "x"]}}]}]}},
        [
            'spec.egress[0].to[0].ipBlock.cidr: Invalid value: "10.0.0.1/24": '
            "must not have bits set beyond the prefix length",
            'spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "10.1.0.0/25": must be a strict subset of `cidr`',
            'spec.egress[0].to[0].ipBlock.except[1]: Invalid value: "x": must be a valid CIDR value, '
            "(e.g. 10.9.8.0/24 or 2001:db8::/64)",
        ],
    ),
    (
        SLICE,
        {"endpoints": [{"addresses": ["192.0.2.1"], "hints": {"forZones": [{"name": "a b"}, {"name": "a b"}]}}]},
        [
            f'endpoints[0].hints.forZones[0].name: Invalid value: "a b": {LABEL_VALUE}',
            'endpoints[0].hints.forZones[1].name: Duplicate value: "a b"',
            f'endpoints[0].hints.forZones[1].name: Invalid value: "a b": {LABEL_VALUE}',
        ],
    ),
]

CREATES += [
    (
        DRIVER,
        {
            "spec": {
                "serviceAccountTokenInSecrets": True,
                "fsGroupPolicy": "Some",
                "volumeLifecycleModes": ["Never"],
                "nodeAllocatableUpdatePeriodSeconds": 9,
            }
        },
        [
            'spec.fsGroupPolicy: Unsupported value: "Some": '
            'supported values: "File", "None", "ReadWriteOnceWithFSType"',
            'spec.volumeLifecycleModes: Unsupported value: "Never": supported values: "Persistent", "Ephemeral"',
            "spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than or equal to 10 seconds",
            "spec.serviceAccountTokenInSecrets: Invalid value: true: "
            "serviceAccountTokenInSecrets is set but no tokenRequests are specified",
        ],
    ),
    (
        CSI_NODE,
        {"spec": {"drivers": [{"name": "d", "nodeID": "n", "topologyKeys": ["a", "a"]}]}},
        ['spec.drivers[0]: Duplicate value: "a"'],
    ),
    (
        ATTACHMENT,
        {"spec": {"nodeName": "-", "source": {"persistentVolumeName": ""}}},
        [
            "spec.source.persistentVolumeName: Required value: must specify non empty persistentVolumeName",
            f'spec.nodeName: Invalid value: "-": {SUBDOMAIN}',
            f'spec.source.persistentVolumeName: Invalid value: "": {SUBDOMAIN}',
        ],
    ),
    (
        FLOW,
        {
            "spec": {
                "rules": [
                    {
                        "subjects": [{"kind": "User", "user": {"name": "u"}}],
                        "nonResourceRules": [{"verbs": ["get", "dance"], "nonResourceURLs": ["/"]}],
                    }
                ]
            }
        },
        [
            'spec.rules[0].nonResourceRules[0].verbs: Unsupported value: ["get","dance"]: supported values: "create", '
            '"delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"'
        ],
    ),
    (
        LEVEL,
        {
            "spec": {
                "limited": {
                    "limitResponse": {"type": "Queue", "queuing": {"handSize": 9, "queues": 512, "queueLengthLimit": 1}}
                }
            }
        },
        [
            "spec.limited.limitResponse.queuing.handSize: Invalid value: 9: required entropy bits of deckSize 512 and "
            "handSize 9 should not be greater than 60"
        ],
    ),
]

CREATES += [
    (
        RESOURCE_CLAIM,
        {"spec": {"devices": {"config": [{"requests": ["gpu"], "opaque": {"driver": "d", "parameters": [1]}}]}}},
        ['spec.devices.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object'],
    ),
    (
        RESOURCE_CLAIM,
        {"spec": {"devices": {"constraints": [{"requests": ["gpu"], "matchAttribute": "/a"}]}}},
        ["spec.devices.constraints[0].matchAttribute: Required value: the domain must not be empty"],
    ),
    (
        RESOURCE_SLICE,
        {
            "spec": {
                "devices": [
                    {
                        "name": "d",
                        "nodeName": "n",
                        "attributes": {"a": {"version": "1.2"}},
                        "bindingConditions": ["example.com/ready"],
                    },
                    {"name": "d"},
                ]
            }
        },
        [
            'spec.devices[0].attributes[a].version: Invalid value: "1.2": '
            "must be a string compatible with semver.org spec 2.0.0",
            "spec.devices[0]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only be set if "
            "`perDeviceNodeSelection` is set to true in the ResourceSlice spec",
            "spec.devices[0].bindingFailureConditions: Invalid value: null: "
            "bindingFailureConditions are required to use bindingConditions",
            'spec.devices[1].name: Duplicate value: "d"',
        ],
    ),
    (
        RESOURCE_SLICE,
        {"spec": {"nodeName": None, "perDeviceNodeSelection": True}},
        [
            "spec.devices[0]: Required value: exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required "
            "when `perDeviceNodeSelection` is set to true in the ResourceSlice spec"
        ],
    ),
]

UPDATES: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    (
        CLASS,
        {"spec": {"controller": "b.example/x"}},
        ['spec.controller: Invalid value: "b.example/x": field is immutable'],
    ),
    (CIDR, {"spec": {"cidrs": ["10.0.0.0/24", "fd00::/64"]}}, []),
    (CIDR, {"spec": {"cidrs": ["10.1.0.0/24"]}}, ['spec.cidrs[0]: Invalid value: "10.1.0.0/24": field is immutable']),
    (
        BINDING,
        {"roleRef": {"name": "other"}},
        [
            'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"other"}: '
            "cannot change roleRef"
        ],
    ),
    (STORAGE_CLASS, {"parameters": {"a": "b"}}, ['parameters: Invalid value: {"a":"b"}: field is immutable']),
    (STORAGE_CLASS, {"allowVolumeExpansion": True}, []),
    (
        DRIVER,
        {"spec": {"attachRequired": False}},
        ["spec.attachedRequired: Invalid value: false: field is immutable"],
    ),
    (PRIORITY, {"value": 6}, ["value: Forbidden: may not be changed in an update."]),
    (RUNTIME, {"handler": "b"}, ['handler: Invalid value: "b": field is immutable']),
]


UPDATES += [
    (
        changed(POLICY, {"spec": {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.1/24"}}]}]}}),
        {"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.1/24"}}]}]}},
        [],
    ),
    (
        changed(SLICE, {"endpoints": [{"addresses": ["127.0.0.1"]}]}),
        {"ports": [{"name": "a", "port": 1}]},
        [],
    ),
    (
        ADDRESS,
        {"spec": {"parentRef": {"name": "t"}}},
        [
            'spec.parentRef: Invalid value: {"Group":"","Resource":"services","Namespace":"","Name":"t"}: '
            "field is immutable"
        ],
    ),
]


UPDATES += [
    (
        CSI_NODE,
        {"spec": {"drivers": [{"name": "d", "nodeID": "m", "allocatable": {"count": 1}}]}},
        [
            'spec.drivers: Invalid value: {"Name":"d","NodeID":"m","TopologyKeys":null,"Allocatable":null}: '
            "field is immutable"
        ],
    ),
    (
        changed(ROLE, {"rules": []}),
        {"rules": [{"verbs": ["get"], "apiGroups": [""]}]},
        ["rules[0].resources: Required value: resource rules must supply at least one resource"] * 2,
    ),
]


@pytest.mark.parametrize(("body", "patch", "errors"), UPDATES)
def test_change_that_is_not_allowed_is_refused(body: dict[str, Any], patch: dict[str, Any], errors: list[str]) -> None:
    assert broken_update(body, patch) == errors


def test_event_with_nobody_to_report_it_is_refused() -> None:
    first, *others = broken(changed(EVENT, {"reportingController": None}))
    assert first == "reportingController: Required value"
    assert [e.split(":")[0] for e in others] == ["reportingController", "reportingController"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            changed(POLICY, {"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "FD00::/8"}}]}]}}),
            [
                'spec.ingress[0].from[0].ipBlock.cidr: IPv6 CIDR value "FD00::/8" should be in RFC 5952 canonical '
                'format ("fd00::/8")'
            ],
        ),
        (
            changed(SLICE, {"addressType": "IPv6", "endpoints": [{"addresses": ["2001:DB8::1"]}]}),
            [
                'endpoints[0].addresses[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format '
                '("2001:db8::1")'
            ],
        ),
        (
            changed(SLICE, {"addressType": "FQDN", "endpoints": [{"addresses": ["a.example"]}]}),
            ["addressType: FQDN endpoints are deprecated"],
        ),
        (
            changed(RUNTIME, {"scheduling": {"nodeSelector": {"beta.kubernetes.io/os": "linux"}}}),
            ['scheduling.nodeSelector: deprecated since v1.14; use "kubernetes.io/os" instead'],
        ),
        (
            changed(
                STORAGE_CLASS,
                {
                    "allowedTopologies": [
                        {"matchLabelExpressions": [{"key": "beta.kubernetes.io/arch", "values": ["a"]}]}
                    ]
                },
            ),
            [
                "allowedTopologies[0].matchLabelExpressions[0].key: beta.kubernetes.io/arch is deprecated since v1.14; "
                'use "kubernetes.io/arch" instead'
            ],
        ),
    ],
)
def test_what_is_accepted_may_be_advised_against(body: dict[str, Any], expected: list[str]) -> None:
    assert advice(body) == expected


def test_class_in_annotation_alone_is_advised_against() -> None:
    annotation = {"metadata": {"annotations": {"kubernetes.io/ingress.class": "x"}}}
    old_way = changed(INGRESS, annotation)
    assert advice(old_way) == [
        "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"
    ]
    assert advice(changed(old_way, {"spec": {"ingressClassName": "x"}})) == []


def test_certificate_request_that_is_none_is_refused_with_the_rest() -> None:
    request = obj("certificates.k8s.io/v1", "CertificateSigningRequest", spec={"request": "YQ==", "signerName": "a"})
    assert broken(request) == [
        'spec.request: Invalid value: "YQ==": PEM block type must be CERTIFICATE REQUEST',
        "spec.usages: Required value",
        'spec.signerName: Invalid value: "a": '
        "must be a fully qualified domain and path of the form 'example.com/signer-name'",
    ]


APPROVED = {"type": "Approved", "status": "True"}
DENIED = {"type": "Denied", "status": "True"}


@pytest.mark.parametrize(
    ("rule", "old", "new", "errors"),
    [
        (validate_certificate_request_approval, [], [APPROVED], []),
        (
            validate_certificate_request_status,
            [],
            [APPROVED],
            ['status.conditions: Forbidden: updates may not add a condition of type "Approved"'],
        ),
        (
            validate_certificate_request_approval,
            [APPROVED],
            [],
            ['status.conditions: Forbidden: updates may not remove a condition of type "Approved"'],
        ),
        (
            validate_certificate_request_approval,
            [],
            [APPROVED, DENIED, {"type": "", "status": "Maybe"}],
            [
                'status.conditions[1].type: Invalid value: "Denied": '
                "Approved and Denied conditions are mutually exclusive",
                "status.conditions[2].type: Required value",
                'status.conditions[2].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"',
            ],
        ),
    ],
)
def test_decisions_have_a_way_of_their_own(
    rule: Callable[[Any, Any], Iterable[FieldError]], old: list[Any], new: list[Any], errors: list[str]
) -> None:
    body = obj("certificates.k8s.io/v1", "CertificateSigningRequest", spec={"request": "YQ=="})
    before, after = (load({**body, "status": {"conditions": conditions}}) for conditions in (old, new))
    assert [str(e) for e in rule(after, before)] == errors


def test_a_certificate_is_issued_once() -> None:
    body = obj("certificates.k8s.io/v1", "CertificateSigningRequest", spec={"request": "YQ=="})
    before, after = (load({**body, "status": {"certificate": text}}) for text in ("YQ==", "Yg=="))
    assert [str(e) for e in validate_certificate_request_status(after, before)] == [
        'status.certificate: Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block',
        "status.certificate: Forbidden: updates may not modify existing certificate content",
    ]


GIVEN = {"request": "gpu", "driver": "gpu.example.com", "pool": "p", "device": "d0"}
USER = {"resource": "pods", "name": "p", "uid": "1"}


@pytest.mark.parametrize(
    ("old", "new", "errors"),
    [
        ({}, {"allocation": {"devices": {"results": [GIVEN]}}, "reservedFor": [USER]}, []),
        (
            {},
            {"reservedFor": [USER]},
            ["status.reservedFor: Forbidden: may not be specified when `allocated` is not set"],
        ),
        (
            {},
            {"allocation": {"devices": {"results": [{**GIVEN, "request": "cpu"}]}}},
            [
                'status.allocation.devices.results[0].request: Invalid value: "cpu": must be the name of a request in '
                "the claim or the name of a request and a subrequest separated by '/'"
            ],
        ),
        (
            {"allocation": {"devices": {"results": [GIVEN]}}},
            {
                "allocation": {"devices": {"results": [GIVEN]}},
                "devices": [{"driver": "gpu.example.com", "pool": "p", "device": "d1"}],
            },
            [
                "status.devices[0]: Invalid value: gpu.example.com/p/d1: must be an allocated device in the claim",
            ],
        ),
    ],
)
def test_claims_are_given_what_they_ask_for(old: dict[str, Any], new: dict[str, Any], errors: list[str]) -> None:
    before, after = (load({**RESOURCE_CLAIM, "status": status}) for status in (old, new))
    assert [str(e) for e in validate_claim_status(after, before)] == errors


def test_what_a_claim_was_given_stays() -> None:
    other = {**GIVEN, "device": "d1"}
    before, after = (
        load({**RESOURCE_CLAIM, "status": {"allocation": {"devices": {"results": [device]}}}})
        for device in (GIVEN, other)
    )
    (error,) = validate_claim_status(after, before)
    assert (error.field, error.detail) == ("status.allocation", "field is immutable")
