from __future__ import annotations

import pytest

from kcore.controllers import CONTROLLERS
from kcore.controllers.manager import chosen
from tests.controllers.control import controlled, deployment, pods_of

ALL = chosen(["*"])


def test_every_controller_has_a_name_of_its_own() -> None:
    assert len(ALL) == len(CONTROLLERS) + 1


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (["*", "-job"], ALL - {"job-controller"}),
        (["*", "-job-controller", "-garbage-collector"], ALL - {"job-controller", "garbage-collector-controller"}),
        (["job", "cronjob-controller"], {"job-controller", "cronjob-controller"}),
        (["-job"], set()),
        ([], set()),
    ],
)
def test_controllers_are_chosen_by_name(wanted: list[str], names: set[str]) -> None:
    assert chosen(wanted) == names


def test_unknown_controller_is_named() -> None:
    with pytest.raises(ValueError, match=r"no controller is called jobs; there are .*job-controller"):
        chosen(["*", "-jobs"])


async def test_controller_that_is_switched_off_does_nothing() -> None:
    async with controlled(controllers=("*", "-replicaset")) as w:
        await w.client.create(deployment())
        await w.settle(5)
        assert await pods_of(w) == []
