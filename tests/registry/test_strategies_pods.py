"""What the server makes of pods and workloads on their way into the store."""

from __future__ import annotations

from typing import Any

import pytest

from tests.registry.conftest import Api
from tests.registry.specimens import LABELS, pod, template, workload


async def test_a_new_pod_is_pending_whatever_its_body_says(api: Api) -> None:
    made = await api.create("pods", {**pod(), "status": {"phase": "Running"}})
    assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert made["metadata"]["generation"] == 1


async def test_gates_hold_a_pod_back(api: Api) -> None:
    made = await api.create("pods", pod(schedulingGates=[{"name": "a.example/g"}]))
    assert [(c["type"], c["status"], c["reason"]) for c in made["status"]["conditions"]] == [
        ("PodScheduled", "False", "SchedulingGated")
    ]


async def test_a_negative_grace_period_becomes_one_second(api: Api) -> None:
    made = await api.create("pods", pod(terminationGracePeriodSeconds=-5))
    assert made["spec"]["terminationGracePeriodSeconds"] == 1


async def test_label_keys_become_expressions_with_the_values_of_the_pod(api: Api) -> None:
    spread = {
        "maxSkew": 1,
        "topologyKey": "z",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"a": "b"}},
        "matchLabelKeys": ["app", "absent"],
    }
    document = pod(topologySpreadConstraints=[spread])
    document["metadata"]["labels"] = LABELS
    made = await api.create("pods", document)
    assert made["spec"]["topologySpreadConstraints"][0]["labelSelector"] == {
        "matchLabels": {"a": "b"},
        "matchExpressions": [{"key": "app", "operator": "In", "values": ["x"]}],
    }


async def test_only_a_changed_spec_raises_the_generation(api: Api) -> None:
    await api.create("pods", pod())
    labelled = await api.patch("pods", "p", {"metadata": {"labels": {"a": "b"}}})
    bounded = await api.patch("pods", "p", {"spec": {"activeDeadlineSeconds": 5}})
    assert (labelled["metadata"]["generation"], bounded["metadata"]["generation"]) == (1, 2)


async def test_the_status_of_a_pod_changes_only_through_its_own_door(api: Api) -> None:
    await api.create("pods", pod())
    body = {"spec": {"nodeName": "n"}, "status": {"phase": "Running", "podIP": "10.0.0.1"}}
    running = await api.patch("pods", "p", body, subresource="status")
    assert running["status"] == {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "podIPs": [{"ip": "10.0.0.1"}],
        "qosClass": "BestEffort",
    }
    assert "nodeName" not in running["spec"]
    plain = await api.patch("pods", "p", {"status": {"phase": "Failed"}})
    assert plain["status"]["phase"] == "Running"


@pytest.mark.parametrize(
    ("node", "phase", "grace"),
    [("", "Pending", None), ("n", "Succeeded", None), ("n", "Running", 30)],
)
async def test_only_pods_at_work_are_given_time_to_stop(api: Api, node: str, phase: str, grace: int | None) -> None:
    await api.create("pods", pod(nodeName=node))
    await api.patch("pods", "p", {"status": {"phase": phase}}, subresource="status")
    await api.delete("pods", "p")
    assert api.exists("pods", "p") == (grace is not None)
    if grace is not None:
        assert api.get("pods", "p")["metadata"]["deletionGracePeriodSeconds"] == grace


