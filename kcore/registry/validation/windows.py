"""Pods for Windows nodes: their own options, host process pods, and what only Linux understands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kcore.api import names
from kcore.api.core_v1 import Container, EphemeralContainer, PodSpec, WindowsSecurityContextOptions
from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, required
from kcore.registry.validation.values import check

__all__ = ["containers_with_path", "validate_host_process", "validate_os", "validate_windows_options"]

_CREDENTIALS_KIB_MAX = 64
_DOMAIN_MAX = 256
_USER_MAX = 104
_has_control = re.compile(r"[\x00-\x1f\x7f]").search
_DNS_PART = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_is_dns_domain = re.compile(rf"{_DNS_PART}(?:\.{_DNS_PART})*").fullmatch
_is_netbios_domain = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}').fullmatch
_has_bad_user_character = re.compile(r'["/\\:;|=,+*?<>@\[\]]').search
_is_dots_and_spaces = re.compile(r"[. ]+").fullmatch


def containers_with_path(spec: PodSpec, path: Path) -> Iterator[tuple[Container | EphemeralContainer, Path]]:
    """Every container of a pod, in the order in which upstream visits them."""
    for i, container in enumerate(spec.init_containers):
        yield container, path / "initContainers" @ i
    for i, container in enumerate(spec.containers):
        yield container, path / "containers" @ i
    for i, debugger in enumerate(spec.ephemeral_containers):
        yield debugger, path / "ephemeralContainers" @ i


def validate_windows_options(options: WindowsSecurityContextOptions, path: Path) -> Iterator[FieldError]:
    if options.gmsa_credential_spec_name is not None:
        at = path / "gmsaCredentialSpecName"
        yield from check(at, options.gmsa_credential_spec_name, names.dns1123_subdomain)
    if options.gmsa_credential_spec is not None:
        at, spec = path / "gmsaCredentialSpec", options.gmsa_credential_spec
        if not spec:
            yield invalid(at, spec, "gmsaCredentialSpec cannot be an empty string")
        elif len(spec.encode()) > _CREDENTIALS_KIB_MAX * 1024:
            yield invalid(at, spec, f"gmsaCredentialSpec size must be under {_CREDENTIALS_KIB_MAX} KiB")
    if options.run_as_user_name is not None:
        at, name = path / "runAsUserName", options.run_as_user_name
        for message in _wrong_with_user_name(name):
            yield invalid(at, name, message)


def _wrong_with_user_name(name: str) -> Iterator[str]:
    """`USER` or `DOMAIN\\USER`."""
    parts = name.split("\\")
    if not name:
        yield "runAsUserName cannot be an empty string"
        return
    if _has_control(name):
        yield "runAsUserName cannot contain control characters"
        return
    if len(parts) > 2:
        yield "runAsUserName cannot contain more than one backslash"
        return
    user = parts[-1]
    if len(parts) == 2:
        domain = parts[0]
        if len(domain.encode()) >= _DOMAIN_MAX:
            yield f"runAsUserName's Domain length must be under {_DOMAIN_MAX} characters"
        if not (_is_netbios_domain(domain) or _is_dns_domain(domain)):
            yield "runAsUserName's Domain doesn't match the NetBios nor the DNS format"
    if not user:
        yield "runAsUserName's User cannot be empty"
    elif len(user.encode()) > _USER_MAX:
        yield f"runAsUserName's User length must not be longer than {_USER_MAX} characters"
    if user and _is_dots_and_spaces(user):
        yield "runAsUserName's User cannot contain only periods or spaces"
    if _has_bad_user_character(user):
        yield "runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]"


def validate_host_process(spec: PodSpec, path: Path) -> Iterator[FieldError]:
    """Host process containers come all or none, and need the host's network."""
    context = spec.security_context
    windows = context.windows_options if context is not None else None
    if windows is None and not any(c.security_context is not None for c in (*spec.init_containers, *spec.containers)):
        return
    of_pod = windows.host_process if windows is not None else None
    yes = no = False
    for container, at in containers_with_path(spec, path):
        options = container.security_context.windows_options if container.security_context is not None else None
        own = options.host_process if options is not None else None
        if of_pod is not None and own is not None and of_pod != own:
            words = f"pod hostProcess value must be identical if both are specified, was {str(of_pod).lower()}"
            yield invalid(at / "securityContext" / "windowsOptions" / "hostProcess", own, words)
        if own if own is not None else of_pod:
            yes = True
        else:
            no = True
    if not yes:
        return
    if no:
        words = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        yield invalid(path, "", words)
    if not spec.host_network:
        words = "hostNetwork must be true if pod contains any hostProcess containers"
        yield invalid(path / "hostNetwork", False, words)


