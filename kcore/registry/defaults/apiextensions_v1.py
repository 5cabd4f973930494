"""The apiextensions.k8s.io group."""

from __future__ import annotations

from kcore.api.apiextensions_v1 import CustomResourceConversion, CustomResourceDefinition
from kcore.api.schema import fill

__all__ = ["default_definition"]


def default_definition(obj: CustomResourceDefinition) -> None:
    spec, names = obj.spec, obj.spec.names
    if not names.singular:
        fill(names, singular=names.kind.lower())
    if not names.list_kind and names.kind:
        fill(names, list_kind=f"{names.kind}List")
    if spec.conversion is None:
        fill(spec, conversion=CustomResourceConversion(strategy="None"))
    webhook = spec.conversion.webhook if spec.conversion is not None else None
    service = webhook.client_config.service if webhook is not None and webhook.client_config is not None else None
    if service is not None and service.port is None:
        fill(service, port=443)
