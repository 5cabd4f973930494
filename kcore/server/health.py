"""`/healthz`, `/livez` and `/readyz`: plain words for probes, and one line a check for `?verbose`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kcore.server.errors import page_not_found
from kcore.server.query import Query
from kcore.server.response import TEXT_TYPE, Reply, header

__all__ = ["Check", "Health"]

Check = Callable[[], str]
"""Says what is wrong; "" where nothing is."""

_NO_SNIFF = header("X-Content-Type-Options", "nosniff")


class Health:
    """The checks of each endpoint, in the order in which they are printed."""

    def __init__(self) -> None:
        self._checks: dict[str, dict[str, Check]] = {
            endpoint: {"ping": lambda: "", "log": lambda: ""} for endpoint in ("healthz", "livez", "readyz")
        }

    def add(self, name: str, check: Check, endpoints: tuple[str, ...] = ("healthz", "readyz")) -> None:
        for endpoint in endpoints:
            self._checks[endpoint][name] = check

    def paths(self) -> Iterator[str]:
        for endpoint, checks in self._checks.items():
            yield f"/{endpoint}"
            yield from (f"/{endpoint}/{name}" for name in checks)

    def answer(self, path: str, query: Query) -> Reply:
        """The answer at `/ENDPOINT` or `/ENDPOINT/CHECK`."""
        endpoint, _, name = path.strip("/").partition("/")
        checks = self._checks[endpoint]
        if name:
            if name not in checks:
                return page_not_found()
            failure = checks[name]()
            return _text(500, f"internal server error: {failure}\n") if failure else _text(200, "ok")
        return _report(endpoint, checks, query)


def _report(endpoint: str, checks: dict[str, Check], query: Query) -> Reply:
    excluded = set(query.all("exclude"))
    lines, failed = [], False
    for name, check in checks.items():
        if name in excluded:
            lines.append(f"[+]{name} excluded: ok")
            continue
        failure = check()
        failed = failed or bool(failure)
        lines.append(f"[-]{name} failed: reason withheld" if failure else f"[+]{name} ok")
    unknown = sorted(excluded - set(checks))
    if unknown:
        names = ", ".join(f'"{name}"' for name in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {names}")
    if failed:
        return _text(500, "\n".join((*lines, f"{endpoint} check failed\n")))
    if "verbose" in query:
        return _text(200, "\n".join((*lines, f"{endpoint} check passed\n")))
    return _text(200, "ok")


def _text(code: int, text: str) -> Reply:
    return Reply(code, text.encode(), TEXT_TYPE, _NO_SNIFF)
