"""The types of rbac/v1."""

from typing import Annotated, ClassVar

from msgspec import field

from kcore.api.meta_v1 import LabelSelector
from kcore.api.object import Object
from kcore.api.schema import LIST_ATOMIC, Struct, empty, empty_tuple, null


class AggregationRule(Struct):
    cluster_role_selectors: Annotated[tuple[LabelSelector, ...], LIST_ATOMIC] = ()


class PolicyRule(Struct):
    api_groups: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    non_resource_urls: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default=(), name="nonResourceURLs")
    resource_names: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    resources: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    verbs: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class ClusterRole(Object):
    aggregation_rule: AggregationRule | None = None
    rules: Annotated[tuple[PolicyRule, ...] | None, LIST_ATOMIC] = field(default_factory=null)


class RoleRef(Struct):
    __map_type__: ClassVar[str] = "atomic"

    name: str = field(default_factory=empty)
    api_group: str = ""
    kind: str = field(default_factory=empty)


class Subject(Struct):
    __map_type__: ClassVar[str] = "atomic"

    name: str = field(default_factory=empty)
    namespace: str = ""
    api_group: str = ""
    kind: str = field(default_factory=empty)


class ClusterRoleBinding(Object):
    role_ref: RoleRef = field(default_factory=RoleRef)
    subjects: Annotated[tuple[Subject, ...], LIST_ATOMIC] = ()


class Role(Object):
    rules: Annotated[tuple[PolicyRule, ...] | None, LIST_ATOMIC] = field(default_factory=null)


class RoleBinding(Object):
    role_ref: RoleRef = field(default_factory=RoleRef)
    subjects: Annotated[tuple[Subject, ...], LIST_ATOMIC] = ()
