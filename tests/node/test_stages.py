"""KWOK's Stages: expressions, templates, choices, and whole lives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies
from msgspec.structs import replace

from kcore.api.core_v1 import Node, Pod
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import CustomResource
from kcore.client.runner import Runner
from kcore.controllers.context import Context
from kcore.controllers.customresourcedefinition import CustomResourceDefinitionController
from kcore.node.stages.definition import ensure_stages
from kcore.node.stages.expressions import ExpressionError, compile_query
from kcore.node.stages.stage import Stage, StageError, chosen, duration_seconds
from kcore.node.stages.templates import TemplateError, compile_template
from kcore.registry.request import Request, User
from tests.node.pods import container, pod
from tests.node.test_engine import conditions, current, engine, run
from tests.sim.world import World, world

TREE: Mapping[str, Any] = {
    "metadata": {"name": "web", "annotations": {"example.com/x": "1"}, "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b"}], "nodeName": "node-0"},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        (".metadata.name", ["web"]),
        (".metadata.none", []),
        (".metadata.none.deeper", []),
        ('.metadata.annotations["example.com/x"]', ["1"]),
        ('.metadata.annotations."example.com/x"', ["1"]),
        (".spec.containers[].name", ["a", "b"]),
        (".spec.containers.[].name", ["a", "b"]),
        (".spec.containers[1].name", ["b"]),
        (".spec.containers[-1].name", ["b"]),
        (".spec.containers[9].name", []),
        ('.status.conditions.[] | select( .type == "Ready" ) | .status', ["True"]),
        ('.status.conditions[] | select(.type != "Ready" and .status == "False") | .type', ["Initialized"]),
        ('.status.conditions[] | select(.type == "X" or .status == "True") | .type', ["Ready"]),
        ('.metadata.none // "other"', ["other"]),
        ('.metadata.name // "other"', ["web"]),
        (".spec.containers | length", [2]),
        ("(.spec.containers | length) > 1", [True]),
        (".metadata.labels == null", [False]),
        (".metadata.none == null", [True]),
        (".", [TREE]),
    ],
)
def test_questions_are_answered(text: str, answers: Sequence[Any]) -> None:
    assert compile_query(text)(TREE) == answers


@pytest.mark.parametrize("text", [".a |", "select(", ".a[", ".a == ", "@", "foo", ".a )", ".[x]"])
def test_what_is_no_question_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_query(text)


@given(strategies.text(alphabet='.[]|()"abc01 =!/<>', max_size=25))
def test_any_text_is_a_question_or_refused(text: str) -> None:
    with suppress(ExpressionError):
        compile_query(text)(TREE)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("{{ .metadata.name }}", "web"),
        ("{{ .metadata.name | Quote }}", '"web"'),
        ("{{ .metadata.none }}", "<no value>"),
        ("{{ with .metadata.none }}a{{ else }}b{{ end }}", "b"),
        ("{{ if eq .metadata.name `web` }}a{{ else if true }}b{{ end }}", "a"),
        ("{{ if ne .metadata.name `web` }}a{{ else if true }}b{{ end }}", "b"),
        ("{{ range .spec.containers }}[{{ .name }}]{{ end }}", "[a][b]"),
        ("{{ range $i, $c := .spec.containers }}{{ $i }}{{ $c.name }}{{ end }}", "0a1b"),
        ("{{ range .spec.none }}x{{ else }}none{{ end }}", "none"),
        ("{{ range $key, $value := .metadata.labels }}{{ $key }}={{ $value }}{{ end }}", "app=web"),
        ("{{ $x := .metadata.name }}{{ with .spec }}{{ $x }} {{ $.metadata.name }}{{ end }}", "web web"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}", "1"),
        ("{{ range .spec.containers }}{{ .name }}{{ break }}{{ end }}", "a"),
        ("{{ range .spec.containers }}{{ if eq .name `a` }}{{ continue }}{{ end }}{{ .name }}{{ end }}", "b"),
        ('{{ define "x" }}<{{ .name }}>{{ end }}{{ range .spec.containers }}{{ template "x" . }}{{ end }}', "<a><b>"),
        ('{{ define "x" }}{{ .a }}{{ end }}{{ template "x" dict "a" .metadata.name }}', "web"),
        ("{{ index ( or .none dict ) `x` }}", "<no value>"),
        ("{{ add1 ( or .none 0 ) }}", "1"),
        ("a {{- .metadata.name -}} b", "awebb"),
        ("{{/* nothing */}}a", "a"),
        ("{{ or .metadata.none .metadata.name }}", "web"),
        ("{{ or ( index .metadata.annotations `example.com/x` ) `none` }}", "1"),
        ("{{ and .metadata.name 0 }}", "0"),
        ("{{ len .spec.containers }}", "2"),
        ("{{ printf `%s-%d` .metadata.name 3 }}", "web-3"),
        ("{{ Shout .metadata.name | Quote }}", '"WEB"'),
        ("a:{{ YAML .metadata.labels 1 }}", "a:\n  app: web\n  "),
    ],
)
def test_templates_write(text: str, written: str) -> None:
    assert compile_template(text).render(TREE, {"Shout": lambda word: word.upper()}) == written


@pytest.mark.parametrize(
    "text", ["{{ if true }}", "{{ end }}", "{{ nonsense }}", "{{ $x }}", "{{ . | }}", "{{ index }}", "{{ ( . }}"]
)
def test_wrong_templates_say_so(text: str) -> None:
    with pytest.raises(TemplateError):
        compile_template(text).render(TREE, {})


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("1m30s", 90), ("250ms", 0.25), ("1", None), ("", None)])
def test_durations(text: str, seconds: float | None) -> None:
    assert duration_seconds(text) == seconds


def stage(name: str, text: str) -> Stage:
    return Stage(name, yaml.safe_load(text))


def selecting(expressions: str) -> Stage:
    return stage("s", f"{{resourceRef: {{kind: Pod}}, selector: {{matchExpressions: {expressions}}}}}")


@pytest.mark.parametrize(
    ("expressions", "matches"),
    [
        ("[{key: .metadata.name, operator: Exists}]", True),
        ("[{key: .metadata.name, operator: DoesNotExist}]", False),
        ("[{key: .metadata.name, operator: In, values: [web, other]}]", True),
        ("[{key: .metadata.name, operator: NotIn, values: [web]}]", False),
        ("[{key: .metadata.none, operator: NotIn, values: [web]}]", True),
        ("[{key: .metadata.none, operator: In, values: [web]}]", False),
        ("[{key: .metadata.name, operator: Exists}, {key: .metadata.none, operator: Exists}]", False),
    ],
)
def test_selectors(expressions: str, matches: bool) -> None:
    assert selecting(expressions).matches(TREE) is matches


def test_labels_and_annotations_select() -> None:
    text = "{resourceRef: {kind: Pod}, selector: {matchLabels: {app: %s}, matchAnnotations: {example.com/x: '1'}}}"
    assert stage("s", text % "web").matches(TREE)
    assert not stage("s", text % "db").matches(TREE)
    assert not stage("s", "{resourceRef: {kind: Pod}}").matches(TREE)


@pytest.mark.parametrize(
    "text",
    [
        "{selector: {}}",
        "{resourceRef: {kind: Pod}, selector: {matchExpressions: [{key: '.a |', operator: Exists}]}}",
        "{resourceRef: {kind: Pod}, selector: {matchExpressions: [{key: .a, operator: Like}]}}",
        "{resourceRef: {kind: Pod}, next: {statusTemplate: '{{ if }}'}}",
        "{resourceRef: {kind: Pod}, delay: {durationMilliseconds: soon}}",
    ],
)
def test_wrong_stages_are_refused(text: str) -> None:
    with pytest.raises(StageError, match="stage s: "):
        stage("s", text)


def test_the_later_form_means_the_same() -> None:
    later = stage(
        "s",
        """
        resourceRef: {kind: Pod}
        selector: {matchExpressions: [{jq: {key: .metadata.name, operator: In, values: [web]}}]}
        delay: {durationFrom: {jq: {expression: .metadata.wait}}, durationMilliseconds: 5}
        steps:
        - event: {reason: Done}
        - patch: {root: status, subresource: status, template: "phase: Running"}
        - delete: {}
        """,
    )
    assert later.matches(TREE)
    assert later.delay({"metadata": {"wait": "2s"}}, 0.0, 0.0) == 2.0
    assert [patch.template for patch in later.patches] == ["phase: Running"]
    assert later.spec.next.delete
    assert later.spec.next.event is not None


def test_weights_decide() -> None:
    text = "{resourceRef: {kind: Pod}, selector: {matchLabels: {app: web}}, weight: %d}"
    stages = [stage("rare", text % 1), stage("often", text % 3), stage("never", text % 0)]
    picked = [chosen(stages, TREE, chance / 100) for chance in range(100)]
    assert [sum(1 for p in picked if p is s) for s in stages] == [25, 75, 0]
    even = [stage("a", text % 0), stage("b", text % 0)]
    assert [chosen(even, TREE, chance) for chance in (0.1, 0.9)] == even


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        ("{}", 0.0),
        ("{durationMilliseconds: 1500}", 1.5),
        ("{durationMilliseconds: 1000, jitterDurationMilliseconds: 3000}", 2.0),
        ("{durationMilliseconds: 3000, jitterDurationMilliseconds: 1000}", 1.0),
        ("{durationFrom: {expressionFrom: .metadata.annotations.wait}, durationMilliseconds: 9}", 0.009),
        ("{durationFrom: {expressionFrom: '.metadata.annotations[\"example.com/wait\"]'}}", 60.0),
    ],
)
def test_delays(delay: str, seconds: float) -> None:
    tree = {"metadata": {"annotations": {"example.com/wait": "1m"}}}
    spec = {"resourceRef": {"kind": "Pod"}, "delay": yaml.safe_load(delay)}
    assert Stage("s", spec).delay(tree, 0.0, 0.5) == pytest.approx(seconds)


FAST = """
pod-create:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: .metadata.deletionTimestamp, operator: DoesNotExist}
    - {key: .status.podIP, operator: DoesNotExist}
  delay: {durationMilliseconds: 2000}
  next:
    event: {type: Normal, reason: Created, message: Created container}
    finalizers: {add: [{value: kwok.x-k8s.io/fake}]}
    statusTemplate: |
      {{ $now := Now }}
      conditions:
      - {lastTransitionTime: {{ $now | Quote }}, status: "True", type: Ready}
      containerStatuses:
      {{ range .spec.containers }}
      - image: {{ .image | Quote }}
        imageID: ""
        name: {{ .name | Quote }}
        ready: true
        restartCount: 0
        state: {running: {startedAt: {{ $now | Quote }}}}
      {{ end }}
      hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
      podIP: {{ PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) | Quote }}
      phase: Running
      startTime: {{ $now | Quote }}
