"""Defaults of the flowcontrol.apiserver.k8s.io group."""

from __future__ import annotations

from kcore.api.flowcontrol_v1 import FlowSchema, PriorityLevelConfiguration
from kcore.api.schema import fill

__all__ = ["default_flow_schema", "default_priority_level"]

_PRECEDENCE = 1000
_SHARES = 30


def default_flow_schema(schema: FlowSchema) -> None:
    if not schema.spec.matching_precedence:
        fill(schema.spec, matching_precedence=_PRECEDENCE)


def default_priority_level(level: PriorityLevelConfiguration) -> None:
    limited, exempt = level.spec.limited, level.spec.exempt
    if exempt is not None:
        fill(
            exempt,
            nominal_concurrency_shares=exempt.nominal_concurrency_shares or 0,
            lendable_percent=exempt.lendable_percent or 0,
        )
    if limited is None:
        return
    if limited.nominal_concurrency_shares is None:
        fill(limited, nominal_concurrency_shares=_SHARES)
    if limited.lendable_percent is None:
        fill(limited, lendable_percent=0)
    queuing = limited.limit_response.queuing
    if queuing is not None:
        fill(
            queuing,
            hand_size=queuing.hand_size or 8,
            queues=queuing.queues or 64,
            queue_length_limit=queuing.queue_length_limit or 50,
        )
