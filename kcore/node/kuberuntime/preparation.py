"""What comes before a container: its pod's volumes and files, the sandbox, the image, and what it is asked to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import anyio
from anyio.to_thread import run_sync

from kcore.api.core_v1 import ImageVolumeSource, Pod
from kcore.node.cri import ContainerInfo, CriError, ImageInfo, RuntimeService, SandboxConfig
from kcore.node.kuberuntime.container_config import Prepared, container_config
from kcore.node.kuberuntime.environment import ConfigError, Surroundings, environment
from kcore.node.kuberuntime.hosts import hostname_of, hosts_file
from kcore.node.kuberuntime.local_pod import LocalPod, labels_of
from kcore.node.kuberuntime.resolver import ClusterDns, resolver_file
from kcore.node.kuberuntime.table import PodTable
from kcore.node.references import References
from kcore.node.runtime import AnyContainer, ContainerRecord, Image, Sandbox
from kcore.node.volumes.contents import VolumeError
from kcore.node.volumes.manager import VolumeManager

__all__ = ["Preparation"]

FIRST_RETRY, LONGEST_RETRY = 0.5, 122.0
RESOLVER = Path("/etc/resolv.conf")


class Preparation:
    """Tells what goes wrong by events and images; tries again what may be better later."""

    def __init__(
        self,
        table: PodTable,
        service: RuntimeService,
        volumes: VolumeManager,
        references: References,
        own_variables: Mapping[str, str],
        dns: ClusterDns,
    ) -> None:
        self._table = table
        self._service = service
        self._volumes = volumes
        self._references = references
        self._own_variables = own_variables
        self._dns = dns

    async def make_sandbox(self, local: LocalPod, ip: str) -> None:
        pod, uid, delay = local.pod, local.pod.metadata.uid, FIRST_RETRY
        while self._table.wants(local):
            changed = local.changed
            try:
                host_ip = self._references.host_ip(pod)
                await self._references.look_for(local.pod)
                local.folders = await self._volumes.prepare(local.pod, (ip, host_ip))
                await run_sync(self._write_hosts, pod, ip)
                config = SandboxConfig(
                    uid, pod.metadata.namespace, pod.metadata.name, hostname_of(pod), ip, pod.spec.host_network
                )
                address = await self._service.run_sandbox(config)
            except VolumeError as error:
                self._table.tell(local, "Warning", "FailedMount", str(error))
            except (CriError, OSError) as error:
                self._table.tell(local, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            else:
                if self._table.wants(local):
                    self._table.set(local, local.state._replace(sandbox=Sandbox(uid, address, self._table.clock.now())))
                return
            with anyio.move_on_after(delay):
                await changed.wait()
            delay = min(delay * 2, LONGEST_RETRY)

    async def refresh(self, local: LocalPod) -> None:
        """Bring what is mounted up to date."""
        sandbox = local.state.sandbox
        if sandbox is None:
            return
        await self._references.look_for(local.pod)
        try:
            local.folders = await self._volumes.prepare(local.pod, (sandbox.ip, self._references.host_ip(local.pod)))
        except VolumeError as error:
            self._table.tell(local, "Warning", "FailedMount", str(error))

    async def pull(self, local: LocalPod, container: AnyContainer, failures: int) -> None:
        def flaw(info: ImageInfo) -> str:
            if container.command or info.command:
                return ""
            return (
                f'image "{container.image}" says nothing of what to run: give the container a command, '
                "or describe the image in the images file (--images-file)"
            )

        info, image = await self._pulled(local, container.image, container.image_pull_policy, failures, flaw)
        if image.id:
            local.images[container.image] = info
        self._table.put_image(local, container.image, image)

    async def pull_volume(self, local: LocalPod, source: ImageVolumeSource, failures: int) -> None:
        name = source.reference

        def flaw(info: ImageInfo) -> str:
            if info.root is None:
                return (
                    f'image "{name}" says nothing of what it holds: give it a root in the images file (--images-file)'
                )
            return "" if info.root.is_dir() else f'{info.root}, the root of image "{name}", is not a folder'

        info, image = await self._pulled(local, name, source.pull_policy, failures, flaw)
        if image.id and info.root is not None:
            local.roots[name] = info.root
        self._table.put_volume(local, name, image)

    async def _pulled(
        self, local: LocalPod, name: str, policy: str, failures: int, flaw: Callable[[ImageInfo], str]
    ) -> tuple[ImageInfo, Image]:
        """Pull an image. `flaw` tells why one that is there is of no use; empty: it is."""
        began, reason, error = self._table.clock.now(), "", ""
        for reference in local.pod.spec.image_pull_secrets:
            if self._references.secret(local.pod.metadata.namespace, reference.name) is None:
                message = (
                    f"Unable to retrieve some image pull secrets ({reference.name}); "
                    "attempting to pull the image may not succeed."
                )
                self._table.tell(local, "Warning", "FailedToRetrieveImagePullSecret", message)
        info = ImageInfo("")
        try:
            info = await self._service.pull_image(name, use_present=policy != "Always")
            if policy == "Never" and not info.was_present:
                reason = "ErrImageNeverPull"
                error = f'Container image "{name}" is not present with pull policy of Never'
            elif error := await run_sync(flaw, info):
                reason = "ErrImagePull"
        except CriError as refused:
            reason, error = "ErrImagePull", str(refused)
        now = self._table.clock.now()
        if error:
            return info, Image("", 0, False, began, now, error, failures + 1, reason)
        was_present = info.was_present and policy != "Always"
        return info, Image(info.id, info.size_bytes, was_present, began, now)

    async def create(self, local: LocalPod, container: AnyContainer, record: ContainerRecord) -> ContainerInfo:
        pod, sandbox = local.pod, local.state.sandbox
        if sandbox is None:
            raise ConfigError("the sandbox is gone")
        await self._references.look_for(pod)
        image = local.images.get(container.image)
        if image is None:  # known to the kubelet before this one
            image = local.images[container.image] = await self._service.pull_image(container.image, use_present=True)
        around = Surroundings(
            (sandbox.ip, self._references.host_ip(pod)),
            self._references.allocatable(pod),
            self._references.services(),
            {**self._own(pod, sandbox.ip), **self._own_variables},
        )
        variables = environment(pod, container, around, self._references)
        folder = self._table.pod_folder(pod.metadata.uid)
        prepared = Prepared(
            image,
            local.folders,
            folder / "etc-hosts",
            folder / "resolv.conf",
            self._table.last_words_path(pod, container.name, record.restart_count),
            self._table.log_path(pod, container.name, record.restart_count),
            local.roots,
        )
        labels = labels_of(pod, container, record, sandbox.ip)
        config = await run_sync(container_config, pod, container, record.restart_count, variables, prepared, labels)
        return await self._service.start_container(config)

    def _own(self, pod: Pod, ip: str) -> Mapping[str, str]:
        """What every container is told of itself, so that plain programs can listen where they should."""
        return {
            "POD_IP": ip,
            "POD_NAME": pod.metadata.name,
            "POD_NAMESPACE": pod.metadata.namespace,
            "NODE_NAME": pod.spec.node_name,
        }

    def _write_hosts(self, pod: Pod, ip: str) -> None:
        folder = self._table.pod_folder(pod.metadata.uid)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "etc-hosts").write_text(hosts_file(pod, ip, self._dns.domain))
        machines_own = RESOLVER.read_text() if RESOLVER.is_file() else ""
        if (text := resolver_file(pod, self._dns, machines_own)) is not None:
            (folder / "resolv.conf").write_text(text)
