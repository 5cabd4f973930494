"""Every pod acts as a ServiceAccount of its namespace, with its token mounted where client libraries look for it.

The token is a projection that the kubelet asks for and renews (KEP-1205); with it come the authority by which the API
server is trusted, and the name of the namespace.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from typing import Any

import anyio

from kcore.api import core_v1
from kcore.api.core_v1 import (
    ConfigMapProjection,
    Container,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    KeyToPath,
    LocalObjectReference,
    ObjectFieldSelector,
    Pod,
    ProjectedVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from kcore.api.kind import Kind
from kcore.api.schema import assign, fill
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.request import Request

__all__ = ["ServiceAccount"]

DEFAULT = "default"
PATIENCE = 1.5
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
TOKEN_SECONDS = 3607
"""An hour, and seven seconds by which such tokens are told from others."""

_MIRROR = "kubernetes.io/config.mirror"
_ENFORCE_SECRETS = "kubernetes.io/enforce-mountable-secrets"

# Shared by all pods: nothing below the volume is ever filled.
_SOURCE = ProjectedVolumeSource(
    default_mode=0o644,
    sources=(
        VolumeProjection(
            service_account_token=ServiceAccountTokenProjection(path="token", expiration_seconds=TOKEN_SECONDS)
        ),
        VolumeProjection(
            config_map=ConfigMapProjection(name="kube-root-ca.crt", items=(KeyToPath(key="ca.crt", path="ca.crt"),))
        ),
        VolumeProjection(
            downward_api=DownwardAPIProjection(
                items=(
                    DownwardAPIVolumeFile(
                        path="namespace",
                        field_ref=ObjectFieldSelector(api_version="v1", field_path="metadata.namespace"),
                    ),
                )
            )
        ),
    ),
)


class ServiceAccount(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is Pod and operation is Operation.CREATE and not subresource

    def prepare(self, req: Request, obj: Pod) -> Awaitable[None] | None:
        """A new namespace gets its default account in a moment: pods that come at once wait for it."""
        if obj.spec.service_account_name not in ("", DEFAULT) or self._stands(req.namespace):
            return None
        if self.env.store.head(f"namespaces/{req.namespace}") is None:
            return None
        return self._await_account(req)

    async def _await_account(self, req: Request) -> None:
        accounts = self.env.store.watch(f"serviceaccounts/{req.namespace}/", since=self.env.store.revision)
        try:
            with anyio.move_on_after(PATIENCE):
                while not self._stands(req.namespace):
                    await accounts.next_batch()
        finally:
            accounts.close()

    def _stands(self, namespace: str) -> bool:
        return self.env.store.head(f"serviceaccounts/{namespace}/{DEFAULT}") is not None

    def admit(self, req: Request, operation: Operation, obj: Pod, old: Any) -> None:
        if _MIRROR in obj.metadata.annotations:
            return
        spec = obj.spec
        if not spec.service_account_name:
            # The older name of the same field follows, as in every pod that is read back.
            assign(spec, "service_account_name", DEFAULT)
            assign(spec, "service_account", DEFAULT)
        account = self._account(req, obj)
        if _mounts_token(obj, account):
            self._mount(obj)
        if not spec.image_pull_secrets and account.image_pull_secrets:
            fill(spec, image_pull_secrets=tuple(LocalObjectReference(name=s.name) for s in account.image_pull_secrets))

    def validate(self, req: Request, operation: Operation, obj: Pod, old: Any) -> None:
        if _MIRROR in obj.metadata.annotations:
            if why := next(_mirror_faults(obj), None):
                raise forbidden(req, obj, why)
            return
        if not obj.spec.service_account_name:
            raise forbidden(req, obj, f"no service account specified for pod {req.namespace}/{obj.metadata.name}")
        account = self._account(req, obj)
        enforced = account.metadata.annotations.get(_ENFORCE_SECRETS, "").lower() in ("1", "t", "true")
        if enforced and (why := next(_secret_faults(obj, account), None)):
            raise forbidden(req, obj, why)

    def _account(self, req: Request, pod: Pod) -> core_v1.ServiceAccount:
        name = pod.spec.service_account_name
        record = self.env.store.head(f"serviceaccounts/{req.namespace}/{name}")
        if record is None:
            absent = f'serviceaccount "{name}" not found'
            raise forbidden(req, pod, f"error looking up service account {req.namespace}/{name}: {absent}")
        account: core_v1.ServiceAccount = record.obj
        return account

    def _mount(self, pod: Pod) -> None:
        """Mount the token in every container that has nothing at its place."""
        spec = pod.spec
        bare = [c for c in (*spec.init_containers, *spec.containers) if not _has_mount(c)]
        if not bare:
            return
        standing = next((v.name for v in spec.volumes if v.name.startswith(VOLUME_PREFIX)), "") if spec.volumes else ""
        name = standing or VOLUME_PREFIX + self.env.chance.suffix()
        mount = VolumeMount(name=name, read_only=True, mount_path=MOUNT_PATH)
        for container in bare:
            assign(container, "volume_mounts", (*container.volume_mounts, mount))
        if not standing:
            assign(spec, "volumes", (*spec.volumes, Volume(name=name, projected=_SOURCE)))


def _has_mount(container: Container) -> bool:
    """Whether there is something already where tokens are mounted."""
    mounts = container.volume_mounts
    return bool(mounts) and any(m.mount_path == MOUNT_PATH for m in mounts)


def _mounts_token(pod: Pod, account: core_v1.ServiceAccount) -> bool:
    """The pod decides, else its account; if neither says anything, it does."""
    if pod.spec.automount_service_account_token is not None:
        return pod.spec.automount_service_account_token
    return account.automount_service_account_token is not False


def _mirror_faults(pod: Pod) -> Iterator[str]:
    """Pods that mirror a kubelet's own files name nothing that only the API server knows."""
    if pod.spec.service_account_name:
        yield "a mirror pod may not reference service accounts"
    for volume in pod.spec.volumes:
        projected = volume.projected
        if volume.secret is not None:
            yield "a mirror pod may not reference secrets"
        elif projected is not None and any(s.service_account_token is not None for s in projected.sources):
            yield "a mirror pod may not use ServiceAccountToken volume projections"


def _secret_faults(pod: Pod, account: core_v1.ServiceAccount) -> Iterator[str]:
    """An account may limit its pods to the secrets that it lists."""
    mountable = {reference.name for reference in account.secrets}
    reason = f"is not allowed because service account {account.metadata.name} does not reference that secret"
    for volume in pod.spec.volumes:
        if volume.secret is not None and volume.secret.secret_name not in mountable:
            yield f'volume with secret.secretName="{volume.secret.secret_name}" {reason}'
    for word, containers in (("init container", pod.spec.init_containers), ("container", pod.spec.containers)):
        for container in containers:
            for env in container.env:
                source = env.value_from.secret_key_ref if env.value_from is not None else None
                if source is not None and source.name not in mountable:
                    what = (
                        f'{word} {container.name} with envVar {env.name} referencing secret.secretName="{source.name}"'
                    )
                    yield f"{what} {reason}"
    pulling = {reference.name for reference in account.image_pull_secrets}
    for i, pull in enumerate(pod.spec.image_pull_secrets):
        if pull.name not in pulling:
            yield (
                f'imagePullSecrets[{i}].name="{pull.name}" is not allowed because service account '
                f"{account.metadata.name} does not reference that imagePullSecret"
            )
