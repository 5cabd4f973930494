"""Tools that know nothing of Kubernetes: clock, backoff, readiness, the service protocol, safe regular expressions.

May import only the standard library, anyio, structlog and re2. Anything with a kind in its name belongs elsewhere.
"""