_LINUX_POD_FIELDS = (
    ("securityContext.appArmorProfile", "app_armor_profile"),
    ("securityContext.seLinuxOptions", "se_linux_options"),
    ("hostUsers", ""),
    ("hostPID", ""),
    ("hostIPC", ""),
    ("securityContext.seccompProfile", "seccomp_profile"),
    ("securityContext.fsGroup", "fs_group"),
    ("securityContext.fsGroupChangePolicy", "fs_group_change_policy"),
    ("securityContext.sysctls", "sysctls"),
    ("shareProcessNamespace", ""),
    ("securityContext.runAsUser", "run_as_user"),
    ("securityContext.runAsGroup", "run_as_group"),
    ("securityContext.supplementalGroups", "supplemental_groups"),
    ("securityContext.supplementalGroupsPolicy", "supplemental_groups_policy"),
    ("securityContext.seLinuxChangePolicy", "se_linux_change_policy"),
)
_LINUX_CONTAINER_FIELDS = (
    ("appArmorProfile", "app_armor_profile"),
    ("seLinuxOptions", "se_linux_options"),
    ("seccompProfile", "seccomp_profile"),
    ("capabilities", "capabilities"),
    ("readOnlyRootFilesystem", "read_only_root_filesystem"),
    ("privileged", "privileged"),
    ("allowPrivilegeEscalation", "allow_privilege_escalation"),
    ("procMount", "proc_mount"),
    ("runAsUser", "run_as_user"),
    ("runAsGroup", "run_as_group"),
)


def validate_os(spec: PodSpec, path: Path) -> Iterator[FieldError]:
    """A pod that names its system may not ask for what only the other one has."""
    if spec.os is None:
        return
    if not spec.os.name:
        yield required(path / "os" / "name")
    elif spec.os.name not in ("linux", "windows"):
        yield not_supported(path / "os", spec.os.name, ("linux", "windows"))
    elif spec.os.name == "linux":
        yield from _validate_linux(spec, path)
    else:
        yield from _validate_windows(spec, path)


def _validate_linux(spec: PodSpec, path: Path) -> Iterator[FieldError]:
    words = "windows options cannot be set for a linux pod"
    if spec.security_context is not None and spec.security_context.windows_options is not None:
        yield forbidden(path / "securityContext" / "windowsOptions", words)
    for container, at in containers_with_path(spec, path):
        if container.security_context is not None and container.security_context.windows_options is not None:
            yield forbidden(at / "securityContext" / "windowsOptions", words)


def _validate_windows(spec: PodSpec, path: Path) -> Iterator[FieldError]:
    words = "cannot be set for a windows pod"
    host = {
        "hostUsers": spec.host_users is not None,
        "hostPID": spec.host_pid,
        "hostIPC": spec.host_ipc,
        "shareProcessNamespace": spec.share_process_namespace is not None,
    }
    for name, attribute in _LINUX_POD_FIELDS:
        if host[name] if not attribute else getattr(spec.security_context, attribute, None) not in (None, ()):
            yield forbidden(path / name, words)
    for container, at in containers_with_path(spec, path):
        for name, attribute in _LINUX_CONTAINER_FIELDS:
            if getattr(container.security_context, attribute, None) is not None:
                yield forbidden(at / "securityContext" / name, words)
