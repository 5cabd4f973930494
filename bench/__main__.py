"""`python -m bench [name ...]`: run every benchmark (or those named), one after the other, each in its own process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SUPPORT = {"__init__", "__main__", "pods", "serving"}


def main() -> int:
    wanted = sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.py") if path.stem not in SUPPORT)
    failed = [
        name for name in wanted if subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode
    ]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
