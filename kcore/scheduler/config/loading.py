"""Reads KubeSchedulerConfiguration files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path as FilePath
from typing import Any, TypeVar

from msgspec.structs import replace

from kcore.api.decoding import DecodeError, decode_tree
from kcore.api.field import FieldError, Path
from kcore.api.schema import Struct
from kcore.api.yaml_syntax import YAMLSyntaxError, parse_yaml
from kcore.scheduler.config.args import NodeResourcesFitArgs
from kcore.scheduler.config.errors import ConfigurationError
from kcore.scheduler.config.plan import Plan, plan_profile
from kcore.scheduler.config.types import API_VERSION, KubeSchedulerConfiguration, KubeSchedulerProfile, PluginConfig
from kcore.scheduler.config.validation import validate_args, validate_configuration
from kcore.scheduler.plugins import Entry
from kcore.scheduler.profile import DEFAULT_SCHEDULER_NAME

__all__ = ["load_configuration", "parse_configuration", "read_tree"]

S = TypeVar("S", bound=Struct)


def load_configuration(path: FilePath, registry: Mapping[str, Entry]) -> Plan:
    """What a file says. Raises ConfigurationError, all faults in one."""
    tree = read_tree(path)
    try:
        return parse_configuration(tree, registry)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def read_tree(path: FilePath) -> Any:
    try:
        return parse_yaml(path.read_bytes()).tree
    except (OSError, YAMLSyntaxError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error


def parse_configuration(tree: Any, registry: Mapping[str, Entry]) -> Plan:
    """What a document says."""
    _check_kind(tree)
    config = decode(KubeSchedulerConfiguration, tree, "")
    profiles = config.profiles or (KubeSchedulerProfile(),)
    if len(profiles) == 1 and not profiles[0].scheduler_name:
        profiles = (replace(profiles[0], scheduler_name=DEFAULT_SCHEDULER_NAME),)
    config = replace(config, profiles=profiles)
    errors = list(validate_configuration(config))
    args = [_args(profile, registry, Path("profiles") @ index, errors) for index, profile in enumerate(profiles)]
    if errors:
        raise ConfigurationError(_joined(errors))
    ignored = [r.name for extender in config.extenders for r in extender.managed_resources if r.ignored_by_scheduler]
    planned = []
    for profile, told in zip(profiles, args, strict=True):
        percentage = profile.percentage_of_nodes_to_score or config.percentage_of_nodes_to_score or 0
        planned.append(plan_profile(profile, registry, _ignoring(told, ignored), percentage))
    return Plan(
        planned,
        config.extenders,
        config.pod_initial_backoff_seconds,
        config.pod_max_backoff_seconds,
        config.leader_election,
    )


def decode(type_: type[S], tree: Any, where: str) -> S:
    """A tree as its type; what is unknown is an error."""
    try:
        decoded = decode_tree(type_, tree)
    except DecodeError as error:
        raise ConfigurationError(f"{where}{error}") from error
    if decoded.findings:
        raise ConfigurationError(f"{where}strict decoding error: {', '.join(decoded.findings)}")
    obj: S = decoded.obj
    return obj


def _check_kind(tree: Any) -> None:
    said = (tree.get("apiVersion"), tree.get("kind")) if isinstance(tree, Mapping) else (None, None)
    if said != (API_VERSION, "KubeSchedulerConfiguration"):
        raise ConfigurationError(
            f"no kind {said[1] or ''!s} is registered for version {said[0] or ''!s}: "
            f"kcore reads KubeSchedulerConfiguration of {API_VERSION}"
        )


def _args(
    profile: KubeSchedulerProfile, registry: Mapping[str, Entry], path: Path, errors: list[FieldError]
) -> dict[str, Any]:
    """The args of each plugin that a profile tells something; what is wrong with them goes to `errors`."""
    told = {}
    for index, config in enumerate(profile.plugin_config):
        at = path / "pluginConfig" @ index
        entry = registry.get(config.name)
        if entry is None or entry.args is None:
            told[config.name] = config.args or {}
            continue
        args = told[config.name] = decode(entry.args, _checked(config, at), f"decoding .{at}.args: ")
        errors.extend(validate_args(config.name, args, at / "args"))
    return told


def _checked(config: PluginConfig, path: Path) -> Any:
    tree = config.args or {}
    wanted = f"{config.name}Args"
    if isinstance(tree, Mapping) and tree.get("kind") not in (None, wanted):
        raise ConfigurationError(f"decoding .{path}: args for plugin {config.name} were not of type {wanted}")
    return tree


def _ignoring(args: dict[str, Any], resources: Iterable[str]) -> dict[str, Any]:
    """What extenders manage for themselves, NodeResourcesFit leaves to them."""
    if not resources:
        return args
    fit = args.get("NodeResourcesFit") or NodeResourcesFitArgs()
    return {**args, "NodeResourcesFit": replace(fit, ignored_resources=(*fit.ignored_resources, *resources))}


def _joined(errors: Iterable[FieldError]) -> str:
    texts = list(dict.fromkeys(str(error) for error in errors))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
