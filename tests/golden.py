"""`python -m tests.golden FOLDER`: play recorded requests of a real API server against a fresh kcore.

FOLDER holds `play.py`, `scenarios/` and `expected/`. Each area has a floor in `golden_floors.json`, the number of steps
that must be matched exactly; it is only ever raised. The exit code is 1 where an area falls under its floor.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.e2e.serving import serving

FLOORS = Path(__file__).parent / "golden_floors.json"
# As whom the recording was made: by a token, which other tokens can take the place of, as they cannot of a certificate.
ADMINISTRATOR = 'admin-token,admin,admin-uid,"system:masters"'
# The recording had three nodes of its own, and no ServiceAccount plugin.
OPTIONS = (
    "--ephemeral",
    "--nodes",
    "0",
    "--service-cidr",
    "10.96.0.0/16",
    "--disable-admission-plugins",
    "ServiceAccount",
)


def play(folder: Path, verdicts: Path) -> None:
    """Start a server, play everything, and leave a verdict per step."""
    with tempfile.TemporaryDirectory() as home:
        tokens = Path(home, "tokens")
        tokens.write_text(ADMINISTRATOR)
        with serving(Path(home), *OPTIONS, "--token-auth-file", str(tokens)) as server:
            command = [sys.executable, str(folder / "play.py"), "--server", server.url, "--insecure", "--nodes"]
            command += ["--token", ADMINISTRATOR.partition(",")[0]]
            command += ["--jobs", "4", "--max-wait", "8", "--json", str(verdicts)]
            subprocess.run(command, check=True)


def shortfalls(verdicts: list[dict[str, str]], floors: dict[str, int]) -> list[str]:
    """Where an area matched fewer steps than it must."""
    exact = Counter(step["area"] for step in verdicts if step["verdict"] == "exact")
    return [
        f"{area}: {exact[area]} exact, the floor is {floor}" for area, floor in floors.items() if exact[area] < floor
    ]


def main() -> int:
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        verdicts = Path(scratch, "verdicts.json")
        play(folder, verdicts)
        missing = shortfalls(json.loads(verdicts.read_text()), json.loads(FLOORS.read_text()))
    print("\n".join(missing) or "every area stands at or above its floor")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
