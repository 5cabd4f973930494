"""How soon after exec is an empty kcore ready, and how much memory does it hold idle? (goals: 0.6 s, 120 MB)

The reference is a Python process that only imports aiohttp's server.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from bench.serving import report, served


def bare_seconds() -> float:
    program = "import aiohttp.web"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - start


def main() -> None:
    ready: list[float] = []
    reference: list[float] = []
    memory: list[float] = []
    for _ in range(5):
        reference.append(bare_seconds())
        with served() as server:
            ready.append(server.ready_seconds)
            time.sleep(3)
            memory.append(server.memory_mb())
    report(
        "startup",
        ready_seconds=round(statistics.median(ready), 3),
        import_aiohttp_seconds=round(statistics.median(reference), 3),
        ratio=round(statistics.median(ready) / statistics.median(reference), 2),
        idle_memory_mb=round(statistics.median(memory), 1),
        goal_seconds=0.6,
        goal_mb=120,
    )


if __name__ == "__main__":
    main()
