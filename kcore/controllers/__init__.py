"""The controller manager: one controller, one module.

May import `kcore.client` and what lies beneath it, never the server, the scheduler, the node or the proxy.
Anything two controllers share that is not about controllers belongs in `kcore.client` or `kcore.api`.
"""
