"""The types of networking/v1."""

from typing import Annotated, ClassVar

from msgspec import field

from kcore.api.core_v1 import TypedLocalObjectReference
from kcore.api.meta_v1 import Condition, LabelSelector
from kcore.api.object import Object
from kcore.api.schema import (
    LIST_ATOMIC,
    Int32,
    IntOrString,
    ListMap,
    Patch,
    Struct,
    empty,
    empty_tuple,
    null,
    zero,
)


class ServiceBackendPort(Struct):
    __map_type__: ClassVar[str] = "atomic"

    name: str = ""
    number: Int32 = 0


class IngressServiceBackend(Struct):
    name: str = field(default_factory=empty)
    port: ServiceBackendPort = field(default_factory=ServiceBackendPort)


class IngressBackend(Struct):
    resource: TypedLocalObjectReference | None = None
    service: IngressServiceBackend | None = None


class HTTPIngressPath(Struct):
    backend: IngressBackend = field(default_factory=IngressBackend)
    path: str = ""
    path_type: str | None = field(default_factory=null)


class HTTPIngressRuleValue(Struct):
    paths: Annotated[tuple[HTTPIngressPath, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class ParentReference(Struct):
    name: str = field(default_factory=empty)
    namespace: str = ""
    group: str = ""
    resource: str = field(default_factory=empty)


class IPAddressSpec(Struct):
    parent_ref: ParentReference = field(default_factory=ParentReference)


class IPAddress(Object):
    spec: IPAddressSpec = field(default_factory=IPAddressSpec)


class IPBlock(Struct):
    cidr: str = field(default_factory=empty)
    except_: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default=(), name="except")


class IngressRule(Struct):
    host: str = ""
    http: HTTPIngressRuleValue | None = None


class IngressTLS(Struct):
    hosts: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    secret_name: str = ""


class IngressSpec(Struct):
    default_backend: IngressBackend | None = None
    ingress_class_name: str | None = None
    rules: Annotated[tuple[IngressRule, ...], LIST_ATOMIC] = ()
    tls: Annotated[tuple[IngressTLS, ...], LIST_ATOMIC] = ()


class IngressPortStatus(Struct):
    error: str | None = None
    port: Int32 = field(default_factory=zero)
    protocol: str = field(default_factory=empty)


class IngressLoadBalancerIngress(Struct):
    hostname: str = ""
    ip: str = ""
    ports: Annotated[tuple[IngressPortStatus, ...], LIST_ATOMIC] = ()


class IngressLoadBalancerStatus(Struct):
    ingress: Annotated[tuple[IngressLoadBalancerIngress, ...], LIST_ATOMIC] = ()


class IngressStatus(Struct):
    load_balancer: IngressLoadBalancerStatus = field(default_factory=IngressLoadBalancerStatus)


class Ingress(Object):
    spec: IngressSpec = field(default_factory=IngressSpec)
    status: IngressStatus = field(default_factory=IngressStatus)


class IngressClassParametersReference(Struct):
    name: str = field(default_factory=empty)
    namespace: str | None = None
    api_group: str | None = None
    kind: str = field(default_factory=empty)
    scope: str | None = None


class IngressClassSpec(Struct):
    controller: str = ""
    parameters: IngressClassParametersReference | None = None


class IngressClass(Object):
    spec: IngressClassSpec = field(default_factory=IngressClassSpec)


class NetworkPolicyPeer(Struct):
    ip_block: IPBlock | None = None
    namespace_selector: LabelSelector | None = None
    pod_selector: LabelSelector | None = None


class NetworkPolicyPort(Struct):
    end_port: Int32 | None = None
    port: IntOrString | None = None
    protocol: str | None = None


class NetworkPolicyEgressRule(Struct):
    ports: Annotated[tuple[NetworkPolicyPort, ...], LIST_ATOMIC] = ()
    to: Annotated[tuple[NetworkPolicyPeer, ...], LIST_ATOMIC] = ()


class NetworkPolicyIngressRule(Struct):
    from_: Annotated[tuple[NetworkPolicyPeer, ...], LIST_ATOMIC] = field(default=(), name="from")
    ports: Annotated[tuple[NetworkPolicyPort, ...], LIST_ATOMIC] = ()


class NetworkPolicySpec(Struct):
    egress: Annotated[tuple[NetworkPolicyEgressRule, ...], LIST_ATOMIC] = ()
    ingress: Annotated[tuple[NetworkPolicyIngressRule, ...], LIST_ATOMIC] = ()
    pod_selector: LabelSelector = field(default_factory=LabelSelector)
    policy_types: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class NetworkPolicy(Object):
    spec: NetworkPolicySpec = field(default_factory=NetworkPolicySpec)


class ServiceCIDRSpec(Struct):
    cidrs: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class ServiceCIDRStatus(Struct):
    conditions: Annotated[tuple[Condition, ...], ListMap("type"), Patch("merge", key="type")] = ()


class ServiceCIDR(Object):
    spec: ServiceCIDRSpec = field(default_factory=ServiceCIDRSpec)
    status: ServiceCIDRStatus = field(default_factory=ServiceCIDRStatus)
