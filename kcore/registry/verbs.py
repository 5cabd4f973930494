"""The verbs of the API over one store: the pipeline that every request takes, from either door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from kcore.api.authentication_v1 import TokenReview
from kcore.api.core_v1 import Binding, Pod
from kcore.api.errors import ApiError, NotImplementedByServer
from kcore.api.explanation_v1alpha1 import PodExplanation
from kcore.api.kind import Kind
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.schema import TypeMeta
from kcore.api.scheme import Scheme
from kcore.kit.clock import Chance, Clock, SystemClock
from kcore.registry.access import Authorizer, BuiltInAccess
from kcore.registry.admission import STANDALONE_PLUGINS, MakePlugin, Operation
from kcore.registry.authentication import TokenUnion
from kcore.registry.creating import create
from kcore.registry.custom.serving import Definitions
from kcore.registry.deleting import delete, delete_collection
from kcore.registry.explanations import rehearse
from kcore.registry.listing import list_records
from kcore.registry.measured import Explainer, Usage
from kcore.registry.patches import patch
from kcore.registry.pipeline import Pipeline, absent
from kcore.registry.request import Answer, ListOptions, ListPage, PatchType, Request
from kcore.registry.reviews import is_question, review
from kcore.registry.service_account_tokens import ServiceAccountTokens
from kcore.registry.strategies import STRATEGIES
from kcore.registry.strategy import Environment, Strategy
from kcore.registry.subresources import CREATIONS, get_scale, update_scale
from kcore.registry.subresources.binding import bind
from kcore.registry.token_reviews import review_token
from kcore.registry.updating import report, update
from kcore.registry.validation.addresses import Network
from kcore.registry.versions import parse_version, too_large
from kcore.registry.watching import Watch, watch
from kcore.registry.webhook_client import Unconnected, WebhookClient
from kcore.registry.webhook_figures import WebhookFigures
from kcore.store.store import Record, Store

__all__ = ["Registry"]


class Registry:
    """All kinds of a scheme, kept in one store. Every verb raises `kcore.api.errors.ApiError`; those that do not wait,
    `NotConverted` as well (see `registry.converting`).

    Access is the caller's question (`registry.authorizer`), asked before the body is read.
    """

    def __init__(
        self,
        store: Store,
        scheme: Scheme,
        strategies: Iterable[type[Strategy]] = STRATEGIES,
        clock: Clock | None = None,
        chance: Chance | None = None,
        *,
        authorizer: Authorizer | None = None,
        tokens: ServiceAccountTokens | None = None,
        authentication: TokenUnion | None = None,
        plugins: Iterable[MakePlugin] = STANDALONE_PLUGINS,
        service_cidr: str = "10.96.0.0/16",
        node_ports: tuple[int, int] = (30000, 32767),
        pod_loopback: Network | None = None,
        webhooks: WebhookClient | None = None,
    ) -> None:
        self.store = store
        self.scheme = scheme
        self.authorizer: Authorizer = authorizer or BuiltInAccess()
        self.env = Environment(
            store,
            scheme,
            clock or SystemClock(),
            chance or Chance(),
            WebhookFigures(),
            service_cidr,
            node_ports,
            pod_loopback,
            authorizer=self.authorizer,
            tokens=tokens,
            webhooks=webhooks or Unconnected(),
        )
        self._authentication = authentication or TokenUnion()
        self._pipe = Pipeline(self.env, strategies, plugins)
        self._definitions = Definitions(self._pipe)

    def serve_definitions(self) -> None:
        """Serve the kinds that stored CustomResourceDefinitions define, now and as these come and go."""
        self._definitions.follow()

    def serve_usage(self, usage: Usage) -> None:
        """Serve metrics.k8s.io, with what `usage` says of nodes and pods."""
        self._pipe.serve_usage(usage)

    def serve_components(self, here: Mapping[str, bool]) -> None:
        """Have componentstatuses tell of the parts of a control plane, and whether they are in this process."""
        self._pipe.serve_components(here)

    def serve_explanations(self, explainer: Explainer) -> None:
        """Serve scheduling.kcore.dev, with what `explainer` says of pods."""
        self._pipe.serve_explanations(explainer)

    def strategy(self, kind: Kind) -> Strategy:
        """The one strategy of a kind."""
        return self._pipe.strategy(kind)

    def get(self, req: Request, resource_version: str = "") -> Answer:
        if resource_version and (version := parse_version(resource_version)) > self.store.revision:
            raise too_large(version, self.store.revision)
        if req.subresource == "scale":
            return get_scale(self._pipe, req)
        record = self._pipe.store(req.kind).get(req.kind.key(req.namespace, req.name))
        if record is None:
            raise absent(req)
        return record

    def list(self, req: Request, options: ListOptions) -> ListPage:
        return list_records(self._pipe, req, options)

    def watch(self, req: Request, options: ListOptions) -> Watch:
        return watch(self._pipe, req, options)

    async def create(self, req: Request, obj: Any) -> Answer:
        """Store a new object; or, with `req.subresource`, do what its body (Binding, Eviction, ...) asks for."""
        if is_question(req):
            return await self._answer(req, obj)
        if req.kind.type is PodExplanation:
            return await rehearse(self._pipe, req, obj)
        if not req.subresource:
            return await create(self._pipe, req, obj)
        action = CREATIONS.get((req.kind.group_resource, req.subresource))
        if action is None:
            raise _absent(req)
        return await action(self._pipe, req, obj)

    async def _answer(self, req: Request, obj: Any) -> Answer:
        if req.kind.type is TokenReview:
            return await review_token(self._authentication, req, obj)
        if req.kind.type is not Binding:
            return review(self._pipe, self.authorizer, req, obj)
        # The old way to bind a pod.
        req.code = 201
        return await bind(
            self._pipe, replace(req, kind=self.scheme.of(Pod), name=obj.metadata.name, subresource="binding"), obj
        )

    async def connect(self, req: Request, options: TypeMeta) -> None:
        """Have admission look at a request to connect to something (exec, proxy, ...), which the door then does."""
        admission = self._pipe.admission
        options = await admission.admit(req, Operation.CONNECT, options, None)
        await admission.validate(req, Operation.CONNECT, options, None)

    async def update(self, req: Request, obj: Any) -> Answer:
        if req.subresource == "scale":
            return await update_scale(self._pipe, req, obj)
        return await update(self._pipe, req, obj)

    async def report(self, req: Request, obj: Any) -> Record | None:
        """Update the status of an object that stays its author's; None: it can not be shared (see `Strategy`)."""
        if req.subresource != "status" or not self.strategy(req.kind).keeps_reports:
            return None
        return await report(self._pipe, req, obj)

    async def patch(self, req: Request, patch_type: PatchType, body: bytes) -> Answer:
        """`body` is the patch document as it came."""
        return await patch(self._pipe, req, patch_type, body)

    async def delete(self, req: Request, options: DeleteOptions) -> Answer:
        return await delete(self._pipe, req, options)

    async def delete_collection(
        self, req: Request, delete_options: DeleteOptions, list_options: ListOptions
    ) -> ListPage:
        """Delete all objects that the list selects; answers them as they were."""
        return await delete_collection(self._pipe, req, delete_options, list_options)


def _absent(req: Request) -> ApiError:
    return NotImplementedByServer(f"{req.kind.group_resource}/{req.subresource} is not implemented by this server")
