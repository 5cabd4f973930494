"""Asking one webhook: whether it is concerned, the call, and what becomes of a refusal or a failure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import anyio
import structlog
from msgspec.structs import replace

from kcore.api.errors import BadRequest, InternalError
from kcore.api.field import quote
from kcore.api.kind import Kind
from kcore.api.meta_v1 import Status
from kcore.kit.offload import beside
from kcore.registry.admission.attributes import Attributes
from kcore.registry.admission.forms import Forms
from kcore.registry.admission.matching import is_exempt, matches_namespace, matches_object
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.admission.refusal import Refusal
from kcore.registry.admission.webhooks.hooks import Configuration, Hook, Hooks, Invocation, Webhook
from kcore.registry.admission.webhooks.review import (
    BadAnswer,
    Undecodable,
    UndecodablePatch,
    Verdict,
    question,
    review_version,
    verdict,
)
from kcore.registry.strategy import Environment, Strategies
from kcore.registry.webhook_client import CallFailed
from kcore.registry.webhook_figures import Call

__all__ = ["HookFailed", "WebhookPlugin"]

log = structlog.get_logger(__name__)

_SECONDS = 10
_CODE_MIN = 400
_QUIET = ("None", "NoneOnDryRun")


def _rejection(name: str, given: Status | None) -> Refusal:
    """What a webhook's no is to the client: its own Status, which may leave much out."""
    given = given or Status()
    denied = f"admission webhook {quote(name)} denied the request"
    why = given.message or given.reason
    message = f"{denied}: {why}" if why else f"{denied} without explanation"
    code = max(given.code, _CODE_MIN)
    return Refusal(replace(given, kind="Status", api_version="v1", status="Failure", message=message, code=code))


class HookFailed(Exception):
    """There is no usable answer: what the failure policy is about."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"failed calling webhook {quote(name)}: {why}")


class WebhookPlugin(Plugin):
    """What the mutating and the validating plugin have in common."""

    configurations: ClassVar[type[Configuration]]
    mutating: ClassVar[bool]

    def __init__(self, env: Environment, strategies: Strategies) -> None:
        super().__init__(env, strategies)
        self.forms = Forms(env.scheme, strategies)
        self.hooks = Hooks(env, self.forms, self.configurations)

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return not is_exempt(kind)

    async def concerned(self, invocations: Sequence[Invocation], attributes: Attributes) -> Sequence[Invocation]:
        """Those that are to be called. Raises ApiError."""
        return await beside(0, lambda: [each for each in invocations if self.concerns(each, attributes)])

    def concerns(self, invocation: Invocation, attributes: Attributes) -> bool:
        """Whether a webhook whose rules match is to be called, by its selectors and conditions. Raises ApiError, and
        TooMuch for conditions that others should not wait for."""
        hook = invocation.hook
        if not matches_object(hook.objects, attributes):
            return False
        if not matches_namespace(hook.namespaces, attributes, self.env.store):
            return False
        return not hook.webhook.match_conditions or self._meets(hook.webhook, attributes, invocation.kind)

    def _meets(self, webhook: Webhook, attributes: Attributes, kind: Kind) -> bool:
        # Imported where they are used: with them comes the compiler of expressions, which start-up does not need.
        from kcore.registry.admission.policies.inputs import inputs_for
        from kcore.registry.policies.conditions import compile_conditions, hold
        from kcore.registry.policies.evaluation import Failed

        try:
            return hold(compile_conditions(webhook.match_conditions), inputs_for(attributes, kind, self.env))
        except Failed as failure:
            if webhook.failure_policy == "Ignore":
                return False
            raise forbidden(attributes.req, attributes.obj or attributes.old, str(failure)) from None

    async def ask(self, invocation: Invocation, attributes: Attributes) -> Verdict:
        """The webhook's consent. Raises Refusal, HookFailed, BadRequest."""
        hook, req = invocation.hook, attributes.req
        webhook = hook.webhook
        if req.dry_run and webhook.side_effects not in _QUIET:
            raise BadRequest(f"admission webhook {quote(webhook.name)} does not support dry run")
        called = Call(webhook.name, "admit" if self.mutating else "validating", attributes.operation.value)
        figures, started = self.env.webhook_figures, anyio.current_time()
        try:
            answer = await self._call(hook, attributes, invocation.kind)
        except HookFailed:
            figures.failed(called, anyio.current_time() - started, open_=webhook.failure_policy == "Ignore")
            raise
        for key, value in answer.annotations.items():
            req.annotate(f"{webhook.name}/{key}", value)
        req.warnings.extend(answer.warnings)
        if not answer.allowed:
            rejection = _rejection(webhook.name, answer.status)
            figures.denied(called, anyio.current_time() - started, rejection.status.code)
            raise rejection
        figures.consented(called, anyio.current_time() - started)
        return answer

    async def _call(self, hook: Hook, attributes: Attributes, kind: Kind) -> Verdict:
        webhook, uid = hook.webhook, self.env.chance.uid()
        version = review_version(webhook.admission_review_versions)
        document = question(attributes, kind, uid, version)
        try:
            answer = await self.env.webhooks.call(hook.target, document, seconds=webhook.timeout_seconds or _SECONDS)
            return verdict(answer, uid, version, mutating=self.mutating)
        except (CallFailed, Undecodable) as e:
            why = f"failed to call webhook: {e}"
        except UndecodablePatch as e:
            why = f"received undecodable patch in webhook response: {e}"
        except BadAnswer as e:
            why = f"received invalid webhook response: {e}"
        raise HookFailed(webhook.name, why)

    def fail(self, hook: Hook, failure: HookFailed) -> None:
        """Raise for a failed call, unless the webhook's policy is to go on without it."""
        if hook.webhook.failure_policy != "Ignore":
            raise InternalError.because(str(failure)) from failure
        log.warning(
            "webhook failed open", webhook=hook.webhook.name, configuration=hook.configuration, why=str(failure)
        )
