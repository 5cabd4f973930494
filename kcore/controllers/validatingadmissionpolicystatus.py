"""Tells in the status of ValidatingAdmissionPolicies which of their expressions do not fit the kinds they are about."""

from __future__ import annotations

from msgspec.structs import replace

from kcore.api.admissionregistration_v1 import TypeChecking, ValidatingAdmissionPolicy
from kcore.client.runner import Controller
from kcore.controllers.context import Context

__all__ = ["ValidatingAdmissionPolicyStatusController"]


class ValidatingAdmissionPolicyStatusController(Controller):
    """Once for each generation: a kind that is defined later is not looked at, as upstream has it."""

    name = "validatingadmissionpolicy-status-controller"
    root = ValidatingAdmissionPolicy
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._policies = context.informers.of(ValidatingAdmissionPolicy)

    async def reconcile(self, key: str) -> None:
        policy = self._policies.get(key)
        if policy is None or policy.metadata.generation <= policy.status.observed_generation:
            return
        # Imported where it is used: with it comes the compiler of expressions, which start-up does not need.
        from kcore.registry.policies.type_checking import expression_warnings

        warnings = tuple(expression_warnings(policy, self._client.scheme))
        status = replace(
            policy.status,
            observed_generation=policy.metadata.generation,
            type_checking=TypeChecking(expression_warnings=warnings),
        )
        await self._client.update(replace(policy, status=status), subresource="status")
