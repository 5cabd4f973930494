"""The runtime whose containers are processes of this machine, behind the CRI Protocol of `kcore.node.cri`.

May import `kcore.node.cri` and what lies beneath it. The life of pods does not belong here: this only does as told.

`runtime.py` speaks for it in kcore; `shim/` is a small process of its own that starts containers, keeps their logs and
outlives kcore, so that a kubelet that starts again finds everything as it was.
"""
