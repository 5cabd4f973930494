"""What a runtime is asked to start, from what the pod says and what was prepared for it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from kcore.api.core_v1 import Pod, PodSecurityContext, SecurityContext, VolumeMount
from kcore.api.quantity import int_value, milli_value
from kcore.node.cri import ContainerConfig, ImageInfo, Limits, Mount, User
from kcore.node.kuberuntime.environment import ConfigError, expand
from kcore.node.kuberuntime.hosts import hostname_of
from kcore.node.runtime import AnyContainer

__all__ = ["Prepared", "container_config", "limits_of"]

TERMINATION_LOG = "/dev/termination-log"


class Prepared(NamedTuple):
    """What is there for a container: its image, the pod's folders, files of its own."""

    image: ImageInfo
    folders: Mapping[str, Path]
    """Of volumes, by their names."""
    hosts: Path
    resolver: Path
    """Present where a pod has a configuration of its own."""
    last_words: Path
    log_path: Path
    roots: Mapping[str, Path] = MappingProxyType({})
    """The folders of images that volumes show, which nobody may change, by the images' names."""


def container_config(
    pod: Pod,
    container: AnyContainer,
    attempt: int,
    variables: Mapping[str, str],
    prepared: Prepared,
    labels: Mapping[str, str],
) -> ContainerConfig:
    """Raises ConfigError. Blocks: it makes the folders and files that mounts lead to."""
    image = prepared.image
    pod_context = pod.spec.security_context or PodSecurityContext()
    context = container.security_context or SecurityContext()
    user = _user(pod_context, context)
    command = container.command or image.command
    args = container.args or (() if container.command else image.args)
    return ContainerConfig(
        pod_uid=pod.metadata.uid,
        name=container.name,
        attempt=attempt,
        image=container.image,
        command=[expand(word, variables) for word in (*command, *args)],
        env={**image.env, **variables},
        log_path=prepared.log_path,
        working_dir=container.working_dir or image.working_dir,
        mounts=[*_mounts(pod, container, variables, prepared)],
        hostname="" if pod.spec.host_network else hostname_of(pod),
        user=user,
        limits=limits_of(container),
        limitable=pod.status.qos_class != "BestEffort",  # what asks for nothing never may
        stdin=container.stdin,
        stdin_once=container.stdin_once,
        tty=container.tty,
        read_only_root=bool(context.read_only_root_filesystem),
        no_new_privileges=context.allow_privilege_escalation is False,
        labels=labels,
    )


def limits_of(container: AnyContainer) -> Limits:
    limits = container.resources.limits
    cpu, memory = limits.get("cpu"), limits.get("memory")
    return Limits(milli_value(cpu) if cpu else None, int_value(memory) if memory else None)


def _user(pod: PodSecurityContext, container: SecurityContext) -> User:
    uid = container.run_as_user if container.run_as_user is not None else pod.run_as_user
    gid = container.run_as_group if container.run_as_group is not None else pod.run_as_group
    non_root = container.run_as_non_root if container.run_as_non_root is not None else pod.run_as_non_root
    if non_root and not (os.geteuid() if uid is None else uid):
        why = "container has runAsNonRoot and image will run as root"
        raise ConfigError(why if uid is None else "container's runAsUser breaks non-root policy")
    groups: Sequence[int] = pod.supplemental_groups
    return User(uid, gid, groups if pod.fs_group is None else (*groups, pod.fs_group))


def _mounts(pod: Pod, container: AnyContainer, variables: Mapping[str, str], prepared: Prepared) -> Iterator[Mount]:
    shown = {volume.name: volume.image.reference for volume in pod.spec.volumes if volume.image is not None}
    roots = {name: prepared.roots[reference] for name, reference in shown.items() if reference in prepared.roots}
    for mount in container.volume_mounts:
        path = _mounted_path(mount, variables, {**prepared.folders, **roots}, may_make=mount.name not in roots)
        yield Mount(path, mount.mount_path, mount.read_only or mount.name in roots)
    if not any(mount.mount_path == "/etc/hosts" for mount in container.volume_mounts) and not pod.spec.host_network:
        yield Mount(prepared.hosts, "/etc/hosts")
    if prepared.resolver.exists():
        yield Mount(prepared.resolver, "/etc/resolv.conf")
    prepared.last_words.parent.mkdir(parents=True, exist_ok=True)
    prepared.last_words.touch(mode=0o666)
    prepared.last_words.chmod(0o666)
    yield Mount(prepared.last_words, container.termination_message_path or TERMINATION_LOG)


def _mounted_path(
    mount: VolumeMount, variables: Mapping[str, str], folders: Mapping[str, Path], *, may_make: bool
) -> Path:
    if mount.name not in folders:
        raise ConfigError(f'no volume "{mount.name}" for the mount at {mount.mount_path}')
    folder = folders[mount.name]
    inner = expand(mount.sub_path_expr, variables) if mount.sub_path_expr else mount.sub_path
    if not inner:
        return folder
    if ".." in inner.split("/") or inner.startswith("/"):
        raise ConfigError(f'subPath "{inner}" must stay within its volume')
    path = folder / inner
    if not path.exists():
        if not may_make:
            raise ConfigError(f'subPath "{inner}" is not in the image of the volume')
        path.mkdir(mode=0o750, parents=True)
    resolved = path.resolve()
    if not resolved.is_relative_to(folder.resolve()):
        raise ConfigError(f'subPath "{inner}" leads out of its volume')
    return resolved
