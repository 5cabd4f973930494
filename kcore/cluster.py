"""The composition root: builds the layers bottom-up and runs every service in one task tree."""

from __future__ import annotations

import ipaddress
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus

from kcore.api.scheme import Scheme
from kcore.client.ensure import ensure
from kcore.client.events import EventBroadcaster
from kcore.client.figures import ControllerMetrics, statistics
from kcore.client.informer import Informers
from kcore.client.local import LocalClient
from kcore.client.runner import Runner
from kcore.controllers.apiserveridentity import ApiServerIdentity
from kcore.controllers.bootstrappolicy import ensure_bootstrap_policy
from kcore.controllers.certificates.authority import Authority
from kcore.controllers.extensionauthentication import ExtensionAuthenticationController
from kcore.controllers.flowcontrol import FlowSchemaController, ensure_flow_control
from kcore.controllers.ipaddresses import IPAddressController
from kcore.controllers.kubernetesservice import KubernetesServiceController
from kcore.controllers.manager import ControllerManager
from kcore.controllers.options import ControllerOptions
from kcore.controllers.servicecidr import ensure_service_cidr
from kcore.controllers.systemnamespaces import SYSTEM_NAMESPACES, SystemNamespacesController, ensure_namespace
from kcore.controllers.systempriorityclasses import SYSTEM_PRIORITY_CLASSES
from kcore.controllers.volumes.defaultclass import ensure_default_class
from kcore.dns.options import DnsOptions
from kcore.dns.service import cluster_dns
from kcore.kit.clock import Chance, Clock, SystemClock
from kcore.kit.process import run_until_signalled
from kcore.kit.service import Service
from kcore.node.addresses import AddressRange
from kcore.node.api import KubeletApi
from kcore.node.engine import LOOPBACK_HOSTS, KubeletEngine, KubeletOptions, api_server_variables
from kcore.node.options import NodeOptions
from kcore.node.runtimes import ProcessOptions
from kcore.proxy.kubeproxy import kube_proxy
from kcore.proxy.options import ProxyOptions
from kcore.registry.admission.options import AdmissionOptions
from kcore.registry.authorization import DEFAULT_MODES, authorizer
from kcore.registry.codec import StoreCodec
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.scheduler.options import SchedulerOptions
from kcore.scheduler.scheduler import Scheduler
from kcore.server.aggregation.aggregator import Aggregator, authentication_data
from kcore.server.audit.options import AuditOptions
from kcore.server.authentication.assembly import Authentication
from kcore.server.authentication.options import AuthenticationOptions
from kcore.server.certificates import Pki, serving_names
from kcore.server.connecting.kubelets import KubeletClient
from kcore.server.kubeconfig import KubeconfigError, write_kubeconfig
from kcore.server.kubelet.door import KubeletDoor
from kcore.server.kubelet.server import KubeletServer
from kcore.server.limits.options import LimitOptions
from kcore.server.outbound import Outbound
from kcore.server.server import ApiServer, PortInUse
from kcore.server.webhook_http import HttpWebhooks
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import Log, MemoryLog
from kcore.store.sqlite import SqliteLog
from kcore.store.store import StoreUnavailable

__all__ = ["Cluster", "Options", "serve"]

DNS_PORT = 53
LINGER_SECONDS = 300.0
"""How long pods of a cluster that was killed run on, for its next life to find."""
LOAD_BALANCER_CIDR, LOOPBACK_LOAD_BALANCER_CIDR = "172.19.0.0/24", "127.19.0.0/24"
"""What comes with nodes of our own, unless something else was asked for. The second where Services are served on
loopback addresses, so that load balancers can be reached, too."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `serve` may be told. `data_dir` None: everything in memory."""

    data_dir: Path | None
    kubeconfig: Path
    nodes: int = 3
    bind_address: str = "127.0.0.1"
    secure_port: int = 6443
    insecure_port: int = 0
    kubelet_port: int | None = None
    """None: the usual one, or, where that is taken, a free one."""
    service_cidr: str = "10.96.0.0/16"
    cluster_cidr: str = "10.244.0.0/16"
    authorization_mode: tuple[str, ...] = DEFAULT_MODES
    default_storage_class: str = "standard"
    service_node_port_range: tuple[int, int] = (30000, 32767)
    pod_loopback_cidr: str = "127.128.0.0/9"
    authentication: AuthenticationOptions = field(default_factory=AuthenticationOptions)
    audit: AuditOptions = field(default_factory=AuditOptions)
    limits: LimitOptions = field(default_factory=LimitOptions)
    admission: AdmissionOptions = field(default_factory=AdmissionOptions)
    controllers: ControllerOptions = field(default_factory=ControllerOptions)
    proxy: ProxyOptions = field(default_factory=ProxyOptions)
    dns: DnsOptions = field(default_factory=DnsOptions)
    scheduler: SchedulerOptions = field(default_factory=SchedulerOptions)
    kubelet: NodeOptions = field(default_factory=NodeOptions)


