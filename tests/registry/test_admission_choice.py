"""Which admission plugins run."""

from __future__ import annotations

import pytest

from kcore.registry.admission import DEFAULT_PLUGINS, PLUGINS, UnknownPlugin, chosen_plugins


def names(*args: list[str]) -> list[str]:
    return [p.__name__ for p in chosen_plugins(*args)]


def test_the_default_is_what_upstream_switches_on() -> None:
    assert chosen_plugins() == DEFAULT_PLUGINS


def test_choice_keeps_the_order_of_all_plugins() -> None:
    off = [p.__name__ for p in PLUGINS if not p.on_by_default]
    assert names(list(reversed(off))) == [p.__name__ for p in PLUGINS]


def test_disabled_plugins_do_not_run() -> None:
    assert "Priority" not in names([], ["Priority"])


@pytest.mark.parametrize(
    ("enabled", "disabled", "why"),
    [
        (["Nope"], [], "no admission plugin is called Nope; there are NamespaceLifecycle"),
        ([], ["B", "A"], r"no admission plugin is called A, B;"),
        (["Priority"], ["Priority"], "can not be both enabled and disabled: Priority"),
    ],
)
def test_a_wrong_choice_is_told(enabled: list[str], disabled: list[str], why: str) -> None:
    with pytest.raises(UnknownPlugin, match=why):
        chosen_plugins(enabled, disabled)
