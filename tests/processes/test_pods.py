"""Pods whose containers are processes, from the API down and back."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import (
    ConfigMap,
    ConfigMapEnvSource,
    ConfigMapVolumeSource,
    Container,
    ContainerResizePolicy,
    EmptyDirVolumeSource,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    ExecAction,
    HTTPGetAction,
    ImageVolumeSource,
    Lifecycle,
    LifecycleHandler,
    ObjectFieldSelector,
    Pod,
    PodSpec,
    Probe,
    ProjectedVolumeSource,
    ResourceRequirements,
    SecurityContext,
    ServiceAccountTokenProjection,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from kcore.api.meta_v1 import ObjectMeta
from kcore.node.process.shim.cgroups import usable
from kcore.node.runtime import LogOptions
from tests.processes.conftest import ADDRESSES, NAP, Processes, processes, until, until_async
from tests.processes.test_shim import BOTH, running_with

ALWAYS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change users")


def shell(script: str, name: str = "app", **fields: object) -> Container:
    return Container(name=name, image="x", command=("sh", "-c", script), **fields)  # type: ignore[arg-type]


def given(*containers: Container, **fields: object) -> Pod:
    spec = {"node_name": "node-0", "termination_grace_period_seconds": 5, **fields}
    return Pod(
        metadata=ObjectMeta(namespace="default", labels={"app": "web"}),
        spec=PodSpec(containers=containers, **spec),  # type: ignore[arg-type]
    )


def running(pod: Pod) -> bool:
    return pod.status.phase == "Running"


def ended(pod: Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed")


def ready(pod: Pod) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)


def waits_for(reason: str, pod: Pod) -> bool:
    waiting = [s.state.waiting for s in pod.status.container_statuses]
    return any(state is not None and state.reason == reason for state in waiting)


def log_of(w: Processes, pod: Pod, container: str = "app", attempt: int = 0) -> Sequence[str]:
    file = w.folder / "logs" / pod.metadata.uid / container / f"{attempt}.log"
    return [line.split("F ", 1)[1] for line in file.read_text().splitlines()] if file.exists() else []


async def test_a_pod_runs_ends_and_leaves_its_words(folder: Path) -> None:
    async with processes(folder) as w, w.kubelet() as kubelet:
        script = "echo hello; echo last words >/dev/termination-log; exit 3"
        await w.create(given(shell(script), restart_policy="Never"))
        pod = await w.until_pod(ended)
        state = pod.status.container_statuses[0].state.terminated
        assert state is not None
        assert (pod.status.phase, state.exit_code, state.message) == ("Failed", 3, "last words\n")
        assert pod.status.pod_ip.startswith(ADDRESSES.removesuffix("0.0/16"))
        runtime = kubelet.nodes["node-0"].runtime
        chunks = [chunk async for chunk in runtime.logs(pod.metadata.uid, "app", LogOptions())]
        assert b"".join(chunks) == b"hello\n"
        await w.delete()
        await until(lambda: not (folder / "pods" / pod.metadata.uid).exists())
        await until(lambda: not (folder / "logs" / pod.metadata.uid).exists())


async def test_the_environment_is_what_the_pod_says(folder: Path) -> None:
    async with processes(folder) as w, w.kubelet():
        await w.client.create(
            ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data={"COLOUR": "blue"})
        )
        env = (
            EnvVar(name="WHO", value="$(POD_NAME) in $(COLOUR) at $$(HOME)"),
            EnvVar(
                name="LABEL",
                value_from=EnvVarSource(field_ref=ObjectFieldSelector(field_path="metadata.labels['app']")),
            ),
            EnvVar(name="ADDRESS", value_from=EnvVarSource(field_ref=ObjectFieldSelector(field_path="status.podIP"))),
        )
        source = EnvFromSource(config_map_ref=ConfigMapEnvSource(name="settings"))
        container = shell("echo $WHO; echo $LABEL; test $ADDRESS = $POD_IP", env=env, env_from=(source,))
        await w.create(given(container, restart_policy="Never"))
        pod = await w.until_pod(ended)
        assert pod.status.phase == "Succeeded"
        assert log_of(w, pod) == ["web in blue at $(HOME)", "web"]


async def test_a_missing_config_map_is_waited_for(folder: Path) -> None:
    async with processes(folder) as w, w.kubelet():
        source = EnvFromSource(config_map_ref=ConfigMapEnvSource(name="late"))
        await w.create(given(shell("sleep 100", env_from=(source,))))
        pod = await w.until_pod(lambda pod: waits_for("CreateContainerConfigError", pod))
        state = pod.status.container_statuses[0].state.waiting
        assert state is not None
        assert state.message == 'configmap "late" not found'
        await w.delete()


async def test_mounted_config_maps_follow_their_changes(folder: Path) -> None:
    async with processes(folder) as w, w.kubelet():
        volume = Volume(name="cfg", config_map=ConfigMapVolumeSource(name="cfg"))
        mount = VolumeMount(name="cfg", mount_path="/etc/kcore-cfg")
        script = "until grep -s two /etc/kcore-cfg/x; do sleep 0.02; done"
        await w.create(given(shell(script, volume_mounts=(mount,)), volumes=(volume,), restart_policy="Never"))
        pod = await w.until_pod(lambda pod: pod.metadata.uid != "")
        assert pod.status.phase == "Pending"
        cfg = ConfigMap(metadata=ObjectMeta(name="cfg", namespace="default"), data={"x": "one"})
        cfg = await w.client.create(cfg)
        await w.until_pod(running)
        await w.client.update(replace(cfg, data={"x": "two", "y": "three"}))
        assert (await w.until_pod(ended)).status.phase == "Succeeded"
        data = folder / "pods" / pod.metadata.uid / "volumes" / "kubernetes.io~configmap" / "cfg"
        assert sorted(path.name for path in data.iterdir() if not path.name.startswith("..")) == ["x", "y"]
        await w.delete()


@BOTH
async def test_containers_share_an_empty_folder_and_its_parts(folder: Path, isolate: bool) -> None:
    async with processes(folder, isolate=isolate) as w, w.kubelet():
        volume = Volume(name="work", empty_dir=EmptyDirVolumeSource())
        whole = VolumeMount(name="work", mount_path="/kcore-work")
        part = VolumeMount(name="work", mount_path="/kcore-part", sub_path="inner/deep")
        first = shell("echo $PPID > /kcore-part/file", "first", volume_mounts=(part,))
        main = shell("test -s /kcore-work/inner/deep/file", volume_mounts=(whole,))
        await w.create(given(main, init_containers=(first,), volumes=(volume,), restart_policy="Never"))
        assert (await w.until_pod(ended)).status.phase == "Succeeded"
        await w.delete()


async def test_a_token_is_mounted(folder: Path) -> None:
    async with processes(folder) as w, w.kubelet():
        projection = ServiceAccountTokenProjection(path="token", expiration_seconds=3600)
        source = ProjectedVolumeSource(
            sources=(VolumeProjection(service_account_token=projection),), default_mode=0o400
        )
        mount = VolumeMount(name="token", mount_path="/var/run/kcore-token")
        container = shell("stat -Lc %a /var/run/kcore-token/token", volume_mounts=(mount,))
        await w.create(
            given(container, volumes=(Volume(name="token", projected=source),), service_account_name="default")
        )
        # This world has no key to sign tokens with; what it says of that is what a kubelet tells.
        created = await w.pod()

        async def told() -> bool:
            return any('MountVolume.SetUp failed for volume "token"' in line for line in await w.told(created))

        await until_async(told)
        await w.delete()


async def test_a_crash_is_followed_by_a_restart_and_a_pause(folder: Path) -> None:
    async with processes(folder) as w, w.kubelet():
        await w.create(given(shell("exit 7")))
        pod = await w.until_pod(lambda pod: waits_for("CrashLoopBackOff", pod))
        status = pod.status.container_statuses[0]
        assert status.restart_count == 1
        assert status.last_state.terminated is not None
        assert status.last_state.terminated.exit_code == 7
        await w.delete()


async def test_containers_come_in_order_and_sidecars_go_last(folder: Path) -> None:
    async with processes(folder) as w, w.kubelet():
        volume = Volume(name="notes", empty_dir=EmptyDirVolumeSource())
        mounts = (VolumeMount(name="notes", mount_path="/kcore-notes"),)
        note = "echo {0} >> /kcore-notes/all; trap 'echo {0} ends >> /kcore-notes/all; exit 0' TERM; "
        stay = "while :; do sleep 0.02; done"
        side = shell(note.format("side") + stay, "side", restart_policy="Always", volume_mounts=mounts)
        init = shell("echo init >> /kcore-notes/all", "init", volume_mounts=mounts)
        main = shell(note.format("main") + "sleep 0.1; echo main ends >> /kcore-notes/all", volume_mounts=mounts)
        await w.create(given(main, init_containers=(side, init), volumes=(volume,), restart_policy="Never"))
        pod = await w.until_pod(ended)
        assert pod.status.phase == "Succeeded"
        all_notes = folder / "pods" / pod.metadata.uid / "volumes" / "kubernetes.io~empty-dir" / "notes" / "all"
        lines = all_notes.read_text().splitlines()
        assert set(lines[:2]) == {"side", "init"}
        assert lines[2:] == ["main", "main ends", "side ends"]
        await w.delete()


@BOTH
async def test_probes_decide_over_ready_and_alive(folder: Path, isolate: bool) -> None:
    async with processes(folder, isolate=isolate) as w, w.kubelet():
        volume = Volume(name="flags", empty_dir=EmptyDirVolumeSource())
        mounts = (VolumeMount(name="flags", mount_path="/kcore-flags"),)
        serve = f"cd /kcore-flags && exec {sys.executable} -u -m http.server --bind $POD_IP 8099"
        readiness = Probe(http_get=HTTPGetAction(port=8099), period_seconds=1, failure_threshold=1)
        alive = ExecAction(command=("test", "!", "-e", "/kcore-flags/die"))
        liveness = Probe(exec=alive, period_seconds=1, failure_threshold=1)
        container = shell(serve, readiness_probe=readiness, liveness_probe=liveness, volume_mounts=mounts)
        created = await w.create(given(container, volumes=(volume,)))
        await w.until_pod(ready)
        volumes = folder / "pods" / created.metadata.uid / "volumes"
        die = anyio.Path(volumes / "kubernetes.io~empty-dir" / "flags" / "die")
        await die.touch()
        await w.until_pod(lambda pod: pod.status.container_statuses[0].restart_count == 1)
        await die.unlink()

        async def told() -> bool:
            return "Normal Killing Container app failed liveness probe, will be restarted" in await w.told(created)

        await until_async(told)
        await w.delete()


@BOTH
async def test_hooks_run_after_the_start_and_before_the_end(folder: Path, isolate: bool) -> None:
    async with processes(folder, isolate=isolate) as w, w.kubelet():
        volume = Volume(name="notes", empty_dir=EmptyDirVolumeSource())
        mounts = (VolumeMount(name="notes", mount_path="/kcore-notes"),)

        def hook(word: str) -> LifecycleHandler:
            return LifecycleHandler(exec=ExecAction(command=("sh", "-c", f"echo {word} >> /kcore-notes/all")))

        lifecycle = Lifecycle(post_start=hook("hello"), pre_stop=hook("bye"))
        script = "trap 'exit 0' TERM; while :; do sleep 0.02; done"
        await w.create(given(shell(script, lifecycle=lifecycle, volume_mounts=mounts), volumes=(volume,)))
        pod = await w.until_pod(ready)
        notes = folder / "pods" / pod.metadata.uid / "volumes" / "kubernetes.io~empty-dir" / "notes" / "all"
        assert notes.read_text() == "hello\n"
        await w.delete()


async def test_a_failed_start_hook_ends_the_container(folder: Path) -> None:
    async with processes(folder) as w, w.kubelet():
        lifecycle = Lifecycle(post_start=LifecycleHandler(exec=ExecAction(command=("sh", "-c", "echo no; exit 1"))))
        created = await w.create(given(shell("sleep 100", lifecycle=lifecycle), restart_policy="Never"))
        assert (await w.until_pod(ended)).status.phase == "Failed"

        async def told() -> bool:
            return "Warning FailedPostStartHook PostStartHook failed: no\n" in await w.told(created)

        await until_async(told)


@ALWAYS_ROOT
async def test_containers_run_as_whom_the_pod_says(folder: Path) -> None:
    async with processes(folder) as w, w.kubelet():
        context = SecurityContext(run_as_user=1234, run_as_group=2345)
        await w.create(given(shell("id -u; id -g", security_context=context), restart_policy="Never"))
        pod = await w.until_pod(ended)
        assert log_of(w, pod) == ["1234", "2345"]
        await w.create(given(shell("id", security_context=SecurityContext(run_as_non_root=True))), "no-root")
        await w.until_pod(lambda pod: waits_for("CreateContainerConfigError", pod), "no-root")
        await w.delete("no-root")


async def test_an_image_without_a_command_says_what_to_do(folder: Path) -> None:
    async with processes(folder) as w, w.kubelet():
        await w.create(given(Container(name="app", image="nginx")))
        await w.until_pod(lambda pod: waits_for("ErrImagePull", pod) or waits_for("ImagePullBackOff", pod))
        await w.delete()


@BOTH
async def test_an_image_is_shown_as_a_volume(folder: Path, isolate: bool) -> None:
    async with processes(folder, isolate=isolate) as w:
        held = folder / "held" / "inner"
        held.mkdir(parents=True)
        (held / "file").write_text("hello from the image\n")
        w.images_file = folder / "images.yaml"
        w.images_file.write_text("images: [{image: 'data:*', root: held}]")
        volume = Volume(name="data", image=ImageVolumeSource(reference="data:1", pull_policy="IfNotPresent"))
        mounts = (
            VolumeMount(name="data", mount_path="/kcore-data"),
            VolumeMount(name="data", mount_path="/kcore-inner", sub_path="inner"),
        )
        script = "cmp /kcore-data/inner/file /kcore-inner/file && cat /kcore-inner/file; echo x >/kcore-data/new"
        async with w.kubelet():
            await w.create(given(shell(script, volume_mounts=mounts), volumes=(volume,), restart_policy="Never"))
            pod = await w.until_pod(ended)
            await until(lambda: "hello from the image" in log_of(w, pod))
            if isolate:
                assert pod.status.phase == "Failed"  # it may read, not write
                assert [file.name for file in (folder / "held").iterdir()] == ["inner"]
            await w.delete()
            assert (held / "file").exists()


async def test_an_image_that_holds_nothing_cannot_be_a_volume(folder: Path) -> None:
    async with processes(folder) as w, w.kubelet():
        volume = Volume(name="data", image=ImageVolumeSource(reference="data:1", pull_policy="IfNotPresent"))
        mounts = (VolumeMount(name="data", mount_path="/kcore-data"),)
        with_volume, without = shell("exit 0", volume_mounts=mounts), shell("sleep 1000", "other")
        await w.create(given(with_volume, without, volumes=(volume,)))
        pod = await w.until_pod(lambda pod: waits_for("ImagePullBackOff", pod))
        waiting, other = pod.status.container_statuses[0].state.waiting, pod.status.container_statuses[1].state
        assert waiting is not None
        assert 'image "data:1" says nothing of what it holds' in waiting.message
        assert other.running is not None
        await w.delete()


async def test_a_stubborn_process_is_killed_after_its_grace(folder: Path) -> None:
    async with processes(folder) as w, w.kubelet():
        await w.create(given(shell(f"trap '' TERM; while :; do sleep 0.05; done; : {NAP}.5")))
        await w.until_pod(running)
        await w.delete(grace=1)
        await until(lambda: running_with(f"{NAP}.5") == [])


async def test_a_forced_delete_leaves_no_process(folder: Path) -> None:
    async with processes(folder) as w, w.kubelet():
        await w.create(given(shell(f"trap '' TERM; while :; do sleep 0.05; done; : {NAP}.25")))
        await w.until_pod(running)
        await w.delete(grace=0)
        await until(lambda: running_with(f"{NAP}.25") == [])


async def test_the_next_kubelet_goes_on_with_what_runs(folder: Path) -> None:
    async with processes(folder) as w:
        async with w.kubelet(stop_at_end=False):
            await w.create(given(shell(f"sleep {NAP}.75")))
            await w.create(given(shell(f"sleep {NAP}.75")), "gone")
            before = await w.until_pod(running)
            await w.until_pod(running, "gone")
        assert len(running_with(f"{NAP}.75")) >= 2
        await w.delete("gone", grace=0)
        async with w.kubelet():
            again = await w.create(given(shell("exit 0"), restart_policy="Never"), "later")
            await w.until_pod(ended, again.metadata.name)
            after = await w.pod()
            assert after.status.container_statuses == before.status.container_statuses
            await w.delete()
            await until(lambda: running_with(f"{NAP}.75") == [])


async def test_the_next_kubelet_removes_the_files_of_pods_that_are_gone(folder: Path) -> None:
    for left in (folder / "pods" / "uid-1" / "volumes", folder / "logs" / "uid-2" / "app"):
        left.mkdir(parents=True)
    async with processes(folder) as w, w.kubelet():
        await w.create(given(shell("exit 0"), restart_policy="Never"))
        pod = await w.until_pod(ended)
        await until(lambda: {file.name for file in folder.glob("*/*")} & {"uid-1", "uid-2"} == set())
        assert (folder / "logs" / pod.metadata.uid).exists()


async def test_what_was_lost_meanwhile_is_started_again(folder: Path) -> None:
    async with processes(folder) as w:
        async with w.kubelet():
            await w.create(given(shell("sleep 100")))
            await w.until_pod(running)
        async with w.kubelet():
            pod = await w.until_pod(lambda pod: running(pod) and pod.status.container_statuses[0].restart_count == 1)
            last = pod.status.container_statuses[0].last_state.terminated
            assert last is not None
            assert (last.reason, last.exit_code) == ("ContainerStatusUnknown", 137)
            await w.delete()


async def test_a_folder_that_outgrows_its_limit_ends_the_pod(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kcore.node.kuberuntime.runtime.HOUSEKEEPING_SECONDS", 0.1)
    async with processes(folder) as w, w.kubelet():
        volume = Volume(name="small", empty_dir=EmptyDirVolumeSource(size_limit="100Ki"))
        mounts = (VolumeMount(name="small", mount_path="/kcore-small"),)
        script = "head -c 300000 /dev/zero > /kcore-small/file; sync; sleep 100"
        await w.create(given(shell(script, volume_mounts=mounts), volumes=(volume,), restart_policy="Never"))
        pod = await w.until_pod(ended)
        assert (pod.status.phase, pod.status.reason) == ("Failed", "Evicted")
        assert pod.status.message == 'Usage of EmptyDir volume "small" exceeds the limit "100Ki". '


@pytest.mark.skipif(not usable(), reason="no cgroups can be made here")
async def test_a_container_that_outgrows_its_memory_is_killed(folder: Path) -> None:
    async with processes(folder) as w, w.kubelet():
        resources = ResourceRequirements(limits={"memory": "64Mi"})
        script = f"exec {sys.executable} -c 'x = bytearray(500_000_000); print(len(x))'"
        await w.create(given(shell(script, resources=resources), restart_policy="Never"))
        pod = await w.until_pod(ended)
        state = pod.status.container_statuses[0].state.terminated
        assert state is not None
        assert (state.reason, state.exit_code) == ("OOMKilled", 137)


@pytest.mark.skipif(not usable(), reason="no cgroups can be made here")
async def test_a_limit_that_comes_with_a_resize_is_kept(folder: Path) -> None:
    async with processes(folder, isolate=False) as w, w.kubelet():
        resources = ResourceRequirements(requests={"memory": "16Mi"})
        script = (
            f"until test -e {folder}/go; do sleep 0.05; done; exec {sys.executable} -c 'x = bytearray(500_000_000)'"
        )
        await w.create(given(shell(script, resources=resources), restart_policy="Never"))
        pod = await w.until_pod(running)
        limited = replace(pod.spec.containers[0], resources=replace(resources, limits={"memory": "64Mi"}))
        await w.client.update(replace(pod, spec=replace(pod.spec, containers=(limited,))), subresource="resize")
        await w.until_pod(lambda pod: pod.status.container_statuses[0].resources == limited.resources)
        (folder / "go").touch()
        state = (await w.until_pod(ended)).status.container_statuses[0].state.terminated
        assert state is not None
        assert (state.reason, state.exit_code) == ("OOMKilled", 137)


async def test_a_resize_changes_what_runs_and_starts_again_what_has_to(folder: Path) -> None:
    def sized(cpu: str, memory: str) -> ResourceRequirements:
        return ResourceRequirements(requests={"cpu": cpu, "memory": memory}, limits={"cpu": "1", "memory": "1Gi"})

    async def resize(resources: ResourceRequirements) -> None:
        pod = await w.pod()
        (app,) = pod.spec.containers
        spec = replace(pod.spec, containers=(replace(app, resources=resources),))
        await w.client.update(replace(pod, spec=spec), subresource="resize")

    def has(resources: ResourceRequirements, restarts: int, pod: Pod) -> bool:
        (status,) = pod.status.container_statuses
        done = not any(c.type.startswith("PodResize") for c in pod.status.conditions)
        return done and running(pod) and status.resources == resources and status.restart_count == restarts

    policy = (ContainerResizePolicy(resource_name="memory", restart_policy="RestartContainer"),)
    async with processes(folder) as w, w.kubelet():
        first = sized("10m", "16Mi")
        await w.create(given(shell("exec sleep 1000", resources=first, resize_policy=policy)))
        await w.until_pod(lambda pod: running(pod) and has(first, 0, pod))
        await resize(sized("20m", "16Mi"))
        await w.until_pod(lambda pod: has(sized("20m", "16Mi"), 0, pod))
        await resize(sized("20m", "32Mi"))
        await w.until_pod(lambda pod: has(sized("20m", "32Mi"), 1, pod))
