"""Who owns which field of an object (KEP-555): field sets, their FieldsV1 form, managers, and server-side apply.

A pure core: trees, objects and schemas in; trees, entries and errors out. Nothing here reads a store or a clock.
The recipes of the verbs call `Managers` (see `managers`) and nothing else.
"""

from kcore.registry.managed_fields.managers import Managers
from kcore.registry.managed_fields.scopes import SCALE_KIND

__all__ = ["SCALE_KIND", "Managers"]
