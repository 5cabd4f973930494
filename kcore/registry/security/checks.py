"""One check for each rule of the Pod Security Standards, with upstream's ids, reasons and words.

A check looks at a pod's annotations and spec and answers the violation that it found, or None. The rules are those of
the newest version of the standards, whatever version a namespace pins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kcore.api.core_v1 import Container, EphemeralContainer, LifecycleHandler, PodSpec, Probe, SELinuxOptions, Volume
from kcore.api.field import quote

__all__ = ["BASELINE", "OVERRIDDEN", "RESTRICTED", "Violation"]


class Violation(NamedTuple):
    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


Check = Callable[[Mapping[str, str], PodSpec], Violation | None]
Containers = Sequence[Container | EphemeralContainer]

_CAPABILITIES = frozenset(
    (
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    )
)
_SYSCTLS = frozenset(
    (
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    )
)
_SE_LINUX_TYPES = frozenset(("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"))
_SECCOMP = ("RuntimeDefault", "Localhost")
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_VOLUMES = frozenset(
    (
        "config_map",
        "csi",
        "downward_api",
        "empty_dir",
        "ephemeral",
        "image",
        "persistent_volume_claim",
        "projected",
        "secret",
    )
)


def _visited(spec: PodSpec) -> Containers:
    return (*spec.init_containers, *spec.containers, *spec.ephemeral_containers)


def _names(containers: Iterable[str]) -> str:
    return ", ".join(map(quote, containers))


def _containers(names: Sequence[str]) -> str:
    return f"{'container' if len(names) == 1 else 'containers'} {_names(names)}"


def _setters(pod: bool, names: Sequence[str]) -> str:
    """Who set something bad: the pod, some of its containers, or both."""
    return " and ".join((["pod"] if pod else []) + ([_containers(names)] if names else []))


def _where(spec: PodSpec, bad: Callable[[Any], bool]) -> list[str]:
    """Names of the containers whose security context is bad."""
    return [c.name for c in _visited(spec) if c.security_context is not None and bad(c.security_context)]


def _user_namespaced(spec: PodSpec) -> bool:
    """Root in a user namespace of its own is nobody outside (KEP-127)."""
    return spec.host_users is False


def _is_windows(spec: PodSpec) -> bool:
    return spec.os is not None and spec.os.name == "windows"


# --- baseline ---


def _app_armor(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    def bad(context: Any) -> bool:
        profile = context.app_armor_profile
        return profile is not None and profile.type not in _SECCOMP

    whole = spec.security_context
    of_pod = whole is not None and bad(whole)
    names = _where(spec, bad)
    values = {c.security_context.app_armor_profile.type for c in _visited(spec) if c.name in names}  # type: ignore[union-attr]
    if of_pod:
        values.add(whole.app_armor_profile.type)  # type: ignore[union-attr]
    noted = [
        f"{key}={quote(value)}"
        for key, value in sorted(annotations.items())
        if key.startswith(_APP_ARMOR) and value not in ("", "runtime/default") and not value.startswith("localhost/")
    ]
    setters = [s for s in (_setters(of_pod, names),) if s]
    if noted:
        setters.append("annotation" if len(noted) == 1 else "annotations")
    if not setters:
        return None
    listed = [*sorted(values), *noted]
    reason = "forbidden AppArmor profile" if len(listed) == 1 else "forbidden AppArmor profiles"
    return Violation(reason, f"{' and '.join(setters)} must not set AppArmor profile type to {_names(listed)}")


def _capabilities_baseline(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    return _added_capabilities(spec, _CAPABILITIES, "non-default capabilities")


def _added_capabilities(spec: PodSpec, allowed: frozenset[str], reason: str) -> Violation | None:
    def extra(context: Any) -> set[str]:
        return set(context.capabilities.add) - allowed if context.capabilities is not None else set()

    names = _where(spec, lambda context: bool(extra(context)))
    if not names:
        return None
    found = set().union(*(extra(c.security_context) for c in _visited(spec) if c.security_context is not None))
    detail = f"{_containers(names)} must not include {_names(sorted(found))} in securityContext.capabilities.add"
    return Violation(reason, detail)


def _host_namespaces(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    shared = (("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc))
    found = [f"{name}=true" for name, is_shared in shared if is_shared]
    return Violation("host namespaces", ", ".join(found)) if found else None


def _host_path_volumes(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    names = [v.name for v in spec.volumes if v.host_path is not None]
    word = "volume" if len(names) == 1 else "volumes"
    return Violation("hostPath volumes", f"{word} {_names(names)}") if names else None


def _host_ports(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    names = [c.name for c in _visited(spec) if any(p.host_port for p in c.ports)]
    if not names:
        return None
    ports = sorted({str(p.host_port) for c in _visited(spec) for p in c.ports if p.host_port})
    uses, word = "uses" if len(names) == 1 else "use", "hostPort" if len(ports) == 1 else "hostPorts"
    return Violation("hostPort", f"{_containers(names)} {uses} {word} {', '.join(ports)}")


def _hosts(container: Container | EphemeralContainer) -> Iterator[str]:
    cycle = container.lifecycle
    handlers: tuple[Probe | LifecycleHandler | None, ...] = (
        container.liveness_probe,
        container.readiness_probe,
        container.startup_probe,
        cycle.post_start if cycle is not None else None,
        cycle.pre_stop if cycle is not None else None,
    )
    for handler in handlers:
        if handler is not None:
            for action in (handler.http_get, handler.tcp_socket):
                if action is not None and action.host:
                    yield action.host


def _probe_hosts(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    names = sorted({c.name for c in _visited(spec) if any(_hosts(c))})
    if not names:
        return None
    hosts = sorted({host for c in _visited(spec) for host in _hosts(c)})
    uses = "uses" if len(names) == 1 else "use"
    word = "probe or lifecycle host" if len(hosts) == 1 else "probe or lifecycle hosts"
    return Violation("probe or lifecycle host", f"{_containers(names)} {uses} {word} {_names(hosts)}")


def _privileged(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    names = _where(spec, lambda context: context.privileged is True)
    detail = f"{_containers(names)} must not set securityContext.privileged=true"
    return Violation("privileged", detail) if names else None


def _proc_mount(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    if _user_namespaced(spec):
        return None
    names = _where(spec, lambda context: context.proc_mount not in (None, "Default"))
    if not names:
        return None
    kinds = {
        c.security_context.proc_mount for c in _visited(spec) if c.security_context is not None and c.name in names
    }
    detail = f"{_containers(names)} must not set securityContext.procMount to {_names(sorted(k or '' for k in kinds))}"
    return Violation("procMount", detail)


def _se_linux(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    bad: list[SELinuxOptions] = []

    def is_bad(context: Any) -> bool:
        options: SELinuxOptions | None = context.se_linux_options
        if options is None or (options.type in _SE_LINUX_TYPES and not options.user and not options.role):
            return False
        bad.append(options)
        return True

    of_pod = spec.security_context is not None and is_bad(spec.security_context)
    setters = _setters(of_pod, _where(spec, is_bad))
    if not setters:
        return None
    types = sorted({o.type for o in bad} - _SE_LINUX_TYPES)
    words = [f"{'type' if len(types) == 1 else 'types'} {_names(types)}"] if types else []
    words += ["user may not be set"] if any(o.user for o in bad) else []
    words += ["role may not be set"] if any(o.role for o in bad) else []
    return Violation("seLinuxOptions", f"{setters} set forbidden securityContext.seLinuxOptions: {'; '.join(words)}")


def _bad_seccomp(context: Any) -> bool:
    return context.seccomp_profile is not None and context.seccomp_profile.type not in _SECCOMP


def _seccomp_baseline(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    whole = spec.security_context
    of_pod = whole is not None and _bad_seccomp(whole)
    setters = _setters(of_pod, _where(spec, _bad_seccomp))
    if not setters:
        return None
    contexts = (whole, *(c.security_context for c in _visited(spec)))
    profiles = (c.seccomp_profile for c in contexts if c is not None)
    types = sorted({p.type for p in profiles if p is not None} - set(_SECCOMP))
    return Violation("seccompProfile", f"{setters} must not set securityContext.seccompProfile.type to {_names(types)}")


def _sysctls(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    given = spec.security_context.sysctls if spec.security_context is not None else ()
    names = [s.name for s in given if s.name not in _SYSCTLS]
    return Violation("forbidden sysctls", ", ".join(names)) if names else None


def _host_process(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    def bad(context: Any) -> bool:
        return context.windows_options is not None and context.windows_options.host_process is True

    setters = _setters(spec.security_context is not None and bad(spec.security_context), _where(spec, bad))
    detail = f"{setters} must not set securityContext.windowsOptions.hostProcess=true"
    return Violation("hostProcess", detail) if setters else None


# --- restricted ---


def _privilege_escalation(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    if _is_windows(spec):
        return None
    names = [
        c.name
        for c in _visited(spec)
        if c.security_context is None or c.security_context.allow_privilege_escalation is not False
    ]
    detail = f"{_containers(names)} must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", detail) if names else None


def _capabilities_restricted(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    if _is_windows(spec):
        return None
    keeping = [
        c.name
        for c in _visited(spec)
        if c.security_context is None
        or c.security_context.capabilities is None
        or "ALL" not in c.security_context.capabilities.drop
    ]
    details = [f'{_containers(keeping)} must set securityContext.capabilities.drop=["ALL"]'] if keeping else []
    if added := _added_capabilities(spec, frozenset(("NET_BIND_SERVICE",)), ""):
        details.append(added.detail)
    return Violation("unrestricted capabilities", "; ".join(details)) if details else None


def _source_of(volume: Volume) -> str:
    """The name of a volume's source: of the field that is set."""
    for name, wire in zip(volume.__struct_fields__, volume.__struct_encode_fields__, strict=True):
        if name != "name" and getattr(volume, name) is not None:
            return "" if name in _VOLUMES else wire
    return ""


