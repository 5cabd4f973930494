"""How everything but the server talks to the API: typed verbs over two transports, informers, workqueue, runner.

May import `kcore.registry` (for the in-process transport) and what lies beneath it. Controllers do not belong here.
"""
