"""The rules of the core group beside pods: each case is a valid object, how it differs, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.registry.rules import advice, broken, broken_update, changed

SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def core(kind: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": "ns"}, **fields}


SERVICE = core("Service", spec={"ports": [{"port": 80}], "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"]})
BALANCER = changed(SERVICE, {"spec": {"type": "LoadBalancer"}})
CONFIG = core("ConfigMap", data={"a": "b"})
SECRET = core("Secret", data={"a": "Yg=="})
NODE = core("Node")
ENDPOINTS = core("Endpoints", subsets=[{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 1}]}])
LIMITS = core("LimitRange", spec={"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "100m"}}]})
QUOTA = core("ResourceQuota", spec={"hard": {"pods": "5"}})
VOLUME = core(
    "PersistentVolume",
    spec={"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}},
)
CLAIM = core(
    "PersistentVolumeClaim",
    spec={
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "x",
        "resources": {"requests": {"storage": "1Gi"}},
    },
)
EVENT = core("Event", involvedObject={"kind": "Pod", "namespace": "ns", "name": "p"})


def in_zone(label: str) -> dict[str, Any]:
    expression = {"key": label, "operator": "In", "values": ["a"]}
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}


VALID = [SERVICE, BALANCER, CONFIG, SECRET, NODE, ENDPOINTS, LIMITS, QUOTA, VOLUME, CLAIM, EVENT, core("Namespace")]


@pytest.mark.parametrize("body", VALID, ids=lambda body: str(body["kind"]))
def test_valid_object_has_nothing_wrong(body: dict[str, Any]) -> None:
    assert broken(body) == []


CREATES: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    (SERVICE, {"spec": {"ports": None}}, ["spec.ports: Required value"]),
    (
        SERVICE,
        {"spec": {"ports": [{"port": 1}, {"port": 2}]}},
        ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
    ),
    (
        SERVICE,
        {"spec": {"ports": [{"name": "a", "port": 1}, {"name": "b", "port": 1}]}},
        [
            'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":1,"TargetPort":0,'
            '"NodePort":0}'
        ],
    ),
    (
        SERVICE,
        {"spec": {"ports": [{"port": 80, "targetPort": "9090"}]}},
        ['spec.ports[0].targetPort: Invalid value: "9090": must contain at least one letter (a-z)'],
    ),
    (
        SERVICE,
        {"spec": {"ports": [{"port": 80, "nodePort": 30001}]}},
        ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ),
    (
        SERVICE,
        {"spec": {"type": "Balancer", "internalTrafficPolicy": "Cluster"}},
        [
            'spec.type: Unsupported value: "Balancer": supported values: "ClusterIP", "ExternalName", '
            '"LoadBalancer", "NodePort"'
        ],
    ),
    (
        SERVICE,
        {"spec": {"clusterIPs": ["10.96.0.8"]}},
        ['spec.clusterIPs: Invalid value: ["10.96.0.8"]: first value must match `clusterIP`'],
    ),
    (
        SERVICE,
        {"spec": {"externalIPs": ["169.254.0.1"]}},
        [
            'spec.externalIPs[0]: Invalid value: "169.254.0.1": may not be in the link-local range '
            "(169.254.0.0/16, fe80::/10)"
        ],
    ),
    (
        SERVICE,
        {"spec": {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}}}},
        [
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: "
            "must be greater than 0 and less than 86400"
        ],
    ),
    (
        SERVICE,
        {"spec": {"loadBalancerClass": "example.com/a"}},
        ["spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"],
    ),
    (
        BALANCER,
        {"spec": {"loadBalancerSourceRanges": ["10.0.0.0"]}},
        [
            'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0": must be a valid CIDR value, '
            "(e.g. 10.9.8.0/24 or 2001:db8::/64)"
        ],
    ),
    (BALANCER, {"spec": {"ports": [{"port": 10250}]}}, []),
    (
        SERVICE,
        {"spec": {"externalIPs": ["::"]}},
        ['spec.externalIPs[0]: Invalid value: "::": may not be unspecified (::)'],
    ),
    (
        BALANCER,
        {"spec": {"clusterIP": "None", "clusterIPs": ["None"]}},
        ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for LoadBalancer services"],
    ),
    (
        BALANCER,
        {"spec": {"externalTrafficPolicy": "Local"}},
        ["spec.healthCheckNodePort: Required value"],
    ),
    (
        CONFIG,
        {"data": {"..a": "x"}},
        ["data[..a]: Invalid value: \"..a\": must not start with '..'"],
    ),
    (
        CONFIG,
        {"binaryData": {"a": "Yg=="}},
        ['data[a]: Invalid value: "a": duplicate of key present in binaryData'],
    ),
    (CONFIG, {"data": {"a": "x" * (1024 * 1024 + 1)}}, ["[]: Too long: may not be more than 1048576 bytes"]),
    (SECRET, {"type": "kubernetes.io/tls"}, ["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
    (
        SECRET,
        {"type": "kubernetes.io/service-account-token"},
        ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
    ),
    (
        SECRET,
        {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "e30="}},
        [],
    ),
    (
        SECRET,
        {"type": "kubernetes.io/dockercfg", "data": {".dockercfg": ""}},
        ['data[.dockercfg]: Invalid value: "<secret contents redacted>": unexpected end of JSON input'],
    ),
    (
        NODE,
        {"spec": {"taints": [{"key": "a", "effect": "Never"}]}},
        [
            'metadata.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", '
            '"PreferNoSchedule", "NoExecute"'
        ],
    ),
    (
        NODE,
        {"spec": {"podCIDRs": ["10.0.0.0/24", "10.0.1.0/24"]}},
        [
            'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: '
            "may specify no more than one CIDR for each IP family"
        ],
    ),
    (
        ENDPOINTS,
        {"subsets": [{"addresses": [{"ip": "127.0.0.1"}]}]},
        [
            'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": '
            "may not be in the loopback range (127.0.0.0/8, ::1/128)"
        ],
    ),
    (
        ENDPOINTS,
        {"subsets": [{"ports": [{"port": 1}]}]},
        ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"],
    ),
    (
        LIMITS,
        {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}, "default": {"cpu": "2"}}]}},
        [
            'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": '
            "default request value 2 is greater than max value 1",
            'spec.limits[0].default[cpu]: Invalid value: "1": default value 2 is greater than max value 1',
        ],
    ),
    (
        LIMITS,
        {"spec": {"limits": [{"type": "Pod", "default": {"cpu": "1"}}]}},
        ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"],
    ),
    (
        LIMITS,
        {
            "spec": {
                "limits": [
                    {
                        "type": "Pod",
                        "max": {"cpu": "2"},
                        "min": {"cpu": "1"},
                        "maxLimitRequestRatio": {"cpu": "3"},
                    }
                ]
            }
        },
        ['spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000'],
    ),
    (QUOTA, {"spec": {"hard": {"pods": "500m"}}}, ['spec.hard[pods]: Invalid value: "500m": must be an integer']),
    (
        QUOTA,
        {"spec": {"hard": {"cpu": "1"}, "scopes": ["BestEffort"]}},
        ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'],
    ),
    (
        QUOTA,
        {
            "spec": {
                "scopeSelector": {
                    "matchExpressions": [
                        {"scopeName": "Terminating", "operator": "Exists"},
                        {"scopeName": "NotTerminating", "operator": "Exists"},
                    ]
                }
            }
        },
        ["spec.scopeSelector.matchExpressions: Invalid value: null: conflicting scopes"],
    ),
    (
        QUOTA,
        {"spec": {"scopes": ["Terminating", "NotTerminating"]}},
        ['spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes'],
    ),
    (
        QUOTA,
        {
            "spec": {
                "hard": {"services.nodeports": "1"},
                "scopeSelector": {
                    "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]
                },
            }
        },
        [
            "spec.scopeSelector.matchExpressions: Invalid value: "
            '{"MatchExpressions":[{"ScopeName":"PriorityClass","Operator":"In","Values":["high"]}]}: '
            "unsupported scope applied to resource"
        ],
    ),
    (
        VOLUME,
        {"spec": {"capacity": None}},
        ["spec.capacity: Required value", 'spec.capacity: Unsupported value: null: supported values: "storage"'],
    ),
    (
        VOLUME,
        {"spec": {"nfs": {"server": "s", "path": "/p"}}},
        ["spec.nfs: Forbidden: may not specify more than 1 volume type"],
    ),
    (
        VOLUME,
        {"spec": {"hostPath": {"path": "/./"}, "persistentVolumeReclaimPolicy": "Recycle"}},
        ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"],
    ),
    (
        VOLUME,
        {"spec": {"hostPath": None, "local": {"path": "/x"}}},
        ["spec.nodeAffinity: Required value: Local volume requires node affinity"],
    ),
    (
        VOLUME,
        {"spec": {"accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]}},
        ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"],
    ),
    (
        CLAIM,
        {"spec": {"accessModes": None, "resources": {"requests": {"storage": "0"}}}},
        [
            "spec.accessModes: Required value: at least 1 access mode is required",
            'spec.resources[storage]: Invalid value: "0": must be greater than zero',
        ],
    ),
    (
        CLAIM,
        {"spec": {"storageClassName": "A B"}},
        [f'spec.storageClassName: Invalid value: "A B": {SUBDOMAIN}'],
    ),
    (
        EVENT,
        {"involvedObject": {"namespace": "other"}},
        ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ),
    (
        core("Namespace"),
        {"spec": {"finalizers": ["mine"]}},
        ['spec.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified'],
    ),
]


@pytest.mark.parametrize(("body", "patch", "errors"), CREATES)
def test_broken_rule_is_named_with_its_field(body: dict[str, Any], patch: dict[str, Any], errors: list[str]) -> None:
    assert broken(changed(body, patch)) == errors


CREATES += [
    (
        NODE,
        {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"}]}},
        [
            'metadata.taints[1]: Duplicate value: {"Key":"a","Value":"","Effect":"NoSchedule","TimeAdded":null}: '
            "taints must be unique by key and effect pair"
        ],
    ),
    (
        LIMITS,
        {
            "spec": {
                "limits": [
                    {"type": "Container", "default": {"example.com/a": "2"}, "defaultRequest": {"example.com/a": "1"}}
                ]
            }
        },
        [
            'spec.limits[0].defaultRequest[example.com/a]: Invalid value: "1": '
            "default value 2 must equal to defaultRequest value 1 in example.com/a"
        ],
    ),
    (
        SECRET,
        {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "W10="}},
        [
            'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": '
            "json: cannot unmarshal array into Go value of type map[string]interface {}"
        ],
    ),
    (SECRET, {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "bnVsbA=="}}, []),
    (
        VOLUME,
        {
            "spec": {
                "hostPath": None,
                "csi": {
                    "driver": "d.example",
                    "volumeHandle": "h",
                    "nodePublishSecretRef": {"name": "a", "namespace": "a.b"},
                },
            }
        },
        ['spec.csi.nodePublishSecretRef.namespace: Invalid value: "a.b": must not contain dots'],
    ),
    (
        VOLUME,
        {"spec": {"hostPath": None, "azureFile": {"secretName": "a", "shareName": "b", "secretNamespace": ""}}},
        ["spec.azureFile.secretNamespace: Required value"],
    ),
    (
        VOLUME,
        {"spec": {"hostPath": None, "cinder": {"volumeID": "a", "secretRef": {"name": "s"}}}},
        ["spec.cinder.secretRef.namespace: Required value"],
    ),
    (
        VOLUME,
        {"spec": {"gcePersistentDisk": {"pdName": "a"}, "cephfs": {"monitors": ["m"]}}},
        [
            "spec.gcePersistentDisk: Forbidden: may not specify more than 1 volume type",
            "spec.cephFS: Forbidden: may not specify more than 1 volume type",
        ],
    ),
    (
        VOLUME,
        {"spec": {"hostPath": None, "gcePersistentDisk": {"pdName": ""}}},
        ["spec.persistentDisk.pdName: Required value"],
    ),
    (
        CLAIM,
        {"spec": {"dataSource": {"kind": "Other", "name": "a"}}},
        [
            'spec.dataSource: Invalid value: "Other": '
            "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        ],
    ),
    (
        core("ReplicationController", spec={"selector": {"a": "b"}, "template": None, "replicas": -1}),
        {},
        [
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            "spec.template: Required value",
        ],
    ),
]

UPDATES: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    (
        SERVICE,
        {"spec": {"clusterIP": "10.96.0.8", "clusterIPs": ["10.96.0.8"]}},
        ['spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set'],
    ),
    (
        changed(BALANCER, {"spec": {"loadBalancerClass": "a.example/b"}}),
        {"spec": {"loadBalancerClass": "a.example/c"}},
        ['spec.loadBalancerClass: Invalid value: "a.example/c": may not change once set'],
    ),
    (
        changed(CONFIG, {"immutable": True}),
        {"immutable": None, "data": {"a": "c"}},
        [
            "immutable: Forbidden: field is immutable when `immutable` is set",
            "data: Forbidden: field is immutable when `immutable` is set",
        ],
    ),
    (SECRET, {"type": "example.com/x"}, ['type: Invalid value: "example.com/x": field is immutable']),
    (
        changed(NODE, {"spec": {"podCIDR": "10.0.0.0/24", "providerID": "a"}}),
        {"spec": {"podCIDR": "10.0.1.0/24", "podCIDRs": ["10.0.1.0/24"], "providerID": "b"}},
        [
            'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
            'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
        ],
    ),
    (
        changed(QUOTA, {"spec": {"scopes": ["BestEffort"]}}),
        {"spec": {"scopes": ["NotBestEffort"]}},
        ['spec.scopes: Invalid value: ["NotBestEffort"]: field is immutable'],
    ),
    (VOLUME, {"spec": {"volumeMode": "Block"}}, ['volumeMode: Invalid value: "Block": field is immutable']),
    (CLAIM, {"spec": {"volumeName": "pv"}}, []),
    (
        changed(CLAIM, {"status": {"phase": "Bound"}}),
        {"spec": {"resources": {"requests": {"storage": "2Gi"}}}},
        [],
    ),
]


UPDATES += [
    (
        changed(SERVICE, {"spec": {"externalIPs": ["1.2.3.04"]}}),
        {"spec": {"externalIPs": ["1.2.3.04", "1.2.3.05"]}},
        ['spec.externalIPs[1]: Invalid value: "1.2.3.05": must not have leading 0s'],
    ),
    (
        changed(BALANCER, {"spec": {"externalTrafficPolicy": "Local", "healthCheckNodePort": 30001}}),
        {"spec": {"healthCheckNodePort": 30002}},
        ["spec.healthCheckNodePort: Forbidden: field is immutable"],
    ),
    (
        changed(BALANCER, {"spec": {"loadBalancerClass": "a.example/b", "allocateLoadBalancerNodePorts": None}}),
        {"spec": {"type": "ClusterIP", "allocateLoadBalancerNodePorts": None}},
        ["spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"] * 2,
    ),
    (
        changed(NODE, {"spec": {"podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.0.0/24", "fd00::/64"]}}),
        {"spec": {"podCIDR": "10.0.1.0/24", "podCIDRs": ["10.0.1.0/24", "fd01::/64"]}},
        ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'] * 2,
    ),
    (
        changed(CLAIM, {"spec": {"volumeAttributesClassName": "gold"}}),
        {"spec": {"volumeAttributesClassName": None}},
        ["spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden"],
    ),
    (CLAIM, {"spec": {"volumeAttributesClassName": "gold"}}, []),
    (
        changed(CLAIM, {"metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "x"}}}),
        {"metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "y"}}},
        [
            'metadata.annotations.volume.beta.kubernetes.io/storage-class: Invalid value: "y": field is immutable',
        ],
    ),
    (
        changed(VOLUME, {"spec": {"hostPath": None, "csi": {"driver": "d.example", "volumeHandle": "h"}}}),
        {"spec": {"csi": {"controllerExpandSecretRef": {"name": "a", "namespace": "b"}}}},
        [],
    ),
    (
        changed(VOLUME, {"spec": {"nodeAffinity": in_zone("failure-domain.beta.kubernetes.io/zone")}}),
        {"spec": {"nodeAffinity": in_zone("topology.kubernetes.io/zone")}},
        [],
    ),
    (ENDPOINTS, {"metadata": {"annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "now"}}}, []),
]


@pytest.mark.parametrize(("body", "patch", "errors"), UPDATES)
def test_change_that_is_not_allowed_is_refused(body: dict[str, Any], patch: dict[str, Any], errors: list[str]) -> None:
    assert broken_update(body, patch) == errors


def test_refused_change_of_a_claim_shows_what_differs() -> None:
    (error,) = broken_update(CLAIM, {"spec": {"storageClassName": "y"}})
    message, _, difference = error.partition("\n")
    assert message == (
        "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName "
        "for bound claims"
    )
    assert difference.splitlines()[4:6] == ['- "StorageClassName": "x",', '+ "StorageClassName": "y",']


def test_refused_change_of_a_volume_shows_what_differs() -> None:
    (error,) = broken_update(VOLUME, {"spec": {"hostPath": {"path": "/y"}}})
    assert error.splitlines()[0] == (
        "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"
    )
    assert error.splitlines()[5:7] == ['-  "Path": "/x",', '+  "Path": "/y",']


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            changed(SERVICE, {"spec": {"trafficDistribution": "PreferClose"}}),
            ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'],
        ),
        (
            changed(SERVICE, {"spec": {"externalIPs": ["192.0.2.3"]}}),
            ["spec.externalIPs is deprecated and may no longer be implemented in some clusters"],
        ),
        (
            changed(SECRET, {"type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""}}),
            ["tls: failed to find any PEM data in certificate input"],
        ),
        (
            changed(SERVICE, {"spec": {"clusterIP": "FD00::1", "clusterIPs": ["FD00::1"]}}),
            ['spec.clusterIPs[0]: IPv6 address "FD00::1" should be in RFC 5952 canonical format ("fd00::1")'],
        ),
        (
            changed(BALANCER, {"spec": {"loadBalancerSourceRanges": ["FD00::/8"]}}),
            [
                'spec.loadBalancerSourceRanges[0]: IPv6 CIDR value "FD00::/8" should be in RFC 5952 canonical format '
                '("fd00::/8")'
            ],
        ),
        (
            changed(VOLUME, {"spec": {"persistentVolumeReclaimPolicy": "Recycle"}}),
            [
                "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the "
                "recommended approach is to use dynamic provisioning."
            ],
        ),
        (
            changed(
                CLAIM,
                {
                    "metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "x"}},
                    "spec": {"resources": {"requests": {"storage": "100m"}}},
                },
            ),
            [
                "metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; "
                'use "storageClassName" attribute instead',
                'spec.resources.requests[storage]: fractional byte value "100m" is invalid, must be an integer',
            ],
        ),
        (SERVICE, []),
        (
            changed(NODE, {"spec": {"externalID": "x", "podCIDRs": ["FD00::/64"], "podCIDR": "FD00::/64"}}),
            [
                "spec.externalID: this field is deprecated, and is unused by Kubernetes",
                'spec.podCIDRs[0]: IPv6 CIDR value "FD00::/64" should be in RFC 5952 canonical format ("fd00::/64")',
            ],
        ),
        (
            changed(VOLUME, {"spec": {"hostPath": None, "rbd": {"monitors": ["m"], "image": "i"}}}),
            ["spec.rbd: deprecated in v1.28, non-functional in v1.31+"],
        ),
        (
            changed(
                SERVICE,
                {
                    "spec": {
                        "clusterIP": "None",
                        "clusterIPs": ["None"],
                        "externalIPs": ["192.0.2.3"],
                        "sessionAffinity": "ClientIP",
                        "externalName": "a.example",
                    }
                },
            ),
            [
                "spec.externalIPs is ignored for headless services",
                "spec.SessionAffinity is ignored for headless services",
                'spec.externalName is ignored when spec.type is not "ExternalName"',
            ],
        ),
        (
            core("Service", spec={"type": "ExternalName", "externalName": "a", "externalIPs": ["192.0.2.3"]}),
            ['spec.externalIPs is ignored when spec.type is "ExternalName"'],
        ),
    ],
)
def test_advice_goes_with_what_is_accepted(body: dict[str, Any], expected: list[str]) -> None:
    assert advice(body) == expected
