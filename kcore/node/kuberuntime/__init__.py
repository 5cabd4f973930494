"""From a pod to requests that a container runtime understands, and back: what upstream's kubelet calls kuberuntime.

May import what `kcore.node` may, but for the runtimes themselves, which it knows by the CRI Protocol. When something is
to happen to a pod is decided in `pod_lifecycle.py`; here it happens: volumes, environment, hooks, probes, last words.
"""
