"""The rules of pods: each case breaks one and names the errors in full."""

from __future__ import annotations

from typing import Any

import pytest

from kcore.api.core_v1 import Pod, PodTemplate
from kcore.registry.defaults.pods import default_pod, default_pod_template
from kcore.registry.validation.pods import validate_pod, validate_pod_template
from tests.registry.specimens import APP, lines, made, pod

C = "spec.containers[0]"
V = "spec.volumes[0]"


def problems(document: dict[str, Any]) -> list[str]:
    return lines(validate_pod(made(document, Pod, default_pod)))


def test_a_plain_pod_is_sound() -> None:
    assert problems(pod()) == []


def test_a_pod_with_everything_is_sound() -> None:
    volumes = [
        {"name": "a", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "b", "persistentVolumeClaim": {"claimName": "c"}},
        {"name": "c", "projected": {"sources": [{"configMap": {"name": "x", "items": [{"key": "k", "path": "p"}]}}]}},
    ]
    container = {
        "ports": [{"name": "web", "containerPort": 80}],
        "env": [
            {"name": "A B", "value": "1"},
            {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "volumeMounts": [{"name": "a", "mountPath": "/a"}],
        "volumeDevices": [{"name": "b", "devicePath": "/dev/b"}],
        "livenessProbe": {"httpGet": {"port": "web"}},
        "lifecycle": {"preStop": {"sleep": {"seconds": 30}}},
        "resources": {"limits": {"cpu": "1", "example.com/gpu": "1"}, "requests": {"example.com/gpu": "1"}},
        "securityContext": {"runAsUser": 0, "capabilities": {"drop": ["ALL"]}},
    }
    init = {**APP, "name": "sidecar", "restartPolicy": "Always", "readinessProbe": {"exec": {"command": ["x"]}}}
    spread = {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
    spec = {
        "volumes": volumes,
        "initContainers": [init],
        "topologySpreadConstraints": [spread],
        "tolerations": [{"operator": "Exists"}, {"key": "k", "effect": "NoExecute", "tolerationSeconds": 3}],
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["a_b.example.", "."]},
        "hostAliases": [{"ip": "::1", "hostnames": ["h.example"]}],
    }
    assert problems(pod(container, **spec)) == []


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"image": ""}, [f"{C}.image: Required value"]),
        (
            {"image": " x "},
            [f'{C}.image: Invalid value: " x ": must not have leading or trailing whitespace'],
        ),
        ({"ports": [{"name": "x"}]}, [f"{C}.ports[0].containerPort: Required value"]),
        (
            {"ports": [{"containerPort": 70000}]},
            [f"{C}.ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"],
        ),
        (
            {"ports": [{"containerPort": 1, "protocol": "ICMP"}]},
            [f'{C}.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
        ),
        (
            {"ports": [{"containerPort": 1, "hostPort": 5}, {"containerPort": 2, "hostPort": 5}]},
            [f'{C}.ports[1].hostPort: Duplicate value: "TCP//5"'],
        ),
        (
            {"ports": [{"name": "a", "containerPort": 1}, {"name": "a", "containerPort": 2}]},
            [f'{C}.ports[1].name: Duplicate value: "a"'],
        ),
        (
            {"env": [{"name": "a=b"}]},
            [
                f'{C}.env[0].name: Invalid value: "a=b": a valid environment variable name must consist only of '
                "printable ASCII characters other than '='"
            ],
        ),
        (
            {"env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]},
            [
                f'{C}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: '
                '"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", '
                '"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"'
            ],
        ),
        (
            {"env": [{"name": "a", "value": "v", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
            [f'{C}.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
        ),
        (
            {"env": [{"name": "a", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "2"}}}]},
            [
                f'{C}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": '
                "only divisor's values 1m and 1 are supported with the cpu resource"
            ],
        ),
        ({"envFrom": [{}]}, [f'{C}.envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`']),
        (
            {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}},
            [f'{C}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
        ),
        (
            {"resources": {"requests": {"example.com/gpu": "1"}}},
            [f"{C}.resources.limits: Required value: Limit must be set for non overcommitable resources"],
        ),
        (
            {"resources": {"limits": {"example.com/gpu": "1500m"}}},
            [
                f'{C}.resources.limits[example.com/gpu]: Invalid value: "1500m": must be an integer',
                f'{C}.resources.requests[example.com/gpu]: Invalid value: "1500m": must be an integer',
            ],
        ),
        (
            {"resources": {"limits": {"hugepages-2Mi": "2Mi"}}},
            [f"{C}.resources: Forbidden: HugePages require cpu or memory"],
        ),
        (
            {"resources": {"limits": {"cpu": "1", "hugepages-2Mi": "3Mi"}}},
            [
                f'{C}.resources.{side}[hugepages-2Mi]: Invalid value: "3Mi": '
                "3Mi is not positive integer multiple of hugepages-2Mi"
                for side in ("limits", "requests")
            ],
        ),
        (
            {"resources": {"limits": {"pods": "1"}}},
            [
                f'{C}.resources.{side}[pods]: Invalid value: "pods": must be a standard resource for containers'
                for side in ("limits", "requests")
            ],
        ),
        (
            {"resources": {"claims": [{"name": "gpu"}]}},
            [
                f'{C}.resources.claims[0]: Not found: "gpu": '
                "must be one of the names in pod.spec.resourceClaims which is empty"
            ],
        ),
        ({"livenessProbe": {}}, [f"{C}.livenessProbe: Required value: must specify a handler type"]),
        (
            {"livenessProbe": {"exec": {"command": ["x"]}, "tcpSocket": {"port": 1}}},
            [f"{C}.livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
        ),
        (
            {"startupProbe": {"tcpSocket": {"port": 1}, "successThreshold": 2}},
            [f"{C}.startupProbe.successThreshold: Invalid value: 2: must be 1"],
        ),
        (
            {"readinessProbe": {"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 1}},
            [
                f"{C}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: "
                "must not be set for readinessProbes"
            ],
        ),
        (
            {"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}},
            [
                f"{C}.lifecycle.preStop.sleep: Invalid value: 31: "
                "must be non-negative and less than terminationGracePeriodSeconds (30)"
            ],
        ),
        (
            {"terminationMessagePolicy": "Bad"},
            [
                f'{C}.terminationMessagePolicy: Unsupported value: "Bad": '
                'supported values: "File", "FallbackToLogsOnError"'
            ],
        ),
        (
            {"restartPolicy": "Sometimes"},
            [f'{C}.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"'],
        ),
        ({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, [f'{C}.volumeMounts[0].name: Not found: "v"']),
        ({"volumeDevices": [{"name": "v", "devicePath": "/v"}]}, [f'{C}.volumeDevices[0].name: Not found: "v"']),
        (
            {"securityContext": {"runAsUser": -1}},
            [f"{C}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
        ),
        (
            {"securityContext": {"privileged": True, "allowPrivilegeEscalation": False}},
            [
                f'{C}.securityContext: Invalid value: {{"Capabilities":null,"Privileged":true,"SELinuxOptions":null,'
                '"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,'
                '"ReadOnlyRootFilesystem":null,"AllowPrivilegeEscalation":false,"ProcMount":null,'
                '"SeccompProfile":null,"AppArmorProfile":null}: '
                "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            ],
        ),
        (
            {"securityContext": {"seccompProfile": {"type": "Localhost"}}},
            [
                f"{C}.securityContext.seccompProfile.localhostProfile: Required value: "
                "must be set when seccomp type is Localhost"
            ],
        ),
        (
            {"securityContext": {"windowsOptions": {"runAsUserName": "a\\b\\c"}}},
            [
                f'{C}.securityContext.windowsOptions.runAsUserName: Invalid value: "a\\\\b\\\\c": '
                "runAsUserName cannot contain more than one backslash"
            ],
        ),
    ],
)
def test_a_container_keeps_its_rules(container: dict[str, Any], expected: list[str]) -> None:
    assert problems(pod(container)) == expected


INIT = "spec.initContainers[0]"
ONLY_SIDECARS = "Forbidden: may not be set for init containers without restartPolicy=Always"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": []}, ["spec.containers: Required value"]),
        ({"containers": [APP, APP]}, ['spec.containers[1].name: Duplicate value: "app"']),
        ({"initContainers": [APP]}, [f'{INIT}.name: Duplicate value: "app"']),
        (
            {"initContainers": [{**APP, "name": "i", "livenessProbe": {"tcpSocket": {"port": 1}}, "lifecycle": {}}]},
            [f"{INIT}.lifecycle: {ONLY_SIDECARS}", f"{INIT}.livenessProbe: {ONLY_SIDECARS}"],
        ),
        (
            {"ephemeralContainers": [{**APP, "name": "d"}]},
            ["spec.ephemeralContainers: Forbidden: cannot be set on create"],
        ),
        (
            {"restartPolicy": "Maybe"},
            ['spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "OnFailure", "Never"'],
        ),
        (
            {"dnsPolicy": "None"},
            ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
        ),
        (
            {"activeDeadlineSeconds": 0},
            ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
        ),
        (
            {"tolerations": [{"operator": "Equal"}]},
            [
                'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, '
                'which means "match all values and all keys"'
            ],
        ),
        (
            {"tolerations": [{"key": "k", "operator": "Exists", "value": "x"}]},
            ["spec.tolerations[0].operator: Invalid value: \"x\": value must be empty when `operator` is 'Exists'"],
        ),
        (
            {
                "affinity": {
                    "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}
                }
            },
            [
                "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: "
                "Required value: must have at least one node selector term"
            ],
        ),
        (
            {"topologySpreadConstraints": [{"topologyKey": "z", "whenUnsatisfiable": "No", "labelSelector": {}}]},
            [
                "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
                'spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "No": '
                'supported values: "DoNotSchedule", "ScheduleAnyway"',
            ],
        ),
        (
            {"schedulingGates": [{"name": "a"}, {"name": "a"}]},
            ['spec.schedulingGates[1]: Duplicate value: "a"'],
        ),
        (
            {"nodeName": "n", "schedulingGates": [{"name": "a"}]},
            ["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"],
        ),
        (
            {"hostUsers": False, "hostNetwork": True},
            ["spec.hostNetwork: Forbidden: when `hostUsers` is false"],
        ),
        (
            {"os": {"name": "windows"}, "hostPID": True, "securityContext": {"fsGroup": 1}},
            [
                "spec.hostPID: Forbidden: cannot be set for a windows pod",
                "spec.securityContext.fsGroup: Forbidden: cannot be set for a windows pod",
            ],
        ),
        (
            {"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}, "hostNetwork": True},
            [
                'spec.securityContext.sysctls[0].name: Invalid value: "net.core.somaxconn": '
                "may not be specified when 'hostNetwork' is true"
            ],
        ),
        (
            {"resources": {"requests": {"cpu": "1"}}, "containers": [{**APP, "resources": {"requests": {"cpu": "2"}}}]},
            [
                'spec.resources.requests[cpu]: Invalid value: "1": '
                "must be greater than or equal to aggregate container requests of 2"
            ],
        ),
        (
            {"hostAliases": [{"ip": "nowhere"}]},
            [
                'spec.hostAliases[0].ip: Invalid value: "nowhere": '
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            ],
        ),
        (
            {"hostAliases": [{"ip": "010.0.0.5"}]},
            ['spec.hostAliases[0].ip: Invalid value: "010.0.0.5": must not have leading 0s'],
        ),
        ({"os": {"name": ""}}, ["spec.os.name: Required value"]),
        (
            {"os": {"name": "plan9"}},
            ['spec.os: Unsupported value: "plan9": supported values: "linux", "windows"'],
        ),
        (
            {"hostnameOverride": "a" * 65, "setHostnameAsFQDN": True, "hostNetwork": True},
            [
                "spec.hostnameOverride: Forbidden: may not be specified when setHostnameAsFQDN is true",
                "spec.hostnameOverride: Forbidden: may not be specified when hostNetwork is true",
                "spec.hostnameOverride: Too long: may not be more than 64 bytes",
            ],
        ),
        (
            {"tolerations": [{"key": "k", "operator": "Gt", "value": "1"}]},
            ['spec.tolerations[0].operator: Unsupported value: "Gt": supported values: "Equal", "Exists", "Lt", "Gt"'],
        ),
        (
            {"os": {"name": "windows"}, "resources": {"requests": {"cpu": "1"}}},
            ["spec.resources: Forbidden: may not be set for a windows pod"],
        ),
        (
            {
                "initContainers": [
                    {
                        **APP,
                        "name": "i",
                        "restartPolicy": "Always",
                        "resources": {"requests": {"cpu": "1"}},
                    }
                ],
                "containers": [{**APP, "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "5"}}}],
                "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "4"}},
            },
            [
                'spec.resources.requests[cpu]: Invalid value: "2": '
                "must be greater than or equal to aggregate container requests of 3",
                'spec.resources.containers[0][cpu].limits: Invalid value: "5": '
                "must be less than or equal to pod limits of 4",
            ],
        ),
    ],
)
def test_a_pod_spec_keeps_its_rules(spec: dict[str, Any], expected: list[str]) -> None:
    assert problems(pod(**spec)) == expected


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        (
            {"emptyDir": {}, "hostPath": {"path": "/x"}},
            [f"{V}.hostPath: Forbidden: may not specify more than 1 volume type"],
        ),
        ({"hostPath": {"path": "/a/../b"}}, [f"{V}.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"]),
        ({"persistentVolumeClaim": {}}, [f"{V}.persistentVolumeClaim.claimName: Required value"]),
        (
            {"nfs": {"server": "s", "path": "p"}},
            [f'{V}.nfs.path: Invalid value: "p": must be an absolute path'],
        ),
        (
            {"iscsi": {"targetPortal": "p", "iqn": "abc", "lun": 300}},
            [
                f'{V}.iscsi.iqn: Invalid value: "abc": must be valid format starting with iqn, eui, or naa',
                f"{V}.iscsi.lun: Invalid value: 300: must be between 0 and 255, inclusive",
            ],
        ),
        (
            {"secret": {"secretName": "s", "defaultMode": 512}},
            [
                f"{V}.secret.defaultMode: Invalid value: 512: "
                "must be a number between 0 and 0777 (octal), both inclusive"
            ],
        ),
        (
            {"configMap": {"name": "c", "items": [{"key": "k", "path": "..x"}]}},
            [f"{V}.configMap.items[0].path: Invalid value: \"..x\": must not start with '..'"],
        ),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 5}}]}},
            [
                f"{V}.projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 5: "
                "may not specify a duration less than 10 minutes",
                f"{V}.projected.sources[0].serviceAccountToken: Forbidden: "
                "must not be specified when serviceAccountName is not set",
            ],
        ),
        (
            {
                "projected": {
                    "sources": [
                        {"secret": {"name": "s", "items": [{"key": "k", "path": "p"}]}},
                        {"configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}},
                    ]
                }
            },
            [f'{V}.projected: Invalid value: "c": conflicting duplicate paths'],
        ),
        (
            {"csi": {}},
            [f"{V}.csi.driver: Required value", f'{V}.csi.driver: Invalid value: "": '],
        ),
        ({"ephemeral": {}}, [f"{V}.ephemeral.volumeClaimTemplate: Required value"]),
        (
            {"azureDisk": {"diskName": "d", "diskURI": "x"}},
            [
                f'{V}.azureDisk.diskURI: Unsupported value: "x": supported values: '
                '"https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"'
            ],
        ),
        ({"fc": {}}, [f"{V}.fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both"]),
        ({"gcePersistentDisk": {}}, [f"{V}.persistentDisk.pdName: Required value"]),
        (
            {
                "ephemeral": {
                    "volumeClaimTemplate": {
                        "metadata": {"name": "n"},
                        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1"}}},
                    }
                }
            },
            [f"{V}.ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set"],
        ),
        (
            {
                "projected": {
                    "sources": [
                        {"podCertificate": {"signerName": "a", "keyType": "DSA", "maxExpirationSeconds": 1}},
                    ]
                }
            },
            [
                f'{V}.projected.sources[0].podCertificate.signerName: Invalid value: "a": '
                "must be a fully qualified domain and path",
                f'{V}.projected.sources[0].podCertificate.keyType: Unsupported value: "DSA": '
                'supported values: "RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"',
                f"{V}.projected.sources[0].podCertificate.maxExpirationSeconds: Invalid value: 1: "
                "if provided, maxExpirationSeconds must be >= 3600",
                f"{V}.projected.sources[0].podCertificate: Required value: specify at least one of",
            ],
        ),
    ],
)
def test_a_volume_keeps_the_rules_of_its_source(volume: dict[str, Any], expected: list[str]) -> None:
    found = problems(pod(volumes=[{"name": "v", **volume}]))
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True))


def test_a_broken_volume_can_not_be_mounted() -> None:
    mounted = pod({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, volumes=[{"name": "v", "secret": {}}])
    assert problems(mounted) == [f"{V}.secret.secretName: Required value", f'{C}.volumeMounts[0].name: Not found: "v"']


def test_annotations_must_agree_with_the_fields_they_became() -> None:
    document = pod(securityContext={"seccompProfile": {"type": "Unconfined"}})
    document["metadata"]["annotations"] = {"seccomp.security.alpha.kubernetes.io/pod": "runtime/default"}
    assert problems(document) == [
        "spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field must match"
    ]


def test_templates_may_leave_the_ports_of_the_host_open() -> None:
    spec = pod({"ports": [{"containerPort": 80}]}, hostNetwork=True)["spec"]
    template = made({"metadata": {"name": "t"}, "template": {"spec": spec}}, PodTemplate, default_pod_template)
    assert lines(validate_pod_template(template)) == []


def test_templates_have_no_ephemeral_containers() -> None:
    spec = pod(ephemeralContainers=[{**APP, "name": "d"}])["spec"]
    template = made({"metadata": {"name": "t"}, "template": {"spec": spec}}, PodTemplate, default_pod_template)
    assert lines(validate_pod_template(template)) == [
        "template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template"
    ]


def test_a_claim_that_a_pod_makes_is_not_named_beside() -> None:
    claim = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1"}}}}
    volumes = [
        {"name": "v", "ephemeral": {"volumeClaimTemplate": claim}},
        {"name": "w", "persistentVolumeClaim": {"claimName": "p-v"}},
    ]
    assert problems(pod(volumes=volumes)) == [
        'spec.volumes[1].persistentVolumeClaim.claimName: Invalid value: "p-v": '
        "must not reference a PVC that gets created for an ephemeral volume"
    ]


def test_files_of_variables_lie_in_volumes_of_the_pod() -> None:
    def variable(volume: str) -> dict[str, Any]:
        return {"name": volume, "valueFrom": {"fileKeyRef": {"volumeName": volume, "path": "f", "key": "K"}}}

    at = f"{C}.env[{{}}].valueFrom.fileKeyRef.volumeName"
    volumes = [{"name": "good", "emptyDir": {}}, {"name": "bad", "configMap": {"name": "c"}}]
    document = pod({"env": [variable("good"), variable("bad"), variable("none")]}, volumes=volumes)
    assert problems(document) == [
        at.format(1) + ': Invalid value: "bad": referenced volume must be of type emptyDir',
        at.format(2) + ': Not found: "none"',
    ]


def test_mapped_users_see_no_block_devices() -> None:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    document = pod({"volumeDevices": [{"name": "v", "devicePath": "/d"}]}, volumes=volumes, hostUsers=False)
    assert problems(document) == [f"{C}.volumeDevices: Forbidden: when `hostUsers` is false"]


def test_static_pods_have_no_claims_of_devices() -> None:
    document = pod(nodeName="n", resourceClaims=[{"name": "c", "resourceClaimName": "c"}])
    document["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    assert problems(document) == [": Forbidden: static pods do not support resource claims"]
