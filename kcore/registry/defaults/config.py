"""Defaults of Secrets."""

from __future__ import annotations

import base64

from kcore.api.core_v1 import Secret
from kcore.api.schema import fill

__all__ = ["default_secret"]


def default_secret(secret: Secret) -> None:
    """`stringData` is a way of writing only: it ends up in `data`."""
    if not secret.type:
        fill(secret, type="Opaque")
    if secret.string_data:
        data = dict(secret.data)
        data.update((key, base64.b64encode(text.encode()).decode()) for key, text in secret.string_data.items())
        fill(secret, data=data, string_data={})
