"""KubeSchedulerConfiguration files: which plugins serve which extension points, and what is wrong with a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kcore.api.yaml_syntax import parse_yaml
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.config.errors import ConfigurationError
from kcore.scheduler.config.loading import load_configuration, parse_configuration
from kcore.scheduler.config.plan import Plan, make_profile
from kcore.scheduler.config.registry import plugin_registry
from kcore.scheduler.framework import POINTS, CycleState
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.options import SchedulerOptions
from kcore.scheduler.plugins import DEFAULT_PLUGINS, Handle
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.profile import Profile
from tests.scheduler.clusters import node, pod
from tests.scheduler.profiles import handle_for
from tests.scheduler.test_scheduler import scheduled, where

HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"


def plan(text: str, *given: str) -> Plan:
    return parse_configuration(parse_yaml((HEAD + text).encode()).tree, plugin_registry(given))


def profile(text: str, *given: str) -> Profile:
    return make_profile(plan(text, *given).profiles[0], handle_for(SchedulerCache()))


def scorers(made: Profile) -> dict[str, int]:
    return {scorer.plugin.name: scorer.weight for scorer in made.score}


DEFAULT_SCORES = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "NodeResourcesFit": 1,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
}
WITHOUT_IMAGES = {name: weight for name, weight in DEFAULT_SCORES.items() if name != "ImageLocality"}
SPREAD = "{defaultConstraints: [{maxSkew: 1, topologyKey: z, whenUnsatisfiable: ScheduleAnyway}]}"


@pytest.mark.parametrize(
    ("plugins", "scores"),
    [
        ("{}", DEFAULT_SCORES),
        (
            "{multiPoint: {disabled: [{name: ImageLocality}]}}",
            WITHOUT_IMAGES,
        ),
        ("{score: {disabled: [{name: '*'}]}}", {}),
        ("{score: {disabled: [{name: '*'}], enabled: [{name: ImageLocality, weight: 9}]}}", {"ImageLocality": 9}),
        ("{score: {disabled: [{name: '*'}], enabled: [{name: NodeAffinity}]}}", {"NodeAffinity": 2}),
        (
            "{score: {enabled: [{name: ImageLocality, weight: 5}]}}",
            {"ImageLocality": 5, **WITHOUT_IMAGES},
        ),
        ("{multiPoint: {enabled: [{name: TaintToleration, weight: 7}]}}", {**DEFAULT_SCORES, "TaintToleration": 7}),
    ],
)
def test_which_plugins_score(plugins: str, scores: Mapping[str, int]) -> None:
    made = profile(f"profiles: [{{schedulerName: x, plugins: {plugins}}}]")
    assert list(scorers(made).items()) == list(scores.items())


def test_without_profiles_it_is_the_default_one() -> None:
    read = plan("podInitialBackoffSeconds: 2\npodMaxBackoffSeconds: 4")
    assert [one.scheduler_name for one in read.profiles] == ["default-scheduler"]
    assert list(read.backoff) == [2, 4]
    made = make_profile(read.profiles[0], handle_for(SchedulerCache()))
    assert scorers(made) == DEFAULT_SCORES
    assert [judge.plugin.name for judge in made.filter][:2] == ["NodeUnschedulable", "NodeName"]


def test_a_point_may_be_served_by_few() -> None:
    made = profile("profiles: [{schedulerName: x, plugins: {filter: {disabled: [{name: NodePorts}]}}}]")
    assert "NodePorts" not in [judge.plugin.name for judge in made.filter]
    assert "NodePorts" in [plugin.name for plugin in made.pre_filter]


ARGS = "profiles: [{{schedulerName: x, pluginConfig: [{{name: {0}, args: {1}}}]}}]"
AT = "profiles[0].pluginConfig[0].args"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("parallelism: 0", "parallelism: Invalid value: 0: should be an integer value greater than zero"),
        ("percentageOfNodesToScore: 101", "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]"),
        ("podInitialBackoffSeconds: 0", "podInitialBackoffSeconds: Invalid value: 0: must be greater than 0"),
        (
            "podMaxBackoffSeconds: 0",
            "podMaxBackoffSeconds: Invalid value: 0: must be greater than or equal to PodInitialBackoffSeconds",
        ),
        (
            "profiles: [{schedulerName: x}, {schedulerName: x}]",
            'profiles[1].schedulerName: Duplicate value: "x"',
        ),
        ("profiles: [{schedulerName: x}, {}]", "profiles[1].schedulerName: Required value"),
        (
            "profiles: [{schedulerName: x, plugins: {filter: {enabled: [{name: EBSLimits}]}}}]",
            'profiles[0].plugins.filter.enabled[0]: Invalid value: "EBSLimits": was invalid in version '
            '"kubescheduler.config.k8s.io/v1" (KubeSchedulerConfiguration is version "kubescheduler.config.k8s.io/v1")',
        ),
        (
            "extenders: [{urlPrefix: 'http://x', prioritizeVerb: p}]",
            "extenders[0].weight: Invalid value: 0: must have a positive weight applied to it",
        ),
        (
            "extenders: [{urlPrefix: a, bindVerb: b}, {urlPrefix: c, bindVerb: b}]",
            'extenders: Invalid value: "found 2 extenders implementing bind": only one extender can implement bind',
        ),
        (
            "extenders: [{urlPrefix: a, managedResources: [{name: cpu}]}]",
            'extenders[0].managedResources[0].name: Invalid value: "cpu": is an invalid extended resource name',
        ),
        (
            ARGS.format("InterPodAffinity", "{hardPodAffinityWeight: 101}"),
            f"{AT}.hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]",
        ),
        (
            ARGS.format("NodeResourcesFit", "{scoringStrategy: {type: Best}}"),
            f'{AT}.scoringStrategy.type: Unsupported value: "Best": supported values: "LeastAllocated", '
            '"MostAllocated", "RequestedToCapacityRatio"',
        ),
        (
            ARGS.format("NodeResourcesFit", "{scoringStrategy: {resources: [{name: cpu, weight: 101}]}}"),
            f"{AT}.scoringStrategy.resources[0].weight: Invalid value: 101: resource weight of cpu not in valid range "
            "(0, 100]",
        ),
        (
            ARGS.format("NodeResourcesFit", "{scoringStrategy: {type: RequestedToCapacityRatio}}"),
            f"{AT}.scoringStrategy.requestedToCapacityRatio: Required value: must be specified when type is "
            "RequestedToCapacityRatio",
        ),
        (
            ARGS.format("NodeResourcesFit", "{ignoredResourceGroups: [a/b]}"),
            f"{AT}.ignoredResourceGroups[0]: Invalid value: \"a/b\": resource group name can't contain '/'",
        ),
        (
            ARGS.format("NodeResourcesBalancedAllocation", "{resources: [{name: cpu, weight: 2}]}"),
            f"{AT}.resources[0].weight: Invalid value: 2: must be 1",
        ),
        (
            ARGS.format("PodTopologySpread", SPREAD),
            f'{AT}.defaultingType: Invalid value: "System": when .defaultConstraints are not empty',
        ),
        (
            ARGS.format("DynamicResources", "{bindingTimeout: soon}"),
            f'{AT}.bindingTimeout: Invalid value: "soon": time: invalid duration "soon"',
        ),
        (
            ARGS.format("VolumeBinding", "{bindTimeoutSeconds: -1}"),
            f"{AT}.bindTimeoutSeconds: Invalid value: -1: invalid BindTimeoutSeconds, should not be a negative value",
        ),
        (
            ARGS.format("DefaultPreemption", "{minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0}"),
            f"[{AT}.minCandidateNodesPercentage: Invalid value: 0: cannot be zero at the same time as "
            f"minCandidateNodesAbsolute, {AT}.minCandidateNodesAbsolute: Invalid value: 0: cannot be zero at the same "
            "time as minCandidateNodesPercentage]",
        ),
        ("frobnicate: 1", 'strict decoding error: unknown field "frobnicate"'),
        (
            ARGS.format("NodeAffinity", "{kind: InterPodAffinityArgs}"),
            "decoding .profiles[0].pluginConfig[0]: args for plugin NodeAffinity were not of type NodeAffinityArgs",
        ),
    ],
)
def test_what_is_wrong_with_a_file(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        plan(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("plugins", "message"),
    [
        ("{multiPoint: {enabled: [{name: Nope}]}}", "plugin 'Nope' does not exist; there are DefaultBinder, "),
        ("{score: {enabled: [{name: NodeName}]}}", "plugin 'NodeName' does not extend score plugin"),
        ("{bind: {disabled: [{name: '*'}]}}", 'at least one bind plugin is needed for profile with scheduler name "x"'),
        ("{queueSort: {disabled: [{name: '*'}]}}", "only one queue sort plugin required for profile with scheduler"),
    ],
)
def test_profiles_that_cannot_be_made(plugins: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        profile(f"profiles: [{{schedulerName: x, plugins: {plugins}}}]")
    assert message in str(caught.value)


def test_another_kind_of_file_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("apiVersion: v1\nkind: Pod\n")
    with pytest.raises(ConfigurationError, match="no kind Pod is registered for version v1"):
        load_configuration(path, {})


def test_the_points_are_those_of_the_file() -> None:
    assert [point.replace("_", "") for point in POINTS] == [point.lower() for point in WIRE_POINTS]


WIRE_POINTS: Sequence[str] = (
    "preEnqueue", "queueSort", "preFilter", "filter", "postFilter", "preScore", "score", "reserve", "permit", "preBind",
    "bind", "postBind",
)  # fmt: skip


class OnlyShortNames:
    """A plugin as a user writes it."""

    name = "OnlyShortNames"

    def __init__(self, handle: Handle, args: Mapping[str, Any]) -> None:
        self._most = args.get("most", 1)

    def score(self, state: CycleState, given: PodInfo, there: NodeInfo) -> int:
        return 100 if len(there.name) <= self._most else 0


MINE = f"{__name__}:OnlyShortNames"


def test_a_plugin_of_ones_own_is_configured_like_any_other() -> None:
    config = "profiles: [{schedulerName: x, plugins: {multiPoint: {enabled: [{name: OnlyShortNames, weight: 50}]}}, "
    config += "pluginConfig: [{name: OnlyShortNames, args: {most: 3}}]}]"
    made = profile(config, MINE)
    assert scorers(made)["OnlyShortNames"] == 50


async def test_a_plugin_of_ones_own_decides() -> None:
    options = SchedulerOptions(scheduler_plugin=(MINE,))
    async with scheduled(node("long-name"), node("a"), node("longer-name"), plan=options.plan) as w:
        await w.client.create(pod())
        await w.settle()
        assert await where(w) == "a"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nocolon", "'nocolon' does not read module:Class"),
        ("kcore.nowhere:X", "cannot load kcore.nowhere:X"),
        ("kcore.scheduler.cache:SchedulerCache", "kcore.scheduler.cache:SchedulerCache is no plugin"),
        ("kcore.scheduler.plugins.node_name:NodeName", "a plugin named NodeName already exists"),
    ],
)
def test_what_is_no_plugin(given: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        plugin_registry((given,))


async def test_each_profile_schedules_the_pods_that_name_it() -> None:
    args = "{scoringStrategy: {type: MostAllocated}}"
    only = "{score: {disabled: [{name: '*'}], enabled: [{name: NodeResourcesFit}]}}"
    packing = f"pluginConfig: [{{name: NodeResourcesFit, args: {args}}}], plugins: {only}"
    read = plan(f"profiles: [{{schedulerName: default-scheduler}}, {{schedulerName: packing, {packing}}}]")
    async with scheduled(node("a"), node("b"), plan=read) as w:
        await w.client.create(pod("there", cpu="1", node_name="a"))
        for number in range(2):
            given = pod(f"p{number}", cpu="100m")
            await w.client.create(replace(given, spec=replace(given.spec, scheduler_name="packing")))
        await w.settle()
        assert [await where(w, f"p{number}") for number in range(2)] == ["a", "a"]


async def test_some_of_many_nodes_may_be_enough() -> None:
    read = plan("percentageOfNodesToScore: 1")
    async with scheduled(*[node(f"n{number}") for number in range(150)], plan=read) as w:
        for number in range(20):
            await w.client.create(pod(f"p{number}", cpu="1"))
        await w.settle()
        assert all([await where(w, f"p{number}") for number in range(20)])


def test_the_default_plugins_are_made_by_their_names() -> None:
    handle = handle_for(SchedulerCache())
    assert [entry.make(handle, entry.no_args()).name for entry in DEFAULT_PLUGINS] == [e.name for e in DEFAULT_PLUGINS]
