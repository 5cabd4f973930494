"""kube-scheduler: queue, cache, cycle, framework, and one plugin a file.

May import `kcore.client` and what lies beneath it. Anything that writes more than a binding, a nomination or an
event does not belong here.
"""
