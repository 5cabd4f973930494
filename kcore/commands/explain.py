"""`kcore explain`: why a pod is where it is, or nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kcore.commands.options import default_kubeconfig, fail

if TYPE_CHECKING:
    from kcore.api.explanation_v1alpha1 import NodeVerdict, PodExplanation

__all__ = ["explain"]


@click.group()
def explain() -> None:
    """Say why things are as they are."""


@explain.command()
@click.argument("name", required=False)
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace of the pod.")
@click.option(
    "-f",
    "--filename",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Manifest of a pod that does not exist: where would it go?",
)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    help="Kubeconfig of the cluster.  [default: ~/.kube/kcore.yaml]",
)
@click.option("--context", default="", help="Context of the kubeconfig to use.")
def pod(
    name: str | None, namespace: str, filename: Path | None, output: str, kubeconfig: Path | None, context: str
) -> None:
    """Say of every node what keeps pod NAME from it, or how it scores, and what preemption would evict."""
    from kcore import standalone
    from kcore.kit.process import CannotStart

    if (name is None) == (filename is None):
        fail("give either the NAME of a pod or, with -f, the manifest of one")
    question = _asking(name or "", namespace, _template(filename) if filename is not None else None)
    remote = standalone.Remote(kubeconfig or default_kubeconfig(), context, leader_elect=False)
    try:
        explanation = standalone.ask(remote, question)
    except CannotStart as error:
        fail(str(error))
    if output == "json":
        import msgspec

        click.echo(json.dumps(msgspec.to_builtins(explanation), indent=2))
    else:
        click.echo("\n".join(_lines(explanation)))


def _asking(name: str, namespace: str, template: Any) -> Any:
    from kcore.api.explanation_v1alpha1 import PODS, PodExplanation
    from kcore.api.meta_v1 import ObjectMeta

    async def question(client: Any) -> Any:
        client.scheme.add(PODS)
        if template is None:
            return await client.get(PODS, name, namespace)
        metadata = ObjectMeta(namespace=template.metadata.namespace or namespace)
        return await client.create(PodExplanation(metadata=metadata, template=template))

    return question


def _template(path: Path) -> Any:
    """The pod of a manifest. Ends the command where there is none."""
    from kcore.api.core_v1 import PodTemplateSpec
    from kcore.api.decoding import DecodeError, decode_tree
    from kcore.api.yaml_syntax import YAMLSyntaxError, parse_yaml

    try:
        tree = parse_yaml(path.read_bytes()).tree
        if not isinstance(tree, dict) or tree.get("kind") != "Pod":
            fail(f"{path} is no manifest of a Pod")
        return decode_tree(PodTemplateSpec, {key: tree[key] for key in ("metadata", "spec") if key in tree}).obj
    except (YAMLSyntaxError, DecodeError) as error:
        fail(f"{path}: {error}")


def _lines(explanation: PodExplanation) -> Iterator[str]:
    """A head line, a table of the nodes, and what preemption would do."""
    metadata = explanation.metadata
    yield f"pod {metadata.namespace}/{metadata.name}: {_verdict(explanation)}"
    if explanation.gated_by:
        yield f"It does not enter the queue: {explanation.gated_by}"
    rows = [("NODE", "TOTAL", "WHY"), *[_row(verdict) for verdict in sorted(explanation.nodes, key=_order)]]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    yield ""
    for node, total, why in rows:
        yield f"{node:<{widths[0]}}  {total:>{widths[1]}}  {why}".rstrip()
    evicting = [verdict for verdict in explanation.nodes if verdict.victims]
    if evicting:
        yield ""
        yield f"Preemption would choose {explanation.preemption}. It would evict"
        for verdict in evicting:
            victims = ", ".join(f"{v.namespace}/{v.name} (priority {v.priority})" for v in verdict.victims)
            broken = f", breaking {verdict.pdb_violations} disruption budgets" if verdict.pdb_violations else ""
            yield f"  from {verdict.name}: {victims}{broken}"


def _verdict(explanation: PodExplanation) -> str:
    if explanation.node_name:
        there = f"{explanation.state} on {explanation.node_name}"
        return f"{there}; now it would go to {' or '.join(explanation.candidates) or 'no node'}"
    if explanation.candidates:
        return f"{explanation.state}; goes to {' or '.join(explanation.candidates)}"
    return f"{explanation.state}; {explanation.message}"


def _order(verdict: NodeVerdict) -> tuple[int, str]:
    return -(verdict.total if verdict.total is not None else -1), verdict.name


def _row(verdict: NodeVerdict) -> tuple[str, str, str]:
    if not verdict.fits:
        by = f"{verdict.refused_by}: " if verdict.refused_by else ""
        return verdict.name, "-", f"{by}{', '.join(verdict.reasons)}"
    scores = [f"{score.plugin} {score.scaled} x {score.weight}" for score in verdict.scores]
    return verdict.name, str(verdict.total), ", ".join(scores)
