"""The turns that a policy has in one request: one for each binding that concerns it, and each object of its params."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from kcore.api.admissionregistration_v1 import ParamKind
from kcore.api.errors import ApiError, NotFound
from kcore.api.kind import Kind, parse_api_version
from kcore.registry.admission.attributes import Attributes
from kcore.registry.admission.policies.hooks import Hook
from kcore.registry.admission.policies.params import Misconfigured, find_params
from kcore.registry.converting import converted
from kcore.registry.strategy import Environment

__all__ = ["Invocation", "Misfit", "converted_invocations", "invocations"]

C = TypeVar("C")


class Invocation(NamedTuple, Generic[C]):
    """The object is to be seen as `kind`."""

    policy: Any
    binding: Any
    compiled: C
    kind: Kind
    param: Any


class Misfit(NamedTuple):
    """A policy, or with `binding` this one of its bindings, that makes no sense for the request."""

    policy: Any
    binding: Any
    why: str

    @property
    def message(self) -> str:
        return f"failed to configure {'policy' if self.binding is None else 'binding'}: {self.why}"


def invocations(
    hook: Hook[C | Exception], attributes: Attributes, env: Environment
) -> Iterator[Invocation[C] | Misfit]:
    """Raises NotFound for a namespace that is not there, and NotConverted for params that only a webhook can show."""
    policy, compiled = hook.policy, hook.compiled
    kind = hook.match.kind_for(attributes, env.store)
    if kind is None:
        return
    try:
        param_kind = _param_kind(env, policy.spec.param_kind)
        if isinstance(compiled, Exception):
            raise Misconfigured(str(compiled))
    except Misconfigured as e:
        yield Misfit(policy, None, str(e))
        return
    for binding, match in hook.bindings:
        if match.kind_for(attributes, env.store) is None:
            continue
        try:
            params = find_params(env, attributes, param_kind, binding.spec.param_ref)
        except Misconfigured as e:
            yield Misfit(policy, binding, str(e))
            continue
        for param in params:
            yield Invocation(policy, binding, compiled, kind, param)


async def converted_invocations(
    hook: Hook[C | Exception], attributes: Attributes, env: Environment
) -> Sequence[Invocation[C] | Misfit]:
    """The same, with params converted where that is needed. Raises NotFound for a namespace that is not there."""
    try:
        return await converted(lambda: list(invocations(hook, attributes, env)))
    except NotFound:
        raise
    except ApiError as error:
        return [Misfit(hook.policy, None, error.message)]


def _param_kind(env: Environment, wanted: ParamKind | None) -> Kind | None:
    """Raises Misconfigured for a kind that is not served."""
    if wanted is None:
        return None
    kind = env.scheme.find_kind(*parse_api_version(wanted.api_version), wanted.kind)
    if kind is None:
        named = f"{wanted.api_version}, Kind={wanted.kind}"
        raise Misconfigured(f"failed to find resource referenced by paramKind: '{named}'")
    return kind
