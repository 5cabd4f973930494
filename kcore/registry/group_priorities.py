"""In which order discovery tells groups and versions: the priorities of the APIServices that stand for local ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kcore.api.kind import GroupVersion

__all__ = ["Priority", "priority_of"]


class Priority(NamedTuple):
    """The higher come first."""

    group: int
    version: int


_CUSTOM = Priority(1000, 100)
_MEASURED = Priority(100, 100)
_BUILT_IN: Mapping[tuple[str, str], Priority] = {
    ("", "v1"): Priority(18000, 1),
    ("apiregistration.k8s.io", "v1"): Priority(18000, 1),
    ("apps", "v1"): Priority(17800, 15),
    ("events.k8s.io", "v1"): Priority(17750, 15),
    ("authentication.k8s.io", "v1"): Priority(17700, 15),
    ("authorization.k8s.io", "v1"): Priority(17600, 15),
    ("autoscaling", "v1"): Priority(17500, 15),
    ("autoscaling", "v2"): Priority(17500, 30),
    ("batch", "v1"): Priority(17400, 15),
    ("certificates.k8s.io", "v1"): Priority(17300, 15),
    ("networking.k8s.io", "v1"): Priority(17200, 15),
    ("policy", "v1"): Priority(17100, 15),
    ("rbac.authorization.k8s.io", "v1"): Priority(17000, 15),
    ("storage.k8s.io", "v1"): Priority(16800, 15),
    ("admissionregistration.k8s.io", "v1"): Priority(16700, 15),
    ("apiextensions.k8s.io", "v1"): Priority(16700, 15),
    ("scheduling.k8s.io", "v1"): Priority(16600, 15),
    ("coordination.k8s.io", "v1"): Priority(16500, 15),
    ("node.k8s.io", "v1"): Priority(16300, 15),
    ("discovery.k8s.io", "v1"): Priority(16200, 15),
    ("resource.k8s.io", "v1"): Priority(16200, 20),
    ("flowcontrol.apiserver.k8s.io", "v1"): Priority(16100, 21),
    ("metrics.k8s.io", "v1beta1"): _MEASURED,
}


def priority_of(version: GroupVersion) -> Priority:
    """Of what is not built in, that of definitions."""
    return _BUILT_IN.get((version.group, version.version), _CUSTOM)
