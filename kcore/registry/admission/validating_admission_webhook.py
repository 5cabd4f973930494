"""Webhooks may refuse an object in its final form: all that are concerned are asked at once."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

import anyio

from kcore.api.admissionregistration_v1 import ValidatingWebhookConfiguration
from kcore.api.errors import ApiError
from kcore.kit.offload import TooMuch
from kcore.registry.admission.attributes import Attributes
from kcore.registry.admission.plugin import Operation
from kcore.registry.admission.webhooks.calling import HookFailed, WebhookPlugin
from kcore.registry.admission.webhooks.hooks import Invocation
from kcore.registry.request import Request

__all__ = ["ValidatingAdmissionWebhook"]


class ValidatingAdmissionWebhook(WebhookPlugin):
    configurations = ValidatingWebhookConfiguration
    mutating = False

    def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> Awaitable[None] | None:
        invocations = self.hooks.about((req.kind, operation, req.subresource))
        if not invocations:
            return None
        attributes = Attributes(req, operation, obj, old, self.forms)
        if any(self.forms.takes_asking(req.kind, invocation.kind) for invocation in invocations):
            return self._ask_converted(invocations, attributes)
        try:
            concerned = [invocation for invocation in invocations if self.concerns(invocation, attributes)]
        except TooMuch:
            return self._ask_converted(invocations, attributes)
        return self._ask_all(concerned, attributes) if concerned else None

    async def _ask_converted(self, invocations: Sequence[Invocation], attributes: Attributes) -> None:
        for invocation in invocations:
            await attributes.ready_as(invocation.kind)
        await self._ask_all(await self.concerned(invocations, attributes), attributes)

    async def _ask_all(self, invocations: Sequence[Invocation], attributes: Attributes) -> None:
        """Of several refusals the first one's counts, in the order of the configurations."""
        refusals: dict[int, ApiError] = {}

        async def ask(invocation: Invocation) -> None:
            try:
                try:
                    await self.ask(invocation, attributes)
                except HookFailed as failure:
                    self.fail(invocation.hook, failure)
                    attributes.req.annotate(
                        f"failed-open.validating.webhook.admission.k8s.io/round_0_index_{invocation.hook.position}",
                        invocation.hook.webhook.name,
                    )
            except ApiError as refusal:
                refusals[invocation.hook.position] = refusal

        async with anyio.create_task_group() as tasks:
            for invocation in invocations:
                tasks.start_soon(ask, invocation)
        if refusals:
            raise refusals[min(refusals)]
