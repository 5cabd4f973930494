"""The kinds of the core group beside workloads and Services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec.structs import replace

from kcore.api import events_v1
from kcore.api.core_v1 import (
    ConfigMap,
    Event,
    LimitRange,
    Namespace,
    Node,
    ObjectReference,
    PersistentVolume,
    PersistentVolumeClaim,
    ResourceQuota,
    Secret,
    ServiceAccount,
)
from kcore.api.errors import Invalid
from kcore.api.field import FieldError
from kcore.api.names import dns1123_label, path_segment_name
from kcore.api.schema import fill
from kcore.api.timestamp import format_seconds
from kcore.registry.advice.volumes import claim_advice, volume_advice
from kcore.registry.defaults.config import default_secret
from kcore.registry.defaults.limits import default_limit_range
from kcore.registry.defaults.nodes import default_namespace, default_node
from kcore.registry.defaults.persistent_volumes import (
    default_persistent_volume,
    default_persistent_volume_claim,
    settle_data_source,
)
from kcore.registry.event_views import as_core, as_events_v1
from kcore.registry.request import Request
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.validation.config import (
    secret_warnings,
    service_account_warnings,
    validate_config_map,
    validate_config_map_update,
    validate_secret,
    validate_secret_update,
)
from kcore.registry.validation.events import (
    validate_event,
    validate_event_update,
    validate_events_v1,
    validate_events_v1_update,
)
from kcore.registry.validation.limits import (
    validate_limit_range,
    validate_resource_quota,
    validate_resource_quota_status,
    validate_resource_quota_update,
)
from kcore.registry.validation.nodes import (
    node_warnings,
    validate_namespace,
    validate_namespace_finalize,
    validate_namespace_status,
    validate_node,
    validate_node_status,
    validate_node_update,
)
from kcore.registry.validation.persistent_volumes import (
    validate_persistent_volume,
    validate_persistent_volume_claim,
    validate_persistent_volume_claim_status,
    validate_persistent_volume_claim_update,
    validate_persistent_volume_update,
)

__all__ = ["STRATEGIES"]


class NamespaceStrategy(Ruled):
    type = Namespace
    name_rule = staticmethod(dns1123_label)
    selectable: ClassVar = {"status.phase": lambda n: n.status.phase}
    rules = Rules(default_namespace, validate_namespace, status=validate_namespace_status)

    def prepare_for_create(self, req: Request, obj: Namespace) -> None:
        """Nothing in the namespace may outlive it: the namespace controller takes the finalizer off at the end."""
        super().prepare_for_create(req, obj)
        default_namespace(obj)
        if "kubernetes" not in obj.spec.finalizers:
            fill(obj.spec, finalizers=(*obj.spec.finalizers, "kubernetes"))

    def prepare_for_update(self, req: Request, new: Namespace, old: Namespace) -> None:
        super().prepare_for_update(req, new, old)
        fill(new.spec, finalizers=old.spec.finalizers)

    def prepare_for_status_update(self, req: Request, new: Namespace, old: Namespace) -> None:
        if req.subresource == "finalize":
            fill(new, status=old.status)
        else:
            super().prepare_for_status_update(req, new, old)

    def validate_status_update(self, req: Request, new: Namespace, old: Namespace) -> Any:
        if req.subresource == "finalize":
            return list(validate_namespace_finalize(new))
        return super().validate_status_update(req, new, old)

    def holds_deletion(self, obj: Namespace) -> bool:
        return bool(obj.spec.finalizers)

    def begin_deletion(self, obj: Namespace) -> None:
        fill(obj, status=replace(obj.status, phase="Terminating"))


class NodeStrategy(Ruled):
    """Kubelets register with their status, so a create keeps it."""

    type = Node
    alike = True
    selectable: ClassVar = {"spec.unschedulable": lambda n: "true" if n.spec.unschedulable else "false"}
    rules = Rules(default_node, validate_node, validate_node_update, validate_node_status, node_warnings)

    def prepare_for_create(self, req: Request, obj: Node) -> None:
        fill(obj.spec, config_source=None)


class ConfigMapStrategy(Ruled):
    type = ConfigMap
    rules = Rules(create=validate_config_map, update=validate_config_map_update)


class SecretStrategy(Ruled):
    type = Secret
    selectable: ClassVar = {"type": lambda s: s.type}
    rules = Rules(default_secret, validate_secret, validate_secret_update, advice=secret_warnings)


class ServiceAccountStrategy(Ruled):
    type = ServiceAccount
    returns_deleted = True
    rules = Rules(advice=service_account_warnings)


def _about(attribute: str) -> Any:
    def read(event: Event) -> str:
        reference: ObjectReference = event.involved_object
        return str(getattr(reference, attribute))

    return read


class EventStrategy(Ruled):
    """Upstream asks no more of its name than that it may be part of a path; those of events.k8s.io are names."""

    type = Event
    name_rule = staticmethod(path_segment_name)
    create_on_update = True
    followed = False
    selectable: ClassVar = {
        "involvedObject.kind": _about("kind"),
        "involvedObject.namespace": _about("namespace"),
        "involvedObject.name": _about("name"),
        "involvedObject.uid": _about("uid"),
        "involvedObject.apiVersion": _about("api_version"),
        "involvedObject.resourceVersion": _about("resource_version"),
        "involvedObject.fieldPath": _about("field_path"),
        "reason": lambda e: e.reason,
        "reportingComponent": lambda e: e.reporting_component,
        "source": lambda e: e.source.component or e.reporting_component,
        "type": lambda e: e.type,
    }
    rules = Rules(create=validate_event, update=validate_event_update)


def _regarding(attribute: str) -> Any:
    def read(event: events_v1.Event) -> str:
        return str(getattr(event.regarding, attribute))

    return read


class EventV1Strategy(Ruled):
    """events.k8s.io/v1: the other view of the same objects. Upstream refuses in the name of the one that is stored."""

    type = events_v1.Event
    create_on_update = True
    stored_as = Event
    selectable: ClassVar = {
        "regarding.kind": _regarding("kind"),
        "regarding.namespace": _regarding("namespace"),
        "regarding.name": _regarding("name"),
        "regarding.uid": _regarding("uid"),
        "regarding.apiVersion": _regarding("api_version"),
        "regarding.resourceVersion": _regarding("resource_version"),
        "regarding.fieldPath": _regarding("field_path"),
        "reason": lambda e: e.reason,
        "reportingController": lambda e: e.reporting_controller,
        "type": lambda e: e.type,
    }
    rules = Rules(create=validate_events_v1, update=validate_events_v1_update)

    def to_stored(self, obj: events_v1.Event) -> Event:
        return as_core(obj)

    def from_stored(self, obj: Event) -> events_v1.Event:
        return as_events_v1(obj)

    def validate(self, req: Request, obj: events_v1.Event) -> Sequence[FieldError]:
        return _refuse_event(obj, super().validate(req, obj))

    def validate_update(self, req: Request, new: events_v1.Event, old: events_v1.Event) -> Sequence[FieldError]:
        return _refuse_event(new, super().validate_update(req, new, old))


def _refuse_event(event: events_v1.Event, errors: Sequence[FieldError]) -> Sequence[FieldError]:
    if errors:
        raise Invalid.named("", "Event", event.metadata.name, errors)
    return errors


class LimitRangeStrategy(Ruled):
    type = LimitRange
    create_on_update = True
    rules = Rules(default_limit_range, validate_limit_range)

    def prepare_for_create(self, req: Request, obj: LimitRange) -> None:
        super().prepare_for_create(req, obj)
        fill(obj.spec, limits=obj.spec.limits or None)

    def prepare_for_update(self, req: Request, new: LimitRange, old: LimitRange) -> None:
        super().prepare_for_update(req, new, old)
        fill(new.spec, limits=new.spec.limits or None)


class ResourceQuotaStrategy(Ruled):
    type = ResourceQuota
    returns_deleted = True
    rules = Rules(
        create=validate_resource_quota,
        update=validate_resource_quota_update,
        status=validate_resource_quota_status,
    )


class PersistentVolumeStrategy(Ruled):
    type = PersistentVolume
    returns_deleted = True
    rules = Rules(
        default_persistent_volume,
        validate_persistent_volume,
        validate_persistent_volume_update,
        advice=volume_advice,
    )

    def prepare_for_create(self, req: Request, obj: PersistentVolume) -> None:
        super().prepare_for_create(req, obj)
        fill(obj.status, phase="Pending", last_phase_transition_time=self._now())

    def prepare_for_status_update(self, req: Request, new: PersistentVolume, old: PersistentVolume) -> None:
        super().prepare_for_status_update(req, new, old)
        moment = new.status.last_phase_transition_time
        if new.status.phase != old.status.phase and moment in (None, old.status.last_phase_transition_time):
            fill(new.status, last_phase_transition_time=self._now())

    def _now(self) -> str:
        return format_seconds(self.env.clock.now())


class PersistentVolumeClaimStrategy(Ruled):
    type = PersistentVolumeClaim
    returns_deleted = True
    rules = Rules(
        default_persistent_volume_claim,
        validate_persistent_volume_claim,
        validate_persistent_volume_claim_update,
        validate_persistent_volume_claim_status,
        claim_advice,
    )

    def prepare_for_create(self, req: Request, obj: PersistentVolumeClaim) -> None:
        super().prepare_for_create(req, obj)
        fill(obj.status, phase="Pending")
        settle_data_source(obj.spec)

    def prepare_for_update(self, req: Request, new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> None:
        super().prepare_for_update(req, new, old)
        settle_data_source(new.spec, old.spec)


STRATEGIES = (
    NamespaceStrategy,
    NodeStrategy,
    ConfigMapStrategy,
    SecretStrategy,
    ServiceAccountStrategy,
    EventStrategy,
    EventV1Strategy,
    LimitRangeStrategy,
    ResourceQuotaStrategy,
    PersistentVolumeStrategy,
    PersistentVolumeClaimStrategy,
)
