"""The definition of the kind Stage, for clusters that are told to have it from the start."""

from __future__ import annotations

from kcore.api.apiextensions_v1 import (
    CustomResourceDefinition,
    CustomResourceDefinitionNames,
    CustomResourceDefinitionSpec,
    CustomResourceDefinitionVersion,
    CustomResourceSubresources,
    CustomResourceSubresourceStatus,
    CustomResourceValidation,
    JSONSchemaProps,
)
from kcore.api.errors import AlreadyExists
from kcore.api.meta_v1 import ObjectMeta
from kcore.client.client import Client
from kcore.node.stages.engine import STAGE_GROUP, STAGE_KIND, STAGE_VERSION

__all__ = ["ensure_stages"]


async def ensure_stages(client: Client) -> None:
    """Have Stages served, unless they are already."""
    anything = JSONSchemaProps(type="object", x_kubernetes_preserve_unknown_fields=True)
    schema = JSONSchemaProps(type="object", properties={"spec": anything, "status": anything})
    version = CustomResourceDefinitionVersion(
        name=STAGE_VERSION,
        served=True,
        storage=True,
        schema=CustomResourceValidation(open_apiv3_schema=schema),
        subresources=CustomResourceSubresources(status=CustomResourceSubresourceStatus()),
    )
    names = CustomResourceDefinitionNames(plural="stages", singular="stage", kind=STAGE_KIND, list_kind="StageList")
    definition = CustomResourceDefinition(
        metadata=ObjectMeta(name=f"stages.{STAGE_GROUP}"),
        spec=CustomResourceDefinitionSpec(group=STAGE_GROUP, scope="Cluster", names=names, versions=(version,)),
    )
    try:
        await client.create(definition)
    except AlreadyExists:
        return
