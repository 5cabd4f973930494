"""What is looked at before anything is stored."""

from __future__ import annotations

from click import Option

from kcore.commands.flags.group import ExistingFile, flags
from kcore.commands.options import Names

__all__ = ["admission_options"]

admission_options = flags(
    "admission",
    "kcore.registry.admission.options:AdmissionOptions",
    Option(
        ["--enable-admission-plugins"],
        type=Names(),
        default="",
        help="Admission plugins to switch on beside the default.",
    ),
    Option(["--disable-admission-plugins"], type=Names(), default="", help="Default admission plugins to switch off."),
    Option(
        ["--admission-control-config-file"],
        type=ExistingFile,
        help="YAML file that tells admission plugins what to do (AdmissionConfiguration).",
    ),
)
