"""Equal parts of objects at rest are one."""

from __future__ import annotations

import msgspec

from kcore.api.core_v1 import Container, Pod, PodSpec, PodStatus, ResourceRequirements, Toleration
from kcore.api.meta_v1 import ObjectMeta, OwnerReference
from kcore.registry.sharing import PARTS, Sharing

OWNER = OwnerReference(api_version="apps/v1", kind="ReplicaSet", name="web", uid="1", controller=True)


def decoded_pod(name: str, volume: str = "") -> Pod:
    """A pod as it comes from a body: nothing of it is anybody else's."""
    pod = Pod(
        metadata=ObjectMeta(name=name, namespace="ns", labels={"app": "web"}, owner_references=(OWNER,)),
        spec=PodSpec(
            containers=(
                Container(
                    name="app", image=f"web{volume}:1.0", resources=ResourceRequirements(requests={"cpu": "100m"})
                ),
            ),
            tolerations=(Toleration(key="a", operator="Exists"), Toleration(key="b", operator="Exists")),
        ),
        status=PodStatus(phase="Running", host_ip="10.0.0.1"),
    )
    return msgspec.json.decode(msgspec.json.encode(pod), type=Pod)


def shared(*pods: Pod) -> tuple[Pod, ...]:
    sharing = Sharing()
    for pod in pods:
        sharing.share(pod)
    return pods


def test_objects_stay_what_they_are() -> None:
    one, other = shared(decoded_pod("one"), decoded_pod("other"))
    assert (one, other) == (decoded_pod("one"), decoded_pod("other"))
    assert msgspec.json.encode(one) == msgspec.json.encode(decoded_pod("one"))
    assert one.spec is not other.spec


def test_equal_parts_are_one() -> None:
    one, other = shared(decoded_pod("one"), decoded_pod("other"))
    assert one.spec.containers is other.spec.containers
    assert one.spec.tolerations is other.spec.tolerations
    assert one.metadata.owner_references is other.metadata.owner_references
    assert one.metadata.labels is other.metadata.labels


def test_equal_strings_are_one() -> None:
    one, other = shared(decoded_pod("one"), decoded_pod("other"))
    assert one.metadata.namespace is other.metadata.namespace
    assert one.status.host_ip is other.status.host_ip


def test_parts_of_parts_that_differ_are_one() -> None:
    one, other = shared(decoded_pod("one", "a"), decoded_pod("other", "b"))
    assert one.spec.containers != other.spec.containers
    assert one.spec.containers[0].resources is other.spec.containers[0].resources


def test_parts_of_another_type_are_never_taken_for_equal() -> None:
    sharing = Sharing()
    spec, status = PodSpec(tolerations=(Toleration(key="a"),)), PodStatus(pod_ips=())
    pod = Pod(spec=spec, status=status)
    sharing.share(pod)
    other = Pod(spec=PodSpec(containers=(Container(name="a"),)))
    sharing.share(other)
    assert isinstance(other.spec.containers[0], Container)
    assert isinstance(pod.spec.tolerations[0], Toleration)


def test_what_was_met_long_ago_is_forgotten() -> None:
    sharing = Sharing()
    sharing.share(decoded_pod("first"))
    for n in range(PARTS):
        sharing.share(decoded_pod(str(n), str(n)))
    assert len(sharing._parts) <= 2 * PARTS
