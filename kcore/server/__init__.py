"""The HTTP door: routes, negotiation, discovery, OpenAPI, watch streams, authentication, proxying.

May import everything from `kcore.client` inwards; it is the only place that uses aiohttp's server. Decisions
about objects do not belong here: they are the registry's.
"""
