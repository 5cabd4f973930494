"""The userspace back end: a listener for each service port, which relays to an endpoint of its choice.

`balancer` chooses (pure), `relay` carries TCP and `datagrams` UDP, `backend` opens and closes what rules ask for.
What a Service's endpoints are does not belong here.
"""
