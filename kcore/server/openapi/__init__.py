"""OpenAPI of what is served, versions 2 and 3, made from the same types that decode requests."""

from kcore.server.openapi.documents import OpenApi, v3_url

__all__ = ["OpenApi", "v3_url"]
