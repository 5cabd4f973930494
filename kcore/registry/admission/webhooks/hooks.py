"""The webhooks that are configured, by what they are about: found once for each kind and operation, not per request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kcore.api.admissionregistration_v1 import (
    MutatingWebhook,
    MutatingWebhookConfiguration,
    ValidatingWebhook,
    ValidatingWebhookConfiguration,
)
from kcore.api.kind import Kind
from kcore.api.selectors import Selector, selector_from_struct
from kcore.registry.admission.forms import Forms
from kcore.registry.admission.matching import Place, invoked_kind
from kcore.registry.mirror import Mirror
from kcore.registry.strategy import Environment
from kcore.registry.webhook_client import Target

__all__ = ["Hook", "Hooks", "Invocation"]

Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration
Webhook = MutatingWebhook | ValidatingWebhook


class Hook(NamedTuple):
    """One webhook of a configuration."""

    configuration: str
    webhook: Webhook
    target: Target
    namespaces: Selector
    objects: Selector
    position: int
    """Its place among all."""

    @property
    def uid(self) -> str:
        return f"{self.configuration}/{self.webhook.name}"


class Invocation(NamedTuple):
    """A webhook whose rules match, and the kind as which it wants to see the object."""

    hook: Hook
    kind: Kind


class Hooks:
    """All webhooks of one type of configuration, ordered by the names of these."""

    def __init__(self, env: Environment, forms: Forms, type_: type[Configuration]) -> None:
        self._scheme = env.scheme
        self._forms = forms
        self._mirror = Mirror(env.store, env.scheme.of(type_).prefix())
        self._generation = -1
        self._found: dict[Place, tuple[Invocation, ...]] = {}

    def about(self, place: Place) -> tuple[Invocation, ...]:
        """Those whose rules match, in the order in which they are called."""
        if self._mirror.stale or self._generation != self._scheme.generation:  # other kinds may be equivalent now
            self._mirror.follow()
            self._found = {}
            self._generation = self._scheme.generation
        found = self._found.get(place)
        if found is None:
            found = self._found[place] = tuple(self._match(place))
        return found

    def _match(self, place: Place) -> Iterator[Invocation]:
        for hook in self._hooks():
            webhook = hook.webhook
            kind = invoked_kind(webhook.rules, webhook.match_policy, place, self._forms)
            if kind is not None:
                yield Invocation(hook, kind)

    def _hooks(self) -> Iterator[Hook]:
        configurations: list[Any] = [record.obj for record in self._mirror.records.values()]
        configurations.sort(key=lambda c: c.metadata.name)
        index = 0
        for configuration in configurations:
            for webhook in configuration.webhooks:
                yield Hook(
                    configuration.metadata.name,
                    webhook,
                    Target.of(webhook.client_config),
                    selector_from_struct(webhook.namespace_selector),
                    selector_from_struct(webhook.object_selector),
                    index,
                )
                index += 1
