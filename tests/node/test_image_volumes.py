"""Volumes that show an image: pulled before the containers that mount them."""

from __future__ import annotations

from msgspec.structs import replace

from kcore.api.core_v1 import ContainerStateWaiting, ImageVolumeSource, Pod, Volume, VolumeMount
from tests.node.pods import container, pod
from tests.node.test_engine import current, run, served

VOLUME = Volume(name="data", image=ImageVolumeSource(reference="data:1", pull_policy="IfNotPresent"))
MOUNT = VolumeMount(name="data", mount_path="/data")


def showing(**annotations: str) -> Pod:
    """A pod of a container that mounts the volume, and one that does not."""
    mounting = replace(container(), volume_mounts=(MOUNT,))
    scripts = {f"kcore.dev/{name.replace('_', '-')}.data": text for name, text in annotations.items()}
    given = pod(containers=[mounting, container("other")], annotations=scripts)
    return replace(given, spec=replace(given.spec, volumes=(VOLUME,)))


def running(given: Pod) -> list[bool]:
    return [status.state.running is not None for status in given.status.container_statuses]


def waiting(given: Pod) -> ContainerStateWaiting:
    state = given.status.container_statuses[0].state.waiting
    assert state is not None
    return state


async def test_the_image_is_pulled_once_for_a_node() -> None:
    async with served(1) as w:
        first, second = await run(w, showing()), await run(w, showing(), "second")
        await w.settle(1)
        assert running(await current(w)) == running(await current(w, "second")) == [True, True]
        assert any('Normal Pulling Pulling image "data:1"' in line for line in await w.told(first))
        present = 'Normal Pulled Container image "data:1" already present on machine and can be accessed by the pod'
        assert present in await w.told(second)


async def test_only_the_containers_that_mount_it_wait() -> None:
    async with served(1) as w:
        await run(w, showing(pull_seconds="5"))
        await w.settle(1)
        found = await current(w)
        assert (running(found), waiting(found).reason) == ([False, True], "ContainerCreating")
        await w.settle(5)
        assert running(await current(w)) == [True, True]


async def test_what_cannot_be_pulled_is_told_and_tried_again() -> None:
    async with served(1) as w:
        created = await run(w, showing(pull_error="no such thing", pull_failures="1"))
        await w.settle(0.5)
        found = await current(w)
        assert waiting(found) == ContainerStateWaiting(reason="ErrImagePull", message="no such thing")
        await w.settle(2)
        message = 'Back-off pulling image "data:1": ErrImagePull: no such thing'
        assert waiting(await current(w)) == ContainerStateWaiting(reason="ImagePullBackOff", message=message)
        told = await w.told(created)
        for line in (
            'Warning Failed Failed to pull image "data:1": no such thing',
            "Warning Failed Error: ErrImagePull",
            'Normal BackOff Back-off pulling image "data:1"',
            "Warning Failed Error: ImagePullBackOff",
        ):
            assert told.count(line) == 1
        await w.settle(10)
        assert running(await current(w)) == [True, True]
