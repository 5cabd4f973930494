"""What is wrong with what a scheduler was told."""

from __future__ import annotations

__all__ = ["ConfigurationError"]


class ConfigurationError(ValueError):
    """The message is for whoever wrote the file or the flag."""
