"""The process between kcore and its containers: parent of all of them, keeper of their output and exit codes.

May import the standard library and itself, nothing else: it starts in a moment, stays small, and is forked for each
container. Pods, volumes and anything that Kubernetes calls by name do not belong here.

A container is a tree of processes under an init of its own (`init.py`). With the right to make namespaces, that init is
process 1 of a new PID namespace in a new mount namespace, where the machine's files appear under a writable layer and
volumes at their paths (`rootfs.py`); the kernel then ends the whole tree with its init. Without, the init adopts all
orphans of its tree and ends them itself.
"""