def _restricted_volumes(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    bad = [(v.name, source) for v in spec.volumes if (source := _source_of(v))]
    if not bad:
        return None
    sources = sorted({source for _, source in bad})
    volume, uses = ("volume", "uses") if len(bad) == 1 else ("volumes", "use")
    type_ = "restricted volume type" if len(sources) == 1 else "restricted volume types"
    detail = f"{volume} {_names(name for name, _ in bad)} {uses} {type_} {_names(sources)}"
    return Violation("restricted volume types", detail)


def _run_as_non_root(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    if _user_namespaced(spec):
        return None
    whole = spec.security_context.run_as_non_root if spec.security_context is not None else None
    setters = _setters(whole is False, _where(spec, lambda context: context.run_as_non_root is False))
    reason = "runAsNonRoot != true"
    if setters:
        return Violation(reason, f"{setters} must not set securityContext.runAsNonRoot=false")
    silent = [
        c.name for c in _visited(spec) if c.security_context is None or c.security_context.run_as_non_root is None
    ]
    if whole or not silent:
        return None
    return Violation(reason, f"pod or {_containers(silent)} must set securityContext.runAsNonRoot=true")


def _run_as_user(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    if _user_namespaced(spec):
        return None

    def bad(context: Any) -> bool:
        return bool(context.run_as_user == 0)

    setters = _setters(spec.security_context is not None and bad(spec.security_context), _where(spec, bad))
    return Violation("runAsUser=0", f"{setters} must not set runAsUser=0") if setters else None


def _seccomp_restricted(annotations: Mapping[str, str], spec: PodSpec) -> Violation | None:
    if _is_windows(spec):
        return None
    if violation := _seccomp_baseline(annotations, spec):
        return violation
    if spec.security_context is not None and spec.security_context.seccomp_profile is not None:
        return None
    silent = [
        c.name for c in _visited(spec) if c.security_context is None or c.security_context.seccomp_profile is None
    ]
    if not silent:
        return None
    detail = (
        f'pod or {_containers(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    )
    return Violation("seccompProfile", detail)


BASELINE: Mapping[str, Check] = {
    "appArmorProfile": _app_armor,
    "capabilities_baseline": _capabilities_baseline,
    "hostNamespaces": _host_namespaces,
    "hostPathVolumes": _host_path_volumes,
    "hostPorts": _host_ports,
    "hostProbesAndHostLifecycle": _probe_hosts,
    "privileged": _privileged,
    "procMount": _proc_mount,
    "seLinuxOptions": _se_linux,
    "seccompProfile_baseline": _seccomp_baseline,
    "sysctls": _sysctls,
    "windowsHostProcess": _host_process,
}
RESTRICTED: Mapping[str, Check] = {
    "allowPrivilegeEscalation": _privilege_escalation,
    "capabilities_restricted": _capabilities_restricted,
    "restrictedVolumes": _restricted_volumes,
    "runAsNonRoot": _run_as_non_root,
    "runAsUser": _run_as_user,
    "seccompProfile_restricted": _seccomp_restricted,
}
OVERRIDDEN = frozenset(("capabilities_baseline", "hostPathVolumes", "seccompProfile_baseline"))
"""Baseline checks that restricted ones include."""
