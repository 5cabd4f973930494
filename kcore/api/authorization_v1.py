"""The types of authorization/v1."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import field

from kcore.api.meta_v1 import FieldSelectorRequirement, LabelSelectorRequirement
from kcore.api.object import Object
from kcore.api.schema import LIST_ATOMIC, Struct, empty_tuple, false


class FieldSelectorAttributes(Struct):
    raw_selector: str = ""
    requirements: Annotated[tuple[FieldSelectorRequirement, ...], LIST_ATOMIC] = ()


class LabelSelectorAttributes(Struct):
    raw_selector: str = ""
    requirements: Annotated[tuple[LabelSelectorRequirement, ...], LIST_ATOMIC] = ()


class NonResourceAttributes(Struct):
    path: str = ""
    verb: str = ""


class ResourceAttributes(Struct):
    name: str = ""
    namespace: str = ""
    field_selector: FieldSelectorAttributes | None = None
    group: str = ""
    label_selector: LabelSelectorAttributes | None = None
    resource: str = ""
    subresource: str = ""
    verb: str = ""
    version: str = ""


class SubjectAccessReviewSpec(Struct):
    extra: Mapping[str, tuple[str, ...]] = {}
    groups: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    non_resource_attributes: NonResourceAttributes | None = None
    resource_attributes: ResourceAttributes | None = None
    uid: str = ""
    user: str = ""


class SubjectAccessReviewStatus(Struct):
    allowed: bool = field(default_factory=false)
    denied: bool = False
    evaluation_error: str = ""
    reason: str = ""


class LocalSubjectAccessReview(Object):
    spec: SubjectAccessReviewSpec = field(default_factory=SubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = field(default_factory=SubjectAccessReviewStatus)


class NonResourceRule(Struct):
    non_resource_urls: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default=(), name="nonResourceURLs")
    verbs: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class ResourceRule(Struct):
    api_groups: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    resource_names: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    resources: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    verbs: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class SelfSubjectAccessReviewSpec(Struct):
    non_resource_attributes: NonResourceAttributes | None = None
    resource_attributes: ResourceAttributes | None = None


class SelfSubjectAccessReview(Object):
    spec: SelfSubjectAccessReviewSpec = field(default_factory=SelfSubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = field(default_factory=SubjectAccessReviewStatus)


class SelfSubjectRulesReviewSpec(Struct):
    namespace: str = ""


class SubjectRulesReviewStatus(Struct):
    evaluation_error: str = ""
    incomplete: bool = field(default_factory=false)
    non_resource_rules: Annotated[tuple[NonResourceRule, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)
    resource_rules: Annotated[tuple[ResourceRule, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class SelfSubjectRulesReview(Object):
    spec: SelfSubjectRulesReviewSpec = field(default_factory=SelfSubjectRulesReviewSpec)
    status: SubjectRulesReviewStatus = field(default_factory=SubjectRulesReviewStatus)


class SubjectAccessReview(Object):
    spec: SubjectAccessReviewSpec = field(default_factory=SubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = field(default_factory=SubjectAccessReviewStatus)
