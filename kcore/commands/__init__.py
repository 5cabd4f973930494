"""The command line: one subcommand a file, all of them in the tuple below, and the options that they share.

It may import everything, but each command imports what it runs only when it runs, so that `--help` and start-up are
quick. What a cluster or a component is made of does not belong here: see `cluster.py` and `standalone.py`.
"""

from kcore.commands.controller_manager import controller_manager
from kcore.commands.explain import explain
from kcore.commands.kubeconfig import kubeconfig
from kcore.commands.kubelet import kubelet
from kcore.commands.proxy import proxy
from kcore.commands.scheduler import scheduler
from kcore.commands.serve import serve

__all__ = ["COMMANDS"]

COMMANDS = (
    serve,
    kubeconfig,
    explain,
    scheduler,
    proxy,
    kubelet,
    controller_manager,
)
