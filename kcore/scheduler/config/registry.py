"""Which plugins there are: those of kcore, and those that users bring.

A user's plugin is a class that is made with a `Handle` and its args (a JSON tree, `{}` where nothing is configured).
It comes by `--scheduler-plugin module:Class`, or from the entry point group `kcore.scheduler_plugins`, where the name
of the entry is the name of the plugin.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any

from kcore.scheduler.config.errors import ConfigurationError
from kcore.scheduler.plugins import DEFAULT_PLUGINS, Entry

__all__ = ["ENTRY_POINTS", "plugin_registry"]

ENTRY_POINTS = "kcore.scheduler_plugins"


def plugin_registry(given: Iterable[str] = ()) -> dict[str, Entry]:
    """All plugins by name. `given` names classes as `module:Class`; they and installed ones are imported only if used,
    apart from asking a given class for its name."""
    known = {entry.name: entry for entry in DEFAULT_PLUGINS}
    for point in entry_points(group=ENTRY_POINTS):
        _add(known, point.name, Entry(point.name, _Installed(point.value), 1, None))
    for text in given:
        plugin = load_object(text)
        name = getattr(plugin, "name", None)
        if not isinstance(name, str) or not callable(plugin):
            raise ConfigurationError(f"{text} is no plugin: a class with a `name` is")
        _add(known, name, Entry(name, plugin, 1, None, is_given=True))
    return known


def load_object(text: str) -> Any:
    """What `module:name` stands for."""
    module, colon, name = text.partition(":")
    if not colon or not module or not name:
        raise ConfigurationError(f"{text!r} does not read module:Class")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"cannot load {text}: {error}") from error
    return found


class _Installed:
    """A plugin of an installed package, imported when it is made."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, handle: Any, args: Mapping[str, Any]) -> Any:
        return load_object(self._value)(handle, args)


def _add(known: dict[str, Entry], name: str, entry: Entry) -> None:
    if name in known:
        raise ConfigurationError(f"a plugin named {name} already exists")
    known[name] = entry
