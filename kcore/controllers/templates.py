"""Pod templates of a Deployment's ReplicaSets: how they are told apart, and named."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from kcore.api.core_v1 import PodTemplateSpec

__all__ = ["HASH_LABEL", "same_template", "template_hash", "with_labels"]

HASH_LABEL = "pod-template-hash"

_FNV_OFFSET = 0x811C9DC5
_FNV_PRIME = 0x01000193
# What generated names are made of: no vowels and no look-alikes, so that a hash spells no word.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"

_encode = msgspec.json.Encoder(order="deterministic").encode


def template_hash(template: PodTemplateSpec, collisions: int | None) -> str:
    """A name for a template: 32-bit FNV-1a of its encoding (and of how often the name was taken), in safe letters."""
    data = _encode(template)
    if collisions is not None:
        data += collisions.to_bytes(8, "little")
    number = _FNV_OFFSET
    for byte in data:
        number = ((number ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))


def same_template(one: PodTemplateSpec, other: PodTemplateSpec) -> bool:
    """Whether two templates make the same pods; the label with the hash does not count."""
    return one.spec == other.spec and _without_hash(one) == _without_hash(other)


def with_labels(template: PodTemplateSpec, labels: Mapping[str, str]) -> PodTemplateSpec:
    """The template with `labels` added."""
    metadata = replace(template.metadata, labels={**template.metadata.labels, **labels})
    return replace(template, metadata=metadata)


def _without_hash(template: PodTemplateSpec) -> object:
    labels = {key: value for key, value in template.metadata.labels.items() if key != HASH_LABEL}
    return replace(template.metadata, labels=labels)
