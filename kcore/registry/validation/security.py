"""Security contexts of pods and containers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kcore.api import names
from kcore.api.core_v1 import (
    AppArmorProfile,
    PodSpec,
    SeccompProfile,
    SecurityContext,
    Sysctl,
)
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required, too_long
from kcore.registry.validation.internal import shown
from kcore.registry.validation.paths import descending_path
from kcore.registry.validation.values import check
from kcore.registry.validation.windows import containers_with_path, validate_windows_options

__all__ = ["validate_host_users", "validate_pod_security_context", "validate_security_context"]

_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL = rf"^({_SEGMENT}[\./])*{_SEGMENT}$"
_is_sysctl = re.compile(_SYSCTL).match
_SYSCTL_MAX = 253
_APP_ARMOR_MAX = 4095


def validate_security_context(context: SecurityContext, path: Path, *, host_users: bool) -> Iterator[FieldError]:
    """`host_users`: whether the pod shares the node's user namespace."""
    if context.run_as_user is not None:
        yield from check(path / "runAsUser", context.run_as_user, names.user_id)
    if context.run_as_group is not None:
        yield from check(path / "runAsGroup", context.run_as_group, names.group_id)
    if context.proc_mount is not None:
        if context.proc_mount not in ("Default", "Unmasked"):
            yield not_supported(path / "procMount", context.proc_mount, ("Default", "Unmasked"))
        if host_users and context.proc_mount == "Unmasked":
            yield invalid(path / "procMount", context.proc_mount, "`hostUsers` must be false to use `Unmasked`")
    if context.seccomp_profile is not None:
        yield from _validate_seccomp(context.seccomp_profile, path / "seccompProfile")
    if context.allow_privilege_escalation is False:
        yield from _validate_no_escalation(context, path)
    if context.windows_options is not None:
        yield from validate_windows_options(context.windows_options, path / "windowsOptions")
    if context.app_armor_profile is not None:
        yield from _validate_app_armor(context.app_armor_profile, path / "appArmorProfile")


def _validate_no_escalation(context: SecurityContext, path: Path) -> Iterator[FieldError]:
    words = "cannot set `allowPrivilegeEscalation` to false and"
    if context.privileged:
        yield invalid(path, shown(context), f"{words} `privileged` to true")
    if context.capabilities is not None:
        for capability in context.capabilities.add:
            if capability == "CAP_SYS_ADMIN":
                yield invalid(path, shown(context), f"{words} `capabilities.Add` CAP_SYS_ADMIN")


def validate_pod_security_context(spec: PodSpec, path: Path) -> Iterator[FieldError]:
    """`path` is that of the spec."""
    context = spec.security_context
    if context is None:
        return
    path = path / "securityContext"
    if context.fs_group is not None:
        yield from check(path / "fsGroup", context.fs_group, names.group_id)
    if context.run_as_user is not None:
        yield from check(path / "runAsUser", context.run_as_user, names.user_id)
    if context.run_as_group is not None:
        yield from check(path / "runAsGroup", context.run_as_group, names.group_id)
    for i, group in enumerate(context.supplemental_groups):
        yield from check(path / "supplementalGroups" @ i, group, names.group_id)
    if spec.share_process_namespace and spec.host_pid:
        words = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield invalid(path / "shareProcessNamespace", True, words)
    if context.sysctls:
        yield from _validate_sysctls(context.sysctls, path / "sysctls", spec)
    policy = context.fs_group_change_policy
    if policy is not None and policy not in ("Always", "OnRootMismatch"):
        yield not_supported(path / "fsGroupChangePolicy", policy, ("Always", "OnRootMismatch"))
    if context.seccomp_profile is not None:
        yield from _validate_seccomp(context.seccomp_profile, path / "seccompProfile")
    if context.windows_options is not None:
        yield from validate_windows_options(context.windows_options, path / "windowsOptions")
    if context.app_armor_profile is not None:
        yield from _validate_app_armor(context.app_armor_profile, path / "appArmorProfile")
    policy = context.supplemental_groups_policy
    if policy is not None and policy not in ("Merge", "Strict"):
        yield not_supported(path / "supplementalGroupsPolicy", policy, ("Merge", "Strict"))
    policy = context.se_linux_change_policy
    if policy is not None and policy not in ("MountOption", "Recursive"):
        yield not_supported(path / "seLinuxChangePolicy", policy, ("MountOption", "Recursive"))


