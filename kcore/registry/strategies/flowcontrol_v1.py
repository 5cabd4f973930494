"""The flowcontrol.apiserver.k8s.io group."""

from __future__ import annotations

from kcore.api.flowcontrol_v1 import FlowSchema, PriorityLevelConfiguration
from kcore.registry.defaults.flowcontrol_v1 import default_flow_schema, default_priority_level
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.validation.flowcontrol_v1 import (
    validate_flow_schema,
    validate_flow_schema_status,
    validate_priority_level,
    validate_priority_level_status,
)

__all__ = ["STRATEGIES"]


class FlowSchemaStrategy(Ruled):
    type = FlowSchema
    generation = ("spec",)
    rules = Rules(default_flow_schema, validate_flow_schema, status=validate_flow_schema_status)


class PriorityLevelConfigurationStrategy(Ruled):
    type = PriorityLevelConfiguration
    generation = ("spec",)
    rules = Rules(default_priority_level, validate_priority_level, status=validate_priority_level_status)


STRATEGIES = (FlowSchemaStrategy, PriorityLevelConfigurationStrategy)