pod-complete:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchLabels: {kind: job}
    matchExpressions:
    - {key: .status.phase, operator: In, values: [Running]}
  delay: {durationMilliseconds: 10000}
  next:
    patches:
    - {subresource: status, root: status, type: merge, template: "phase: Succeeded"}
pod-remove-finalizer:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: .metadata.deletionTimestamp, operator: Exists}
    - {key: '.metadata.finalizers.[]', operator: In, values: [kwok.x-k8s.io/fake]}
  next: {finalizers: {remove: [{value: kwok.x-k8s.io/fake}]}}
pod-delete:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: .metadata.deletionTimestamp, operator: Exists}
    - {key: .metadata.finalizers, operator: DoesNotExist}
  next: {delete: true}
"""


async def add(w: World, name: str, spec: Any) -> None:
    kind = w.client.scheme.find_kind("kwok.x-k8s.io", "v1alpha1", "Stage")
    assert kind is not None
    request = Request("create", kind, "", name, User("admin", groups=("system:masters",)))
    await w.registry.create(request, CustomResource(metadata=ObjectMeta(name=name), content={"spec": spec}))


@asynccontextmanager
async def staged(text: str = FAST) -> AsyncIterator[World]:
    """A world with one fake node that Stages script."""
    async with world() as w:
        for name in ("default", "kube-node-lease"):
            await w.create_namespace(name)
        w.registry.serve_definitions()
        await ensure_stages(w.client)
        definitions = CustomResourceDefinitionController(Context(w.client, w.informers, w.clock, w.chance, w.events))
        await w.tasks.start(w.informers.run)
        await w.tasks.start(Runner(definitions, w.informers, w.clock).run)
        await w.tasks.start(engine(w, 1).run)
        await w.settle(10)
        for name, spec in yaml.safe_load(text).items():
            await add(w, name, spec)
        await w.settle(5)
        yield w


async def test_stages_lead_a_pod_through_its_life() -> None:
    async with staged() as w:
        created = await run(w, pod(containers=[container()]))
        await w.settle(1)
        assert (await current(w)).status.phase == "Pending"
        await w.settle(2)
        running = await current(w)
        assert (running.status.phase, running.metadata.finalizers) == ("Running", ("kwok.x-k8s.io/fake",))
        assert running.status.pod_ip.startswith("10.244.0.")
        assert running.status.container_statuses[0].ready
        assert "Normal Created Created container" in await w.told(created)
        await w.client.delete(Pod, "web", "default")
        await w.settle(2)
        with pytest.raises(NotFound):
            await current(w)


async def test_a_stage_may_end_a_pod() -> None:
    async with staged() as w:
        made = pod(containers=[container()])
        await run(w, replace(made, metadata=replace(made.metadata, labels={"kind": "job"})))
        await w.settle(10)
        assert (await current(w)).status.phase == "Running"
        await w.settle(5)
        assert (await current(w)).status.phase == "Succeeded"


async def test_without_stages_nodes_go_on_by_themselves() -> None:
    async with staged("{}") as w:
        await run(w, pod(containers=[container()]))
        await w.settle(2)
        assert (await current(w)).status.phase == "Running"


async def test_stages_script_nodes_too() -> None:
    text = """
node-sick:
  resourceRef: {apiGroup: v1, kind: Node}
  selector: {matchLabels: {sick: "true"}}
  delay: {durationMilliseconds: 3000}
  next:
    statusTemplate: |
      conditions:
      - {type: Ready, status: "False", reason: Sick, message: it has the flu, lastTransitionTime: {{ Now | Quote }}}
"""
    async with staged(text) as w:
        assert conditions(await w.client.get(Node, "node-0"))["Ready"] == "True"
        await w.client.patch(Node, "node-0", {"metadata": {"labels": {"sick": "true"}}})
        await w.settle(4)
        assert conditions(await w.client.get(Node, "node-0"))["Ready"] == "False"
        await w.settle(30)
        assert conditions(await w.client.get(Node, "node-0"))["Ready"] == "False"
