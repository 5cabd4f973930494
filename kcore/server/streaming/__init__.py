"""The protocols that carry many streams over one connection: SPDY/3.1, Kubernetes' WebSocket channels, and what is
spoken over either (remote commands, forwarded ports).

Bytes and states are pure (`spdy_frames`, `spdy_session`, `channels`); sockets are touched on the rim only. What a
command does or where a port leads does not belong here: callers hand that in.
"""
