"""The promises of a watch, held against what comes over HTTP."""

from __future__ import annotations

import json
import threading
import urllib.request
from typing import Any

from kcore.store.store import EventType
from tests.e2e.serving import Served
from tests.store.guarantees import Bookmark, Change, Seen, check_all

OBJECTS = 12
ROUNDS = 5


def change(type_: str, obj: Any) -> Change:
    meta = obj["metadata"]
    return Change(int(meta["resourceVersion"]), meta["name"], EventType(type_), obj.get("data"))


def watch_into(seen: Seen, server: Served, path: str, since: int, seconds: int) -> None:
    """Follow one watch to its end, which the server sets."""
    query = f"watch=true&resourceVersion={since}&timeoutSeconds={seconds}&allowWatchBookmarks=true"
    request = urllib.request.Request(f"{server.url}{path}?{query}")
    with urllib.request.urlopen(request, context=server.tls, timeout=30) as lines:
        for event in map(json.loads, lines):
            if event["type"] == "BOOKMARK":
                seen.batches.append(Bookmark(int(event["object"]["metadata"]["resourceVersion"])))
            else:
                seen.batches.append([change(event["type"], event["object"])])


def write(server: Served, path: str) -> list[Change]:
    written = []
    for number in range(OBJECTS):
        body = {"metadata": {"name": f"watched-{number}"}, "data": {"round": "0"}}
        written.append(change("ADDED", server.request("POST", path, body)))
    for turn in range(1, ROUNDS):
        for number in range(OBJECTS):
            patch = {"data": {"round": str(turn)}}
            answer = server.request("PATCH", f"{path}/watched-{number}", patch, "application/merge-patch+json")
            written.append(change("MODIFIED", answer))
    return written


def test_live_replayed_and_resumed_watches_keep_every_promise(server: Served, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    start = int(server.request("GET", path)["metadata"]["resourceVersion"])
    live, replayed, resumed = Seen(start), Seen(start), Seen(start)
    follower = threading.Thread(target=watch_into, args=(live, server, path, start, 4))
    follower.start()
    written = write(server, path)
    follower.join()
    watch_into(replayed, server, path, start, 1)
    middle = written[len(written) // 2].revision
    resumed.batches = [[seen] for seen in replayed.changes() if seen.revision <= middle]
    resumed.resume(middle)
    watch_into(resumed, server, path, middle, 1)
    for seen in (live, replayed, resumed):
        assert seen.changes()
        assert isinstance(seen.batches[-1], Bookmark), "the end of the watch was not marked"
        check_all(written, seen)
