"""The kubelet: registration, the life of pods on a node, and runtimes behind one Protocol.

May import `kcore.client` and what lies beneath it. Deciding where a pod runs does not belong here.
"""
