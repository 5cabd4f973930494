"""How many requests run at once: each waits for its seat here, or is told to come again.

`fairness` shares the seats by FlowSchemas and PriorityLevelConfigurations, `max_inflight` counts readers and writers
only. What fair is is the registry's (`flow_control`); here it meets requests.
"""

from __future__ import annotations

from kcore.server.limits.fairness import Fairness
from kcore.server.limits.max_inflight import MaxInflight
from kcore.server.limits.seat import Limits, Seat, TooBusy

__all__ = ["Fairness", "Limits", "MaxInflight", "Seat", "TooBusy"]
