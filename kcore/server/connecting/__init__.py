"""Requests that the API server passes on: to a kubelet (log, exec, attach, portforward) or to what listens on a node,
in a pod or behind a service (proxy). Upstream's word for such a subresource is a connecter.

May import what the server may. Where a request may go at all is decided in `registry.connecting`.
"""
