"""Kinds that are questions: created, answered, and never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kcore.api.authentication_v1 import SelfSubjectReview, SelfSubjectReviewStatus, UserInfo
from kcore.api.authorization_v1 import (
    FieldSelectorAttributes,
    LabelSelectorAttributes,
    LocalSubjectAccessReview,
    NonResourceAttributes,
    NonResourceRule,
    ResourceAttributes,
    ResourceRule,
    SelfSubjectAccessReview,
    SelfSubjectAccessReviewSpec,
    SelfSubjectRulesReview,
    SelfSubjectRulesReviewSpec,
    SubjectAccessReview,
    SubjectAccessReviewSpec,
    SubjectAccessReviewStatus,
    SubjectRulesReviewStatus,
)
from kcore.api.errors import BadRequest, Invalid, NotImplementedByServer
from kcore.api.field import FieldError, Path, invalid, required
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.schema import TypeMeta, fill
from kcore.api.selectors import FieldRequirement, FieldSelector
from kcore.registry.access import Attributes, Authorizer
from kcore.registry.metadata import METADATA, check_namespace
from kcore.registry.pipeline import Pipeline
from kcore.registry.request import Request, User
from kcore.registry.validation.labels import validate_operator, validate_requirement_labels

__all__ = ["is_question", "review"]

_SPEC = Path("spec")
_RESOURCE = _SPEC / "resourceAttributes"
_NON_RESOURCE = _SPEC / "nonResourceAttributes"


def is_question(req: Request) -> bool:
    """Whether objects of the kind are answered instead of stored."""
    return "get" not in req.kind.verbs and not req.subresource


def review(pipe: Pipeline, authorizer: Authorizer, req: Request, obj: Any) -> TypeMeta:
    """The object with its answer in its status. Raises Invalid for what is no question."""
    answer = _ANSWERS.get(req.kind.type)
    if answer is None:
        raise NotImplementedByServer(f"{req.kind.group_resource} is not implemented by this server")
    answer(pipe, authorizer, req, obj)
    fill(obj, kind=req.kind.name, api_version=req.kind.api_version)
    req.code = 201
    return obj  # type: ignore[no-any-return]


def _who_am_i(pipe: Pipeline, authorizer: Authorizer, req: Request, obj: SelfSubjectReview) -> None:
    user = req.user
    info = UserInfo(username=user.name, uid=user.uid, groups=user.groups, extra=user.extra)
    fill(obj.metadata, creation_timestamp=pipe.timestamp())
    fill(obj, status=SelfSubjectReviewStatus(user_info=info))


def _may_i(pipe: Pipeline, authorizer: Authorizer, req: Request, obj: SelfSubjectAccessReview) -> None:
    _refuse([*_metadata_errors(obj.metadata), *_attribute_errors(obj.spec)])
    _decide(authorizer, req.user, obj)


def _may_they(pipe: Pipeline, authorizer: Authorizer, req: Request, obj: SubjectAccessReview) -> None:
    _refuse([*_attribute_errors(obj.spec), *_subject_errors(obj.spec), *_metadata_errors(obj.metadata)])
    _decide(authorizer, _subject(obj.spec), obj)


def _may_they_here(pipe: Pipeline, authorizer: Authorizer, req: Request, obj: LocalSubjectAccessReview) -> None:
    spec = obj.spec
    check_namespace(req, obj.metadata)
    errors = [*_attribute_errors(spec), *_subject_errors(spec)]
    if obj.metadata != ObjectMeta(namespace=obj.metadata.namespace):
        errors.append(invalid(METADATA, obj.metadata, "must be empty except for namespace"))
    asked = spec.resource_attributes
    if asked is not None and asked.namespace != obj.metadata.namespace:
        errors.append(invalid(_RESOURCE / "namespace", asked.namespace, "must match metadata.namespace"))
    if spec.non_resource_attributes is not None:
        shown = _shown(spec.non_resource_attributes)
        errors.append(invalid(_NON_RESOURCE, shown, "disallowed on this kind of request"))
    _refuse(errors)
    _decide(authorizer, _subject(spec), obj)


def _what_may_i(pipe: Pipeline, authorizer: Authorizer, req: Request, obj: SelfSubjectRulesReview) -> None:
    if not obj.spec.namespace:
        raise BadRequest("no namespace on request")
    granted = authorizer.rules(req.user, obj.spec.namespace)
    status = SubjectRulesReviewStatus(
        resource_rules=tuple(
            ResourceRule(
                verbs=rule.verbs,
                api_groups=rule.api_groups,
                resources=rule.resources,
                resource_names=rule.resource_names,
            )
            for rule in granted.rules
            if rule.resources
        ),
        non_resource_rules=tuple(
            NonResourceRule(verbs=rule.verbs, non_resource_urls=rule.non_resource_urls)
            for rule in granted.rules
            if rule.non_resource_urls
        ),
        incomplete=granted.incomplete,
        evaluation_error=", ".join(dict.fromkeys(granted.errors)),
    )
    fill(obj, spec=SelfSubjectRulesReviewSpec(), status=status)  # upstream answers without the question


_ANSWERS: Mapping[type[Any], Callable[[Pipeline, Authorizer, Request, Any], None]] = {
    SelfSubjectReview: _who_am_i,
    SelfSubjectAccessReview: _may_i,
    SubjectAccessReview: _may_they,
    LocalSubjectAccessReview: _may_they_here,
    SelfSubjectRulesReview: _what_may_i,
}


def _decide(authorizer: Authorizer, user: User, obj: Any) -> None:
    asked, path = obj.spec.resource_attributes, obj.spec.non_resource_attributes
    if asked is not None:
        attributes = Attributes(
            user,
            asked.verb,
            asked.group,
            asked.resource,
            asked.subresource,
            asked.namespace,
            asked.name,
            field_selector=_field_selector(asked),
        )
    else:
        attributes = Attributes(user, path.verb, path=path.path)
    decision = authorizer.decide(attributes)
    fill(obj, status=SubjectAccessReviewStatus(allowed=decision.allowed, reason=decision.reason))


def _field_selector(asked: ResourceAttributes) -> str:
    """Requirements that name one value are all that an authorizer looks at, so others are left out."""
    if asked.field_selector is None:
        return ""
    if asked.field_selector.raw_selector:
        return asked.field_selector.raw_selector
    wanted = [r for r in asked.field_selector.requirements if r.operator == "In" and len(r.values) == 1]
    return str(FieldSelector(tuple(FieldRequirement(r.key, r.values[0]) for r in wanted)))


def _subject(spec: SubjectAccessReviewSpec) -> User:
    return User(spec.user, spec.uid, spec.groups, spec.extra)


def _attribute_errors(spec: SubjectAccessReviewSpec | SelfSubjectAccessReviewSpec) -> list[FieldError]:
    if spec.resource_attributes is not None and spec.non_resource_attributes is not None:
        shown = _shown(spec.non_resource_attributes)
        return [invalid(_NON_RESOURCE, shown, "cannot be specified in combination with resourceAttributes")]
    if spec.resource_attributes is None and spec.non_resource_attributes is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        return [invalid(_RESOURCE, None, why)]
    return list(_selector_errors(spec.resource_attributes)) if spec.resource_attributes is not None else []


def _selector_errors(asked: ResourceAttributes) -> Iterator[FieldError]:
    fields, labels = asked.field_selector, asked.label_selector
    if fields is not None:
        at = _RESOURCE / "fieldSelector"
        yield from _form_errors(fields, at)
        for i, wanted in enumerate(fields.requirements):
            path = at / "requirements" @ i
            if not wanted.key:
                yield required(path / "key", "must be specified")
            yield from validate_operator(wanted, path, any_operator=True)
    if labels is not None:
        at = _RESOURCE / "labelSelector"
        yield from _form_errors(labels, at)
        for i, label in enumerate(labels.requirements):
            path = at / "requirements" @ i
            yield from validate_operator(label, path, any_operator=True)
            yield from validate_requirement_labels(label, path)


def _form_errors(selector: FieldSelectorAttributes | LabelSelectorAttributes, path: Path) -> Iterator[FieldError]:
    """It is written in one of two ways."""
    if selector.raw_selector and selector.requirements:
        why = "may not specified at the same time as requirements"
        yield invalid(path / "rawSelector", selector.raw_selector, why)
    if not selector.raw_selector and not selector.requirements:
        yield required(path / "requirements", f"when {path} is specified, requirements or rawSelector is required")


def _subject_errors(spec: SubjectAccessReviewSpec) -> list[FieldError]:
    if spec.user or spec.groups:
        return []
    return [invalid(_SPEC / "user", "", "at least one of user or group must be specified")]


def _metadata_errors(metadata: ObjectMeta) -> list[FieldError]:
    return [invalid(METADATA, metadata, "must be empty")] if metadata != ObjectMeta() else []


def _shown(attributes: NonResourceAttributes) -> dict[str, str]:
    """As Go prints its internal type, which has no names for the wire."""
    return {"Path": attributes.path, "Verb": attributes.verb}


def _refuse(errors: list[FieldError]) -> None:
    """Upstream names no kind here."""
    if errors:
        raise Invalid.named("authorization.k8s.io", "", "", errors)
