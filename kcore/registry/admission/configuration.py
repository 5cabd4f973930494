"""`--admission-control-config-file`: which plugin is told what (AdmissionConfiguration).

A plugin that can be configured has a `configuration`, which says what its document is called and how it is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import field

from kcore.api.decoding import DecodeError, decode_tree
from kcore.api.field import FieldError
from kcore.api.schema import JSON, LIST_ATOMIC, Struct, TypeMeta

__all__ = ["BadConfiguration", "PluginConfiguration", "read_configurations"]

_KINDS = (
    ("apiserver.config.k8s.io/v1", "AdmissionConfiguration"),
    ("apiserver.k8s.io/v1alpha1", "AdmissionConfiguration"),
)


class BadConfiguration(ValueError):
    """The message is for the user."""


class PluginConfiguration(NamedTuple):
    """What a plugin's document is."""

    api_version: str
    kind: str
    type: type[TypeMeta]
    check: Callable[[Any], Iterable[FieldError]] = lambda settings: ()
    needed: bool = False
    """Whether the plugin does nothing sensible without it."""

    def read(self, plugin: str, tree: Any) -> Any:
        """Raises BadConfiguration."""
        found = (tree.get("apiVersion"), tree.get("kind")) if isinstance(tree, dict) else (None, None)
        if found != (self.api_version, self.kind):
            raise BadConfiguration(f"the configuration of {plugin} must be a {self.kind} of {self.api_version}")
        try:
            decoded = decode_tree(self.type, tree)
        except DecodeError as e:
            raise BadConfiguration(f"the configuration of {plugin}: {e}") from None
        errors = [*decoded.findings, *map(str, self.check(decoded.obj))]
        if errors:
            raise BadConfiguration(f"the configuration of {plugin}: {', '.join(errors)}")
        return decoded.obj


class _PluginEntry(Struct):
    name: str = ""
    path: str = ""
    configuration: JSON = None


class _AdmissionConfiguration(TypeMeta):
    plugins: Annotated[tuple[_PluginEntry, ...], LIST_ATOMIC] = field(default=())


def read_configurations(file: Path) -> Mapping[str, JSON]:
    """The document of each plugin that the file names. Raises BadConfiguration."""
    tree = _parse(file)
    if (tree.get("apiVersion"), tree.get("kind")) not in _KINDS:
        raise BadConfiguration(f"{file}: must be an AdmissionConfiguration of {_KINDS[0][0]}")
    try:
        configuration = decode_tree(_AdmissionConfiguration, tree).obj
    except DecodeError as e:
        raise BadConfiguration(f"{file}: {e}") from None
    found: dict[str, JSON] = {}
    for entry in configuration.plugins:
        if entry.name in found:
            raise BadConfiguration(f"{file}: {entry.name} is configured twice")
        found[entry.name] = _parse(file.parent / entry.path) if entry.path else entry.configuration
    return found


def _parse(file: Path) -> dict[str, Any]:
    from kcore.api.yaml_syntax import YAMLSyntaxError, parse_yaml

    try:
        data = file.read_bytes()
    except OSError as e:
        raise BadConfiguration(f"{file}: {e.strerror}") from None
    try:
        tree, _ = parse_yaml(data)
    except (YAMLSyntaxError, msgspec.DecodeError) as e:
        raise BadConfiguration(f"{file}: {e}") from None
    if not isinstance(tree, dict):
        raise BadConfiguration(f"{file}: is no YAML document with fields")
    return tree