def _validate_sysctls(sysctls: tuple[Sysctl, ...], path: Path, spec: PodSpec) -> Iterator[FieldError]:
    seen: set[str] = set()
    for i, sysctl in enumerate(sysctls):
        at, name = path @ i / "name", sysctl.name
        if not name:
            yield required(at)
        elif len(name) > _SYSCTL_MAX or not _is_sysctl(name):
            yield invalid(at, name, f"must have at most {_SYSCTL_MAX} characters and match regex {_SYSCTL}")
        elif name in seen:
            yield duplicate(at, name)
        namespace = _sysctl_namespace(name)
        if spec.host_network and namespace == "net":
            yield invalid(at, name, "may not be specified when 'hostNetwork' is true")
        elif spec.host_ipc and namespace == "ipc":
            yield invalid(at, name, "may not be specified when 'hostIPC' is true")
        seen.add(name)


def _sysctl_namespace(name: str) -> str:
    """Which of the pod's namespaces a kernel parameter belongs to; empty: the whole node."""
    name = _dotted(name)
    if name.startswith("net."):
        return "net"
    if name == "kernel.sem" or name.startswith(("kernel.shm", "kernel.msg", "fs.mqueue.")):
        return "ipc"
    return ""


def _dotted(name: str) -> str:
    """Of `/` and `.`, the first one that occurs separates; the other stands for itself in a segment."""
    separator = next((c for c in name if c in "./"), ".")
    return name if separator == "." else name.translate(str.maketrans("./", "/."))


def _validate_seccomp(profile: SeccompProfile, path: Path) -> Iterator[FieldError]:
    if not profile.type:
        yield required(path / "type", "type is required when seccompProfile is set")
    elif profile.type not in _PROFILES:
        yield not_supported(path / "type", profile.type, _PROFILES)
    if profile.type == "Localhost":
        if profile.localhost_profile is None:
            yield required(path / "localhostProfile", "must be set when seccomp type is Localhost")
        else:
            yield from descending_path(profile.localhost_profile, path / "localhostProfile")
    elif profile.localhost_profile is not None:
        yield invalid(path / "localhostProfile", shown(profile), "can only be set when seccomp type is Localhost")


def _validate_app_armor(profile: AppArmorProfile, path: Path) -> Iterator[FieldError]:
    at, name = path / "localhostProfile", profile.localhost_profile
    if not profile.type:
        yield required(path / "type", "type is required when appArmorProfile is set")
    elif profile.type not in _PROFILES:
        yield not_supported(path / "type", profile.type, _PROFILES)
    elif profile.type != "Localhost":
        if name is not None:
            yield invalid(at, name, "can only be set when AppArmor type is Localhost")
    elif not name:
        yield required(at, "must be set when AppArmor type is Localhost")
    else:
        if name.strip() != name:
            yield invalid(at, name, "must not be padded with whitespace")
        if len(name.encode()) > _APP_ARMOR_MAX:
            yield too_long(at, _APP_ARMOR_MAX)


def validate_host_users(spec: PodSpec, path: Path) -> Iterator[FieldError]:
    """A user namespace of its own cannot be had together with other namespaces of the host (KEP-127)."""
    if spec.host_users is not False:
        return
    words = "when `hostUsers` is false"
    if spec.host_network:
        yield forbidden(path / "hostNetwork", words)
    if spec.host_pid:
        yield forbidden(path / "HostPID", words)
    if spec.host_ipc:
        yield forbidden(path / "HostIPC", words)
    for container, at in containers_with_path(spec, path):
        if container.volume_devices:  # which can not be mapped to other users
            yield forbidden(at / "volumeDevices", words)
