from __future__ import annotations

from typing import Any

import msgspec

from kcore.api.admissionregistration_v1 import ValidatingAdmissionPolicy
from tests.controllers.control import controlled

DOCUMENT: dict[str, Any] = {
    "metadata": {"name": "p"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
            ]
        },
        "validations": [{"expression": "object.dota.size() > 0"}],
    },
}


async def test_policy_is_told_what_does_not_fit_and_again_when_it_changes() -> None:
    async with controlled() as w:
        await w.client.create(msgspec.convert(DOCUMENT, type=ValidatingAdmissionPolicy))
        await w.settle()
        status = (await w.client.get(ValidatingAdmissionPolicy, "p")).status
        assert status.observed_generation == 1
        assert status.type_checking is not None
        assert "undefined field 'dota'" in status.type_checking.expression_warnings[0].warning

        mended = {"spec": {"validations": [{"expression": "object.data.size() > 0"}]}}
        await w.client.patch(ValidatingAdmissionPolicy, "p", mended)
        await w.settle()
        status = (await w.client.get(ValidatingAdmissionPolicy, "p")).status
        assert status.observed_generation == 2
        assert status.type_checking is not None
        assert status.type_checking.expression_warnings == ()
