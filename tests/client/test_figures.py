from __future__ import annotations

import anyio
import pytest
from prometheus_client import CollectorRegistry

from kcore.api.errors import Conflict, Forbidden
from kcore.client.figures import ControllerMetrics, Figures, statistics
from kcore.client.runner import Result, work
from kcore.client.workqueue import WorkQueue
from kcore.kit.clock import LoopClock


async def worked(*keys: str) -> Figures:
    """The figures of a controller that has looked at `keys`, each once."""
    queue: WorkQueue[str] = WorkQueue(first_delay=1000)
    figures = Figures("widget-controller", queue)

    async def reconcile(key: str) -> Result | None:
        await anyio.sleep(2)
        if key == "later":
            return Result(1000)
        if key == "conflict":
            raise Conflict("somebody was faster")
        if key == "forbidden":
            raise Forbidden("not allowed")
        if key == "bug":
            raise ValueError("oops")
        return None

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work, figures, queue, reconcile, LoopClock())
        for key in keys:
            queue.add(key)
        await anyio.sleep(2 * len(keys) + 1)
        tasks.cancel_scope.cancel()
    return figures


@pytest.mark.parametrize(
    ("keys", "results"),
    [
        (["good", "better"], {"success": 2, "requeue_after": 0, "requeue": 0, "error": 0}),
        (["later"], {"success": 0, "requeue_after": 1, "requeue": 0, "error": 0}),
        (["conflict"], {"success": 0, "requeue_after": 0, "requeue": 1, "error": 0}),
        (["forbidden", "bug"], {"success": 0, "requeue_after": 0, "requeue": 0, "error": 2}),
    ],
)
async def test_what_came_of_each_key_is_counted(keys: list[str], results: dict[str, int]) -> None:
    assert (await worked(*keys)).results == results


async def test_statistics_tell_the_last_error() -> None:
    figures = await worked("good", "forbidden", "bug")
    told = statistics([figures])["widget-controller"]
    assert told["lastError"] == {"key": "bug", "message": "ValueError: oops"}
    assert told["queue"] == {"waiting": 0, "working": 0, "delayed": 2}
    assert (told["adds"], told["retries"], told["seconds"]) == (3, 2, 6.0)


async def test_prometheus_is_told_by_the_names_of_client_go() -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ControllerMetrics([await worked("good", "bug")]))
    queue, controller = {"name": "widget"}, {"controller": "widget-controller"}
    assert registry.get_sample_value("workqueue_adds_total", queue) == 2
    assert registry.get_sample_value("workqueue_retries_total", queue) == 1
    assert registry.get_sample_value("workqueue_depth", queue) == 0
    assert registry.get_sample_value("workqueue_work_duration_seconds_sum", queue) == 4
    assert registry.get_sample_value("workqueue_queue_duration_seconds_sum", queue) == 2
    assert registry.get_sample_value("controller_runtime_reconcile_errors_total", controller) == 1
    assert registry.get_sample_value("controller_runtime_reconcile_time_seconds_count", controller) == 2
