from __future__ import annotations

import pytest

from kcore.api.errors import NotFound
from tests.registry.conftest import Api


async def test_parts_of_this_process_are_healthy_and_of_others_nothing_is_known(api: Api) -> None:
    api.registry.serve_components({"scheduler": True, "controller-manager": False})
    assert api.names("componentstatuses", "") == ["controller-manager", "scheduler"]
    (healthy,) = api.get("componentstatuses", "scheduler")["conditions"]
    assert (healthy["type"], healthy["status"], healthy["message"]) == ("Healthy", "True", "ok")
    (unknown,) = api.get("componentstatuses", "controller-manager")["conditions"]
    assert unknown["status"] == "Unknown"
    with pytest.raises(NotFound, match=r'^componentstatus "none" not found$'):
        api.get("componentstatuses", "none")