class Cluster:
    """A control plane. `run` is its whole life; `client` and `url` serve while it runs."""

    def __init__(self, options: Options, clock: Clock | None = None, chance: Chance | None = None) -> None:
        self.options = options
        self._clock = clock = clock or SystemClock()
        self._chance = chance = chance or Chance()
        self._resources = ExitStack()
        scheme = Scheme()
        log = self._open_log()
        self._store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), log)
        self._outbound = Outbound(self._store, chance)
        directory = self._directory()
        self._volume_directory = directory / "volumes"
        self._directory_of_pods = directory / "kubelet"
        self._pki = Pki.ensure(directory / "pki", clock, serving_names(options.bind_address, options.service_cidr))
        self._access = access = Authentication(
            options.authentication, self._pki.directory, self._store, scheme, clock, chance
        )
        self._registry = Registry(
            self._store,
            scheme,
            STRATEGIES,
            clock,
            chance,
            authorizer=authorizer(options.authorization_mode, self._store, scheme),
            tokens=access.service_accounts,
            authentication=access.tokens,
            plugins=options.admission.plugins,
            service_cidr=options.service_cidr,
            node_ports=options.service_node_port_range,
            pod_loopback=ipaddress.ip_network(options.pod_loopback_cidr),
            webhooks=HttpWebhooks(self._outbound),
        )
        self._aggregator = Aggregator(self._store, scheme, clock, chance, self._pki.front_proxy_client)
        self.client = LocalClient(self._registry, authorizer=self._registry.authorizer, others=self._aggregator.fetch)
        self._informers = Informers(self.client, chance)
        self._events = EventBroadcaster(self.client, clock)
        self._auditor = options.audit.auditor(clock, chance)
        self._to_kubelets = KubeletClient(self._pki.kubelet_client_context)
        self._server = ApiServer(
            self._registry,
            clock,
            chance,
            host=options.bind_address,
            port=options.secure_port,
            also=[address] if (address := self._pods_address()) else [],
            ssl_context=self._pki.server_context(access.authorities()),
            insecure_port=options.insecure_port,
            # As upstream: where everybody may do everything, it should at least be known who they are.
            authenticator=access.authenticator(
                self._pki.authority, anonymous="AlwaysAllow" not in options.authorization_mode
            ),
            openid=access.openid(),
            auditor=self._auditor,
            kubelets=self._to_kubelets,
            aggregator=self._aggregator,
            limits=options.limits.limits(self._store, scheme),
            request_timeout=options.limits.request_timeout,
        )

    @property
    def url(self) -> str:
        """Where clients on this machine find the API server."""
        return self._server.url

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Run until cancelled. Started once every service works."""
        services_ended = anyio.Event()
        with self._resources:
            async with anyio.create_task_group() as tasks:
                await tasks.start(self._keep_store, services_ended)
                try:
                    await self._run_services(task_status)
                finally:
                    services_ended.set()

    async def _keep_store(self, services_ended: anyio.Event, *, task_status: TaskStatus[None]) -> None:
        """The store outlives the services, so that what they still commit while they end is answered; and with it
        the way to the webhooks that are asked before."""
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                await tasks.start(self._store.run)
                await tasks.start(self._outbound.run)
                if self._auditor is not None:
                    await tasks.start(self._auditor.run)
                await tasks.start(self._aggregator.run)
                task_status.started()
                await services_ended.wait()
                tasks.cancel_scope.cancel()

    async def _run_services(self, task_status: TaskStatus[None]) -> None:
        async with anyio.create_task_group() as tasks:
            self._registry.serve_definitions()
            await tasks.start(self._server.run)
            first_start = self._store.revision == self._store.oldest_revision
            for name in SYSTEM_NAMESPACES:
                await ensure_namespace(self.client, name)
            for priority_class in SYSTEM_PRIORITY_CLASSES:
                await ensure(self.client, priority_class)
            await ensure_bootstrap_policy(self.client)
            await ensure_service_cidr(self.client, self.options.service_cidr)
            await ensure_flow_control(self.client)
            if self.options.kubelet.enable_crds:
                from kcore.node.stages.definition import ensure_stages  # few clusters have Stages

                await ensure_stages(self.client)
            if first_start:
                if self.options.default_storage_class and self.options.nodes:
                    await ensure_default_class(self.client, self.options.default_storage_class)
                self._store.compact()  # as upstream, no watch begins before the server was set up
            for service in self._services():
                await tasks.start(service.run)
            await anyio.to_thread.run_sync(self._write_kubeconfig)
            task_status.started()

    def _services(self) -> Iterator[Service]:
        """Everything that talks to the API server, in the order in which it starts."""
        options, client, informers, events = self.options, self.client, self._informers, self._events
        clock, chance = self._clock, self._chance
        apiserver = client.as_user("system:apiserver", ("system:masters",))
        kubernetes = KubernetesServiceController(
            apiserver,
            cluster_ip=str(self._service_network()[1]),
            address=self._pods_address() or (options.bind_address if self._reachable() else ""),
            port=self._server.port,
        )
        kubelets = KubeletEngine(
            client.as_user("system:nodes", ("system:masters", "system:nodes")),
            informers,
            events,
            clock,
            chance,
            self._kubelet_options(),
        )
        if options.nodes:  # nodes that others bring are for others to measure
            self._registry.serve_usage(kubelets.usage)
        self._to_kubelets.door = KubeletDoor(kubelets.api)
        kubelet_server = self._kubelet_server(kubelets.api)
        scheduler = Scheduler(
            client.as_user("system:kube-scheduler", ("system:authenticated",)),
            informers,
            events,
            clock,
            chance,
            options.scheduler.plan,
        )
        self._registry.serve_explanations(scheduler.explainer)
        managed = bool(options.controllers.controllers)
        self._registry.serve_components({"controller-manager": managed, "etcd-0": True, "scheduler": True})
        self._server.tell("/debug/scheduler", scheduler.metrics.statistics, scheduler.metrics.figures)
        manager = ControllerManager(client, informers, clock, chance, events, self._controller_options())
        self._server.tell(
            "/debug/controllers", lambda: statistics(manager.figures), lambda: ControllerMetrics(manager.figures)
        )
        others: list[Service] = [
            Runner(SystemNamespacesController(client), informers, clock),
            Runner(FlowSchemaController(client, informers, clock), informers, clock),
            Runner(kubernetes, informers, clock),
            ApiServerIdentity(apiserver, clock, chance, socket.gethostname()),
            Runner(IPAddressController(client, informers), informers, clock),
            Runner(ExtensionAuthenticationController(client, informers, self._authentication_data()), informers, clock),
            Runner(self._aggregator.availability(client, informers), informers, clock),
            manager,
            scheduler,
            kubelets,
            *kube_proxy(
                options.proxy,
                informers,
                clock,
                service_cidr=options.service_cidr,
                cluster_cidr=self._pod_cidr(),
            ),
            *cluster_dns(options.dns, informers, options.service_cidr),
        ]
        yield informers
        yield events
        yield kubelet_server
        kubelets.nodes.kubelet_port = kubelet_server.port
        yield from others

    def _kubelet_server(self, api: KubeletApi) -> KubeletServer:
        return KubeletServer(
            api,
            self.client.as_user("system:nodes", ("system:masters", "system:nodes")),
            self._clock,
            self._chance,
            host=self.options.bind_address,
            port=self.options.kubelet_port,
            also=self._node_addresses(),
            ssl_context=self._pki.server_context(),
        )

    def _node_addresses(self) -> Sequence[str]:
        """Nodes whose pods are processes of this machine are on it themselves, each at an address of its own."""
        options = self.options
        if options.kubelet.runtime != "process" or ipaddress.ip_address(options.bind_address).is_unspecified:
            return ()
        hosts = AddressRange(LOOPBACK_HOSTS)
        return [hosts.take() for _ in range(options.nodes)]

    def _authentication_data(self) -> Mapping[str, str]:
        return authentication_data(self._pki.authority, self._pki.front_proxy_authority)

    def _kubelet_options(self) -> KubeletOptions:
        options, node = self.options, self.options.kubelet
        common = KubeletOptions(nodes=options.nodes, node=node, cluster_cidr=self._pod_cidr())
        if node.runtime != "process":
            return common
        # Where no proxy serves the API server's Service, pods are told its own address.
        direct = not self._service_network().is_loopback
        host = options.bind_address if self._reachable() else "127.0.0.1"
        process = ProcessOptions(
            self._directory_of_pods,
            node.images_file,
            linger_seconds=LINGER_SECONDS if options.data_dir is not None else 0.0,
            variables=api_server_variables(host, self._server.port) if direct else {},
            dns_address=options.dns.address(options.service_cidr) if options.dns.dns_port == DNS_PORT else "",
            dns_domain=options.dns.cluster_domain,
        )
        return common.for_processes(process)

    def _pod_cidr(self) -> str:
        """Where pods get their addresses from: those that are processes of this machine, from its loopback."""
        options = self.options
        return options.pod_loopback_cidr if options.kubelet.runtime == "process" else options.cluster_cidr

    def _service_network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        return ipaddress.ip_network(self.options.service_cidr.partition(",")[0])

    def _reachable(self) -> bool:
        """Whether others than this machine can be told the address that the server listens on."""
        return not ipaddress.ip_address(self.options.bind_address).is_loopback

    def _pods_address(self) -> str:
        """Where pods of this machine find the API server behind its Service: an address that endpoints may name."""
        if self._reachable() or not self._service_network().is_loopback:
            return ""
        return str(ipaddress.ip_network(self.options.pod_loopback_cidr)[1])

    def _controller_options(self) -> ControllerOptions:
        own = self.options.controllers
        loopback = self._service_network().is_loopback
        balanced = (LOOPBACK_LOAD_BALANCER_CIDR if loopback else LOAD_BALANCER_CIDR) if self.options.nodes else None
        return replace(
            own,
            load_balancer_cidr=own.load_balancer_cidr or balanced,
            cluster_cidr=self._pod_cidr(),
            root_ca=self._pki.authority,
            authority=Authority(self._pki.authority, self._pki.authority_key),
            token_signer=self._access.keys,
            volume_directory=self._volume_directory,
        )

    def _open_log(self) -> Log:
        if self.options.data_dir is None:
            return MemoryLog()
        log = SqliteLog(self.options.data_dir)
        self._resources.callback(log.close)
        return log

    def _directory(self) -> Path:
        """Where the cluster keeps files: for one in memory, as long as it runs."""
        if self.options.data_dir is not None:
            return self.options.data_dir.absolute()
        return Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="kcore-")))

    def _write_kubeconfig(self) -> None:
        pki = self._pki
        write_kubeconfig(self.options.kubeconfig, self.url, pki.authority, pki.admin_certificate, pki.admin_key)


_MENDABLE = (StoreUnavailable, KubeconfigError, PortInUse, ValueError)


def serve(options: Options, on_ready: Callable[[Cluster], None]) -> None:
    """Run a cluster until SIGINT or SIGTERM. Raises CannotStart."""
    # The store's writer thread needs the interpreter for moments only, but several times a batch. At Python's 5 ms a
    # busy loop would keep it, and with it every caller, waiting for longer than the disk does.
    sys.setswitchinterval(0.0003)

    async def start(tasks: TaskGroup) -> None:
        cluster = Cluster(options)
        await tasks.start(cluster.run)
        on_ready(cluster)

    run_until_signalled(start, _MENDABLE)
