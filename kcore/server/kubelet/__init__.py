"""The kubelet's own HTTP API: what it shows of its node, and the way into its containers.

One door serves all nodes of a process, on a TLS port of its own and, without that detour, for the API server beside
it. May import what the server may; what nodes and runtimes do is behind the protocol in `kubelets`.
"""
