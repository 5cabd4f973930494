"""asyncio tools that know nothing of Kubernetes: clock, backoff, readiness, the service protocol.

May import only the standard library, anyio and structlog. Anything with a kind in its name belongs elsewhere.
"""
