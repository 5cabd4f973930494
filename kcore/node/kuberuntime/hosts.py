"""The hosts file of a pod."""

from __future__ import annotations

from kcore.api.core_v1 import Pod

__all__ = ["hostname_of", "hosts_file"]

_HEAD = """# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""
LONGEST_HOSTNAME = 63


def hostname_of(pod: Pod) -> str:
    """What a pod's containers are called."""
    return (pod.spec.hostname or pod.metadata.name)[:LONGEST_HOSTNAME].rstrip("-.")


def hosts_file(pod: Pod, ip: str, cluster_domain: str = "cluster.local") -> str:
    name = hostname_of(pod)
    names = name
    if pod.spec.subdomain:
        names = f"{name}.{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{cluster_domain}\t{name}"
    text = f"{_HEAD}{ip}\t{names}\n"
    if pod.spec.host_aliases:
        text += "\n# Entries added by HostAliases.\n"
        text += "".join(f"{alias.ip}\t{chr(9).join(alias.hostnames)}\n" for alias in pod.spec.host_aliases)
    return text
