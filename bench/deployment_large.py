"""The same for 5,000 pods on 500 nodes. (goal: 5 s until they run, 5 s until their namespace is gone)"""

from __future__ import annotations

from bench.deployment import measure


def main() -> None:
    measure("deployment_large", pods=5000, nodes=500, goal_seconds=5)


if __name__ == "__main__":
    main()
