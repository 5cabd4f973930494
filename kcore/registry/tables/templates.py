"""Columns that all kinds with a pod template have in common."""

from __future__ import annotations

from kcore.api.core_v1 import PodTemplateSpec
from kcore.registry.tables.printer import wide

__all__ = ["TEMPLATE_COLUMNS", "template_cells"]

TEMPLATE_COLUMNS = (wide("Containers", "The names of the containers."), wide("Images", "The images of the containers."))


def template_cells(template: PodTemplateSpec) -> tuple[str, str]:
    containers = template.spec.containers
    return ",".join(c.name for c in containers), ",".join(c.image for c in containers)
