"""How the registry calls out to webhooks: what it asks of whoever speaks HTTP (`kcore.server.webhook_http`).

Admission and conversion share it: each sends one JSON document and reads one.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["CallFailed", "ClientConfig", "ServiceTarget", "Target", "Unconnected", "WebhookClient"]

HTTPS = 443


class ServiceReference(Protocol):
    """What admissionregistration and apiextensions both have of this name."""

    @property
    def namespace(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> str | None: ...

    @property
    def port(self) -> int | None: ...


class ClientConfig(Protocol):
    """The same of WebhookClientConfig."""

    @property
    def url(self) -> str | None: ...

    @property
    def service(self) -> ServiceReference | None: ...

    @property
    def ca_bundle(self) -> str: ...


class ServiceTarget(NamedTuple):
    """A Service of this cluster, which answers at whatever ready endpoint it has."""

    namespace: str
    name: str
    port: int = HTTPS

    @property
    def host(self) -> str:
        """The name that the certificate of the endpoint must carry."""
        return f"{self.name}.{self.namespace}.svc"


class Target(NamedTuple):
    """Where a webhook is. `url` is how messages name it; with a `service` its host is not looked up anywhere else.

    `ca_bundle` is PEM in base64, as configurations carry it; empty: the authorities that the machine trusts.
    """

    url: str
    ca_bundle: str = ""
    service: ServiceTarget | None = None

    @classmethod
    def of(cls, config: ClientConfig) -> Target:
        reference = config.service
        if reference is None:
            return cls(config.url or "", config.ca_bundle)
        service = ServiceTarget(reference.namespace, reference.name, reference.port or HTTPS)
        path = "/" + (reference.path or "").lstrip("/")
        return cls(f"https://{service.host}:{service.port}{path}", config.ca_bundle, service)


class CallFailed(Exception):
    """There is no answer: nobody is there, nobody is trusted, it took too long, or the answer is an error.

    The message is in the words of upstream's client: `Post "https://...": connection refused`.
    """


class WebhookClient(Protocol):
    async def call(self, target: Target, document: bytes, *, seconds: float) -> bytes:
        """POST a JSON document; the body of a 2xx answer. Raises CallFailed, at the latest after `seconds`."""


class Unconnected:
    """For a registry that is used alone: nobody can be called."""

    async def call(self, target: Target, document: bytes, *, seconds: float) -> bytes:
        raise CallFailed(f'Post "{target.url}": this registry has no way to call webhooks')
