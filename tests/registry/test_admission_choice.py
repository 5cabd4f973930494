"""Which admission plugins run, and what they are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kcore.registry.admission import ABSENT, DEFAULT_PLUGINS, IDLE, PLUGINS, UnknownPlugin, chosen_plugins
from kcore.registry.admission.configuration import BadConfiguration
from kcore.registry.admission.options import AdmissionOptions

EVENT_LIMITS = {
    "apiVersion": "eventratelimit.admission.k8s.io/v1alpha1",
    "kind": "Configuration",
    "limits": [{"type": "Server", "qps": 1, "burst": 1}],
}
NEEDY = {"EventRateLimit": EVENT_LIMITS}


def names(*args: Any) -> list[str]:
    return [getattr(p, "__name__", None) or getattr(p, "func", p).__name__ for p in chosen_plugins(*args)]


def test_the_default_is_what_upstream_switches_on() -> None:
    assert chosen_plugins() == DEFAULT_PLUGINS


def test_choice_keeps_the_order_of_all_plugins() -> None:
    off = [p.__name__ for p in PLUGINS if not p.on_by_default]
    assert names(list(reversed(off)), [], NEEDY) == [p.__name__ for p in PLUGINS]


def test_disabled_plugins_do_not_run() -> None:
    assert "Priority" not in names([], ["Priority"])


def test_what_is_not_built_in_can_be_switched_off_all_the_same() -> None:
    assert chosen_plugins(IDLE, ABSENT) == DEFAULT_PLUGINS


@pytest.mark.parametrize(
    ("enabled", "disabled", "why"),
    [
        (["Nope"], [], 'enable-admission-plugins plugin "Nope" is unknown'),
        ([], ["B", "A"], 'disable-admission-plugins plugin "A" is unknown'),
        (
            ["Priority"],
            ["Priority"],
            r"\[Priority\] in enable-admission-plugins and disable-admission-plugins overlapped",
        ),
        (["ImagePolicyWebhook"], [], "ImagePolicyWebhook is not built into kcore"),
        (["EventRateLimit"], [], "EventRateLimit needs a configuration"),
    ],
)
def test_a_wrong_choice_is_told(enabled: list[str], disabled: list[str], why: str) -> None:
    with pytest.raises(UnknownPlugin, match=why):
        chosen_plugins(enabled, disabled)


FILE = """
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: PodSecurity
  configuration:
    apiVersion: pod-security.admission.config.k8s.io/v1
    kind: PodSecurityConfiguration
    defaults: {enforce: baseline}
- name: EventRateLimit
  path: limits.yaml
"""
LIMITS = """
apiVersion: eventratelimit.admission.k8s.io/v1alpha1
kind: Configuration
limits: [{type: Server, qps: 1, burst: 2}]
"""


def test_plugins_are_told_what_the_file_says(tmp_path: Path) -> None:
    file = tmp_path / "admission.yaml"
    file.write_text(FILE)
    (tmp_path / "limits.yaml").write_text(LIMITS)
    options = AdmissionOptions(enable_admission_plugins=("EventRateLimit",), admission_control_config_file=file)
    told = [p for p in options.plugins if p not in PLUGINS]
    assert len(told) == 2


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("enforce: baseline", "enforce: strict", "must be one of privileged, baseline, restricted"),
        ("enforce: baseline", "nonsense: 1", 'unknown field "defaults.nonsense"'),
        ("kind: PodSecurityConfiguration", "kind: Other", "must be a PodSecurityConfiguration of"),
        ("name: PodSecurity", "name: Priority", "Priority takes no configuration"),
        ("name: PodSecurity", "name: Nope", "about unknown plugins: Nope"),
        ("kind: AdmissionConfiguration", "kind: Other", "must be an AdmissionConfiguration"),
        ("path: limits.yaml", "path: elsewhere.yaml", "elsewhere.yaml: No such file"),
        ("name: EventRateLimit", "name: PodSecurity", "PodSecurity is configured twice"),
    ],
)
def test_a_wrong_configuration_is_told(tmp_path: Path, old: str, new: str, why: str) -> None:
    file = tmp_path / "admission.yaml"
    file.write_text(FILE.replace(old, new))
    (tmp_path / "limits.yaml").write_text(LIMITS)
    with pytest.raises((BadConfiguration, UnknownPlugin), match=why):
        AdmissionOptions(enable_admission_plugins=("EventRateLimit",), admission_control_config_file=file)
