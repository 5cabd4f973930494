"""kube-proxy: Services and EndpointSlices become forwarding, by one of the back ends: `userspace`, `iptables` or none.

`serviceport`, `endpoint`, `topology` and `rules` are the model, pure and the same for every back end; `proxier` follows
the API server and hands over what changed. May import `kcore.client` and what lies beneath it. Choosing the endpoints
of Services, and allocating their addresses and ports, does not belong here.
"""
