"""What `/version` says: the Kubernetes release whose API this is."""

from __future__ import annotations

import platform

import msgspec

__all__ = ["GIT_VERSION", "MAJOR", "MINOR", "version_document"]

MAJOR, MINOR, PATCH = 1, 36, 2
GIT_VERSION = f"v{MAJOR}.{MINOR}.{PATCH}+kcore"


def version_document() -> bytes:
    """The version.Info of the API that is served; its build metadata says who serves it."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    info = {
        "major": f"{MAJOR}",
        "minor": f"{MINOR}",
        "emulationMajor": f"{MAJOR}",
        "emulationMinor": f"{MINOR}",
        "minCompatibilityMajor": f"{MAJOR}",
        "minCompatibilityMinor": f"{MINOR - 1}",
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"{platform.system().lower()}/{machine}",
    }
    return msgspec.json.format(msgspec.json.encode(info), indent=2)
