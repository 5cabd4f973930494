"""What nodes are, what runs their pods, and where pods come from beside the API server."""

from __future__ import annotations

from pathlib import Path

import click
from click import Option

from kcore.commands.flags.group import ExistingFile, Seconds, flags, switch
from kcore.commands.options import Names

__all__ = ["kubelet_options"]

kubelet_options = flags(
    "kubelet",
    "kcore.node.options:NodeOptions",
    Option(
        ["--runtime"],
        type=click.Choice(["fake", "process"]),
        default="fake",
        show_default=True,
        help="What containers are: records that only pretend, or processes of this machine. With process, whoever may "
        "create pods runs commands here.",
    ),
    Option(
        ["--images-file"],
        type=ExistingFile,
        default=None,
        help="YAML that says which program an image stands for, with --runtime process.",
    ),
    switch("--register-node", default=True, help="Whether nodes register themselves with the API server."),
    Option(["--node-labels"], type=Names(), default="", help="Labels to register nodes with: name=value,..."),
    Option(
        ["--register-with-taints"], type=Names(), default="", help="Taints to register nodes with: key=value:Effect,..."
    ),
    Option(["--node-capacity"], type=Names(), default="", help="What a node has to give: cpu=8,memory=16Gi,pods=250"),
    Option(
        ["--node-status-update-frequency"],
        type=Seconds(),
        default="10s",
        show_default=True,
        help="How often a node looks at itself; what has not changed is reported every five minutes.",
    ),
    Option(
        ["--cloud-provider"],
        default="",
        help="With external, nodes register tainted until a cloud controller has initialized them.",
    ),
    Option(
        ["--pod-manifest-path"],
        type=click.Path(path_type=Path),
        default=None,
        help="Folder or file of pods that the first node runs whatever the API server says.",
    ),
    Option(
        ["--file-check-frequency"],
        type=Seconds(),
        default="20s",
        show_default=True,
        help="How often it is read anew, beside at once when it changes.",
    ),
    Option(["--manifest-url"], default="", help="URL of such pods."),
    Option(
        ["--manifest-url-header"],
        multiple=True,
        help="Header to send to it, as NAME:VALUE; may be given more than once.",
    ),
    Option(["--enable-crds"], type=Names(), default="", help="With Stage, KWOK's Stages script fake pods and nodes."),
    Option(["--http-check-frequency"], type=Seconds(), default="20s", show_default=True, help="How often it is read."),
)
