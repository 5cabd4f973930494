"""What stands in for images where there are none: a file that says which program an image means.

    images:
      - image: "python:*"              # a shell pattern; `docker.io/library/` may be left out
        command: [python3]
        args: [-m, http.server]        # both as ENTRYPOINT and CMD of an image
        env: {PYTHONUNBUFFERED: "1"}
        workingDir: /srv
        root: rootfs/python            # what it holds, for volumes that show it; beside this file unless absolute

The first pattern that matches counts. An image that none matches is there as well, with nothing in it: a container that
brings its own command can use it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from kcore.node.cri import ImageInfo

__all__ = ["ImagesFile", "ImagesFileError"]


class ImagesFileError(Exception):
    """The file does not say what it should; the message is one sentence."""


class Entry(NamedTuple):
    pattern: str
    command: Sequence[str]
    args: Sequence[str]
    env: Mapping[str, str]
    working_dir: str
    root: Path | None


class ImagesFile:
    """The images that a file describes; without a file, none is described."""

    def __init__(self, path: Path | None = None) -> None:
        self._entries = _read(path) if path is not None else []

    def find(self, image: str) -> ImageInfo:
        name = image.removeprefix("docker.io/").removeprefix("library/")
        digest = f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
        for entry in self._entries:
            if fnmatchcase(image, entry.pattern) or fnmatchcase(name, entry.pattern):
                _, command, args, env, working_dir, root = entry
                return ImageInfo(digest, 0, command, args, env, working_dir, was_present=True, root=root)
        return ImageInfo(digest, was_present=True)


def _read(path: Path) -> list[Entry]:
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ImagesFileError(f"cannot read {path}: {error}") from error
    images = document.get("images") if isinstance(document, Mapping) else None
    if not isinstance(images, list):
        raise ImagesFileError(f'{path} has no list "images"')
    return [_entry(path, number, image) for number, image in enumerate(images)]


def _entry(path: Path, number: int, tree: Any) -> Entry:
    where = f"{path}: images[{number}]"
    if not isinstance(tree, Mapping) or not isinstance(tree.get("image"), str):
        raise ImagesFileError(f'{where} has no "image"')
    if unknown := set(tree) - {"image", "command", "args", "env", "workingDir", "root"}:
        raise ImagesFileError(f"{where} has an unknown field {min(unknown)!r}")
    command, args, env = tree.get("command") or (), tree.get("args") or (), tree.get("env") or {}
    if isinstance(command, str) or isinstance(args, str) or not isinstance(env, Mapping):
        raise ImagesFileError(f"{where}: command and args are lists, env is a mapping")
    root = tree.get("root")
    if root is not None and not isinstance(root, str):
        raise ImagesFileError(f"{where}: root is the path of a folder")
    texts = {str(name): str(value) for name, value in env.items()}
    folder = path.absolute().parent / root if root else None
    working_dir = str(tree.get("workingDir") or "")
    return Entry(tree["image"], [*map(str, command)], [*map(str, args)], texts, working_dir, folder)
