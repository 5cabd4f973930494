"""How admission is to be done: one field for each flag of upstream's API server, by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kcore.registry.admission import MakePlugin, chosen_plugins
from kcore.registry.admission.configuration import read_configurations

__all__ = ["AdmissionOptions"]


@dataclass(frozen=True, slots=True)
class AdmissionOptions:
    """`plugins` are what it comes to. What is wrong with a flag or the file is a ValueError for the user."""

    enable_admission_plugins: tuple[str, ...] = ()
    disable_admission_plugins: tuple[str, ...] = ()
    admission_control_config_file: Path | None = None
    plugins: Sequence[MakePlugin] = field(init=False)

    def __post_init__(self) -> None:
        file = self.admission_control_config_file
        configurations = read_configurations(file) if file is not None else {}
        chosen = chosen_plugins(self.enable_admission_plugins, self.disable_admission_plugins, configurations)
        object.__setattr__(self, "plugins", chosen)
