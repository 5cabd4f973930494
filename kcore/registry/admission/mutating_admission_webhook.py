"""Webhooks may change an object before it is validated: they are asked one after the other, each sees what the former
did (KEP-1872 and its predecessors)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

import msgspec

from kcore.api.admissionregistration_v1 import MutatingWebhook, MutatingWebhookConfiguration
from kcore.api.errors import ApiError, InternalError
from kcore.api.field import quote
from kcore.registry.admission.attributes import Attributes
from kcore.registry.admission.plugin import Operation
from kcore.registry.admission.reinvocation import Reinvocation, Replay
from kcore.registry.admission.webhooks.calling import HookFailed, WebhookPlugin
from kcore.registry.admission.webhooks.hooks import Invocation
from kcore.registry.admission.webhooks.review import Verdict
from kcore.registry.patching.json_patch import apply_operations
from kcore.registry.request import Request

__all__ = ["MutatingAdmissionWebhook"]


class MutatingAdmissionWebhook(WebhookPlugin):
    configurations = MutatingWebhookConfiguration
    mutating = True

    def admit(self, req: Request, operation: Operation, obj: Any, old: Any) -> Awaitable[Any] | None:
        invocations = self.hooks.about((req.kind, operation, req.subresource))
        if not invocations:
            return None
        return self._run(invocations, Attributes(req, operation, obj, old, self.forms))

    async def _run(self, invocations: Sequence[Invocation], attributes: Attributes) -> Any:
        """Call those that are concerned, in order; answers the object that comes of it."""
        req = attributes.req
        reinvocation = req.reinvocation = req.reinvocation or Reinvocation()
        replay = reinvocation.replay(type(self).__name__)
        if reinvocation.again and replay.changed_since(attributes.obj):
            replay.recall()
        for invocation in invocations:
            if reinvocation.again and not replay.is_due(invocation.hook.uid):
                continue
            await attributes.ready_as(invocation.kind)
            if await self.concerned((invocation,), attributes):
                await self._turn(invocation, attributes, reinvocation, replay)
        replay.leave(attributes.obj)
        return attributes.obj

    async def _turn(
        self, invocation: Invocation, attributes: Attributes, reinvocation: Reinvocation, replay: Replay
    ) -> None:
        hook = invocation.hook
        assert isinstance(hook.webhook, MutatingWebhook)
        place = f"round_{int(reinvocation.again)}_index_{hook.position}"
        changed = False
        try:
            answer = await self.ask(invocation, attributes)
            changed = await self._apply(invocation, attributes, answer)
        except HookFailed as failure:
            self.fail(hook, failure)
            attributes.req.annotate(f"failed-open.mutation.webhook.admission.k8s.io/{place}", hook.webhook.name)
        finally:
            told = {"configuration": hook.configuration, "webhook": hook.webhook.name, "mutated": changed}
            attributes.req.annotate(f"mutation.webhook.admission.k8s.io/{place}", msgspec.json.encode(told).decode())
        if changed:
            replay.recall()
            reinvocation.wanted = True
        if hook.webhook.reinvocation_policy == "IfNeeded":
            replay.ran(hook.uid)

    async def _apply(self, invocation: Invocation, attributes: Attributes, answer: Verdict) -> bool:
        """Patch the object; answers whether that changed it."""
        name = invocation.hook.webhook.name
        if not answer.patch:
            return False
        before = attributes.object_as(invocation.kind)
        if before is None:
            why = "attempted to modify the object, which is not supported for this operation"
            raise InternalError.because(f"admission webhook {quote(name)} {why}")
        if answer.patch_type != "JSONPatch":
            raise HookFailed(name, f"unsupported patch type {quote(answer.patch_type)}")
        try:
            document = apply_operations(msgspec.json.decode(before), answer.patch)
        except ApiError as e:
            raise InternalError.because(str(e)) from None
        await attributes.become(document, invocation.kind)
        return attributes.object_as(invocation.kind) != before