async def test_a_resize_changes_resources_and_nothing_else(api: Api) -> None:
    small = {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "100m"}}}
    await api.create("pods", pod(small))
    document = api.get("pods", "p")
    document["spec"]["containers"][0]["image"] = "other:1"
    document["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "200m"
    resized = await api.update("pods", document, api.request("update", "pods", "p", subresource="resize"))
    container = resized["spec"]["containers"][0]
    assert (container["image"], container["resources"]["requests"]) == ("registry.example/app:1.0", {"cpu": "200m"})
    assert resized["metadata"]["generation"] == 2


async def test_a_job_selects_pods_by_its_own_uid(api: Api) -> None:
    spec = {"template": template(restartPolicy="Never")}
    made = await api.create("jobs.batch", {"metadata": {"name": "j"}, "spec": spec})
    uid = made["metadata"]["uid"]
    own = {
        "controller-uid": uid,
        "job-name": "j",
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": "j",
    }
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert made["spec"]["template"]["metadata"]["labels"] == {**LABELS, **own}


async def test_a_daemon_set_counts_its_templates_in_an_annotation(api: Api) -> None:
    key = "deprecated.daemonset.template.generation"
    made = await api.create("daemonsets.apps", workload())
    scaled = await api.patch("daemonsets.apps", "w", {"spec": {"minReadySeconds": 1}})
    changed: dict[str, Any] = {"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}}
    rolled = await api.patch("daemonsets.apps", "w", changed)
    assert [o["metadata"]["annotations"][key] for o in (made, scaled, rolled)] == ["1", "1", "2"]


async def test_annotations_of_a_deployment_count_as_its_spec(api: Api) -> None:
    await api.create("deployments.apps", workload())
    noted = await api.patch("deployments.apps", "w", {"metadata": {"annotations": {"a": "b"}}})
    labelled = await api.patch("deployments.apps", "w", {"metadata": {"labels": {"a": "b"}}})
    assert [o["metadata"]["generation"] for o in (noted, labelled)] == [2, 2]


@pytest.mark.parametrize(
    ("document", "advice"),
    [
        (
            pod({"ports": [{"containerPort": 9090, "hostIP": "127.0.0.1"}]}),
            "spec.containers[0].ports[0]: hostIP set without hostPort: "
            "{Name: HostPort:0 ContainerPort:9090 Protocol:TCP HostIP:127.0.0.1}",
        ),
        (
            pod(volumes=[{"name": "v", "rbd": {"monitors": ["m"], "image": "i"}}]),
            "spec.volumes[0].rbd: deprecated in v1.28, non-functional in v1.31+",
        ),
        (
            pod({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}),
            'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
        ),
        (
            pod(nodeSelector={"beta.kubernetes.io/os": "linux"}),
            'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
        ),
        (
            pod({"resources": {"requests": {"memory": "100m"}}}),
            'spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, '
            "must be an integer",
        ),
        (
            pod({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)"}]}),
            'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
        ),
        (
            pod({"ports": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 80}]}),
            "spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]",
        ),
        (
            pod(imagePullSecrets=[{"name": "a"}, {"name": "a"}]),
            'spec.imagePullSecrets[1].name: duplicate name "a"',
        ),
        (
            pod(hostAliases=[{"ip": "2001:DB8::1", "hostnames": ["a"]}]),
            'spec.hostAliases[0].ip: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
        ),
        (
            pod(
                volumes=[
                    {
                        "name": "v",
                        "projected": {
                            "sources": [
                                {"configMap": {"name": "c", "items": [{"key": "a", "path": "x/y"}]}},
                                {"secret": {"name": "s", "items": [{"key": "a", "path": "x"}]}},
                            ]
                        },
                    }
                ]
            ),
            'volume "v" (Projected): overlapping paths: "x" (Secret "s") with "x/y" (ConfigMap "c")',
        ),
    ],
)
async def test_odd_pods_come_with_advice(api: Api, document: dict[str, Any], advice: str) -> None:
    req = api.request("create", "pods")
    await api.create("pods", document, req)
    assert req.warnings == [advice]


async def test_shapes_tell_pods_apart_but_for_the_volumes_of_their_tokens(api: Api) -> None:
    def shape(name: str, image: str = "a:1", mode: int = 420) -> bytes | None:
        volume = {"name": name, "projected": {"defaultMode": mode, "sources": []}}
        document = pod({"image": image, "volumeMounts": [{"name": name, "mountPath": "/t"}]}, volumes=[volume])
        return api.registry.strategy(api.kind("pods")).shape(api.decode("pods", document))

    assert shape("kube-api-access-abcde") == shape("kube-api-access-fghij")
    assert shape("kube-api-access-abcde") != shape("kube-api-access-fghij", mode=256)
    assert shape("kube-api-access-abcde") != shape("kube-api-access-fghij", image="a:2")
    assert shape("kube-api-access-ABCDE") != shape("kube-api-access-fghij")
    assert shape("") != shape("kube-api-access-fghij")
    assert shape("mine") != shape("yours")
