"""Where in the tree of cgroups (version 2) there is room for ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from kcore.node.process.shim.cgroups import unified_parent

OWN = "user.slice/app.slice/kcore.scope"


@pytest.mark.parametrize(
    ("busy", "expected"),
    [
        ([], "kcore"),
        (["."], f"{OWN}/kcore"),
        ([".", OWN], "user.slice/app.slice/kcore"),
        ([".", OWN, "user.slice/app.slice"], "user.slice/kcore"),
        ([".", OWN, "user.slice/app.slice", "user.slice"], None),
    ],
)
def test_the_nearest_that_passes_its_controllers_on(tmp_path: Path, busy: Sequence[str], expected: str | None) -> None:
    for folder in (".", "user.slice", "user.slice/app.slice", OWN):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "cgroup.procs").touch()
        control = tmp_path / folder / "cgroup.subtree_control"
        if folder in busy:
            control.mkdir()  # cannot be written, not even by root
        else:
            control.touch()
    found = unified_parent(tmp_path, f"/{OWN}")
    assert found == (tmp_path / expected if expected is not None else None)
