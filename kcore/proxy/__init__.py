"""kube-proxy: Services and EndpointSlices become forwarding rules.

May import `kcore.client` and what lies beneath it. Choosing endpoints for Services does not belong here.
"""
