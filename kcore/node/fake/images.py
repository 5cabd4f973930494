"""The images of fake nodes: there is one behind every name, and always the same."""

from __future__ import annotations

import hashlib
from functools import lru_cache

__all__ = ["image_of"]


@lru_cache(maxsize=1024)
def image_of(name: str) -> tuple[str, int]:
    """The id and size of the image that is always behind a name."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"{_repository(name)}@sha256:{digest}", 10_000_000 + int(digest[:6], 16) * 10


def _repository(image: str) -> str:
    """The full repository of an image name: `nginx:1` -> `docker.io/library/nginx`."""
    name = image.partition("@")[0]
    head, _, last = name.rpartition("/")
    repository = f"{head}/{last.partition(':')[0]}" if head else last.partition(":")[0]
    registry = repository.partition("/")[0] if head else ""
    if "." in registry or ":" in registry or registry == "localhost":
        return repository
    return f"docker.io/{repository}" if "/" in repository else f"docker.io/library/{repository}"
