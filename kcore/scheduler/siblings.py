"""Which pods belong together with a pod: those that its services and its controller select."""

from __future__ import annotations

from kcore.api.apps_v1 import ReplicaSet, StatefulSet
from kcore.api.core_v1 import Pod, ReplicationController, Service
from kcore.api.meta_v1 import OwnerReference
from kcore.api.object import Object
from kcore.api.selectors import Requirement, Selector, selector_from_labels, selector_from_struct
from kcore.client.informer import Informers
from kcore.scheduler.pod_info import PodInfo

__all__ = ["Siblings"]

BY_NAMESPACE = "namespace"
MOST_KEPT = 10_000


class Siblings:
    """Selectors by kin and controller, kept until a service or a controller selects otherwise."""

    def __init__(self, informers: Informers) -> None:
        self._services = informers.of(Service)
        self._controllers = informers.of(ReplicationController)
        self._replica_sets = informers.of(ReplicaSet)
        self._stateful_sets = informers.of(StatefulSet)
        self._services.add_index(BY_NAMESPACE, lambda service: (service.metadata.namespace,))
        for informer in (self._services, self._controllers, self._replica_sets, self._stateful_sets):
            informer.add_handler(self._changed)
        self._kept: dict[object, Selector | None] = {}

    def selector(self, pod: PodInfo) -> Selector | None:
        """What selects the pod's siblings; None: it stands alone."""
        owner = _controller(pod.pod)
        key = (pod.kin, owner.kind, owner.uid) if owner is not None else pod.kin
        try:
            return self._kept[key]
        except KeyError:
            pass
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        selector = self._kept[key] = self._select(pod.pod, owner)
        return selector

    def _select(self, pod: Pod, owner: OwnerReference | None) -> Selector | None:
        namespace, labels = pod.metadata.namespace, pod.metadata.labels
        wanted: dict[str, str] = {}
        for service in self._services.by_index(BY_NAMESPACE, namespace):
            selector = service.spec.selector
            if selector and selector.items() <= labels.items():
                wanted |= selector
        added: tuple[Requirement, ...] = ()
        if owner is not None:
            match owner.api_version, owner.kind:
                case "v1", "ReplicationController":
                    controller = self._controllers.get_object(namespace, owner.name)
                    wanted |= controller.spec.selector if controller is not None else {}
                case "apps/v1", "ReplicaSet" | "StatefulSet" as kind:
                    informer = self._replica_sets if kind == "ReplicaSet" else self._stateful_sets
                    found = informer.get_object(namespace, owner.name)
                    added = selector_from_struct(found.spec.selector).requirements if found is not None else ()
        requirements = (*selector_from_labels(wanted).requirements, *added)
        return Selector(requirements) if requirements else None

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None or _selector(old) != _selector(new):
            self._kept.clear()


def _selector(obj: Object) -> object:
    assert isinstance(obj, (Service, ReplicationController, ReplicaSet, StatefulSet))
    return obj.spec.selector


def _controller(pod: Pod) -> OwnerReference | None:
    return next((ref for ref in pod.metadata.owner_references if ref.controller), None)
