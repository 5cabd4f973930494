"""Devices for pods: claims are made from the templates that pods name, and go, or are free again, after the pods.

Who gets which device is the scheduler's decision (`status.allocation`); for whom, it notes in `status.reservedFor`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from kcore.api.core_v1 import Pod, PodResourceClaim, PodResourceClaimStatus
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.api.resource_v1 import ResourceClaim, ResourceClaimConsumerReference, ResourceClaimTemplate
from kcore.client.informer import key_of
from kcore.client.removal import delete_exactly
from kcore.client.runner import Controller, MapFunction, controller_of
from kcore.controllers.adoption import controller_reference
from kcore.controllers.context import Context
from kcore.controllers.freshness import Freshness
from kcore.controllers.pods import is_active, is_finished

__all__ = ["PodClaimController", "ResourceClaimController"]

POD_CLAIM_NAME = "resource.kubernetes.io/pod-claim-name"
PROTECTION = "resource.kubernetes.io/delete-protection"
BY_OWNER = "resource claims by pod"
BY_TEMPLATE = "pods by resource claim template"


class PodClaimController(Controller):
    """Makes claims. Keys are those of pods."""

    name = "resourceclaim-controller"
    root = Pod

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._recorder = context.events.recorder("resource_claim")
        self._kind = context.client.scheme.of(Pod)
        self._pods = context.informers.of(Pod)
        self._pods.add_index(BY_TEMPLATE, _templates_of)
        self._templates = context.informers.of(ResourceClaimTemplate)
        self._claims = context.informers.of(ResourceClaim)
        self._claims.add_index(BY_OWNER, _owner_of)
        self._freshness = Freshness(self._claims)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Pod: _pod_changed, ResourceClaim: self._claim_changed, ResourceClaimTemplate: self._template_changed}

    def _claim_changed(self, old: ResourceClaim | None, new: ResourceClaim | None) -> Iterator[str]:
        claim = new if new is not None else old
        assert claim is not None
        owner = controller_of(claim.metadata)
        if owner is not None and owner.kind == "Pod":
            yield f"{claim.metadata.namespace}/{owner.name}"

    def _template_changed(self, old: ResourceClaimTemplate | None, new: ResourceClaimTemplate | None) -> Iterator[str]:
        if new is not None and old is None:
            yield from map(key_of, self._pods.by_index(BY_TEMPLATE, key_of(new)))

    async def reconcile(self, key: str) -> None:
        pod = self._pods.get(key)
        if pod is None:
            self._freshness.forget(key)
            return
        if not is_active(pod) or not self._freshness.is_fresh(key):
            return
        statuses = tuple(
            [
                PodResourceClaimStatus(name=wanted.name, resource_claim_name=name)
                for wanted in pod.spec.resource_claims
                if wanted.resource_claim_template_name and (name := await self._ensure(key, pod, wanted)) is not None
            ]
        )
        if statuses != pod.status.resource_claim_statuses:
            status = replace(pod.status, resource_claim_statuses=statuses)
            await self._client.update(replace(pod, status=status), subresource="status")

    async def _ensure(self, key: str, pod: Pod, wanted: PodResourceClaim) -> str | None:
        """The name of the claim; None: there can be none yet."""
        for claim in self._claims.by_index(BY_OWNER, pod.metadata.uid):
            if claim.metadata.annotations.get(POD_CLAIM_NAME) == wanted.name:
                return claim.metadata.name
        template = self._templates.get(f"{pod.metadata.namespace}/{wanted.resource_claim_template_name}")
        if template is None:
            message = (
                f"PodResourceClaim {wanted.name}: resource claim template "
                f'"{wanted.resource_claim_template_name}": resourceclaimtemplate.resource.k8s.io '
                f'"{wanted.resource_claim_template_name}" not found'
            )
            self._recorder.event(pod, "Warning", "FailedResourceClaimCreation", message)
            return None
        made = await self._client.create(self._claim(pod, wanted, template))
        self._freshness.wrote(key, made)
        return made.metadata.name

    def _claim(self, pod: Pod, wanted: PodResourceClaim, template: ResourceClaimTemplate) -> ResourceClaim:
        metadata = template.spec.metadata
        return ResourceClaim(
            metadata=ObjectMeta(
                generate_name=f"{pod.metadata.name}-{wanted.name}-",
                namespace=pod.metadata.namespace,
                labels=metadata.labels,
                annotations={**metadata.annotations, POD_CLAIM_NAME: wanted.name},
                owner_references=(controller_reference(pod, self._kind),),
            ),
            spec=template.spec.spec,
        )


class ResourceClaimController(Controller):
    """Frees claims. Keys are those of claims."""

    name = "resourceclaim-cleanup-controller"
    root = ResourceClaim

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._claims = context.informers.of(ResourceClaim)
        self._claims.add_index(BY_OWNER, _owner_of)
        self._pods = context.informers.of(Pod)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {ResourceClaim: _itself, Pod: self._pod_changed}

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> Iterator[str]:
        """A pod that is gone or through."""
        pod = new if new is not None else old
        assert pod is not None
        if pod.spec.resource_claims and (new is None or is_finished(new)):
            yield from map(key_of, self._claims.by_index(BY_OWNER, pod.metadata.uid))
            yield from (f"{pod.metadata.namespace}/{name}" for name in _claim_names(pod))

    async def reconcile(self, key: str) -> None:
        claim = self._claims.get(key)
        if claim is None:
            return
        users = [user for user in claim.status.reserved_for if await self._uses(claim, user)]
        if len(users) != len(claim.status.reserved_for) or (not users and claim.status.allocation is not None):
            allocation = claim.status.allocation if users else None
            status = replace(claim.status, reserved_for=tuple(users), allocation=allocation)
            if allocation is None:
                status = replace(status, devices=())
            claim = await self._client.update(replace(claim, status=status), subresource="status")
        if not users and PROTECTION in claim.metadata.finalizers:
            kept = tuple(f for f in claim.metadata.finalizers if f != PROTECTION)
            claim = await self._client.update(replace(claim, metadata=replace(claim.metadata, finalizers=kept)))
        await self._delete_if_over(claim)

    async def _uses(self, claim: ResourceClaim, user: ResourceClaimConsumerReference) -> bool:
        """Whether a pod is there still and not through. Others than pods answer for themselves."""
        if user.resource != "pods":
            return True
        pod = self._pods.get_object(claim.metadata.namespace, user.name)
        if pod is None or pod.metadata.uid != user.uid:
            try:  # the cache may be late
                pod = await self._client.get(Pod, user.name, claim.metadata.namespace)
            except NotFound:
                return False
        return pod.metadata.uid == user.uid and not is_finished(pod)

    async def _delete_if_over(self, claim: ResourceClaim) -> None:
        """A claim that was made for a pod which is through; where it is gone, the garbage collector sees to it."""
        owner, metadata = controller_of(claim.metadata), claim.metadata
        if owner is None or owner.kind != "Pod" or metadata.deletion_timestamp is not None:
            return
        pod = self._pods.get_object(metadata.namespace, owner.name)
        if pod is None or pod.metadata.uid != owner.uid or not is_finished(pod):
            return
        await delete_exactly(self._client, claim)


def _owner_of(claim: ResourceClaim) -> Iterable[str]:
    owner = controller_of(claim.metadata)
    return (owner.uid,) if owner is not None else ()


def _templates_of(pod: Pod) -> Iterable[str]:
    return [
        f"{pod.metadata.namespace}/{claim.resource_claim_template_name}"
        for claim in pod.spec.resource_claims
        if claim.resource_claim_template_name
    ]


def _claim_names(pod: Pod) -> Iterator[str]:
    yield from (claim.resource_claim_name for claim in pod.spec.resource_claims if claim.resource_claim_name)
    yield from (s.resource_claim_name for s in pod.status.resource_claim_statuses if s.resource_claim_name)


def _pod_changed(old: Pod | None, new: Pod | None) -> Iterator[str]:
    if new is not None and new.spec.resource_claims and old is None:
        yield key_of(new)


def _itself(old: ResourceClaim | None, new: ResourceClaim | None) -> Iterator[str]:
    if new is not None:
        yield key_of(new)
