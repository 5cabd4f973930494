"""scheduling.kcore.dev: where a pod that does not exist would go. What exists is read (`measured`)."""

from __future__ import annotations

from msgspec.structs import replace

from kcore.api.core_v1 import Pod
from kcore.api.errors import Invalid, NotImplementedByServer
from kcore.api.explanation_v1alpha1 import GROUP, VERSION, PodExplanation
from kcore.api.field import Path, required
from kcore.api.schema import fill
from kcore.registry.creating import create
from kcore.registry.pipeline import Pipeline
from kcore.registry.request import Request

__all__ = ["rehearse"]


async def rehearse(pipe: Pipeline, req: Request, body: PodExplanation) -> PodExplanation:
    """Send the pod through admission as if it were created, and ask the scheduler about what comes out."""
    explainer = pipe.explainer
    if explainer is None:
        raise NotImplementedByServer("no scheduler of this server can explain pods")
    if body.template is None:
        raise Invalid.named(GROUP, "PodExplanation", body.metadata.name, [required(Path("template"))])
    kind = pipe.env.scheme.of(Pod)
    metadata = body.template.metadata
    if not metadata.name and not metadata.generate_name:
        fill(metadata, name="rehearsed")
    pod = Pod(metadata=metadata, spec=body.template.spec)
    asked = replace(req, kind=kind, name=metadata.name, dry_run=True)
    record = await create(pipe, asked, pod)
    explanation = await explainer.rehearse(record.obj)
    fill(explanation, kind="PodExplanation", api_version=f"{GROUP}/{VERSION}")
    req.code = 201
    return explanation
