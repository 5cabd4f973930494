"""Rules that look beyond the object: one plugin a file, run in this order. The names are upstream's."""

from __future__ import annotations

from kcore.registry.admission.default_toleration_seconds import DefaultTolerationSeconds
from kcore.registry.admission.namespace_lifecycle import NamespaceLifecycle
from kcore.registry.admission.plugin import Chain, Operation, Plugin
from kcore.registry.admission.priority import Priority
from kcore.registry.admission.storage_object_in_use_protection import StorageObjectInUseProtection
from kcore.registry.admission.taint_nodes_by_condition import TaintNodesByCondition

__all__ = ["PLUGINS", "Chain", "Operation", "Plugin"]

PLUGINS: tuple[type[Plugin], ...] = (
    NamespaceLifecycle,
    TaintNodesByCondition,
    DefaultTolerationSeconds,
    Priority,
    StorageObjectInUseProtection,
)
