"""What keeps the cluster as its objects say it should be. One controller, one module; `CONTROLLERS` lists them all.

May import `kcore.client` and below; never server, scheduler, node or proxy. Controllers talk to the cluster through the
client only, and do not know of each other.
"""

from __future__ import annotations

from typing import Protocol

from kcore.client.runner import Controller
from kcore.controllers.apiservices import APIServiceRegistration
from kcore.controllers.autoscaling.controller import HorizontalPodAutoscalerController
from kcore.controllers.certificates.approving import CertificateApprover
from kcore.controllers.certificates.cleaning import CertificateCleaner
from kcore.controllers.certificates.signing import CertificateSigner
from kcore.controllers.cloud.nodes import CloudNodeController, CloudNodeLifecycleController
from kcore.controllers.cloud.services import ServiceController
from kcore.controllers.clusterroleaggregation import ClusterRoleAggregationController
from kcore.controllers.context import Context
from kcore.controllers.cronjob import CronJobController
from kcore.controllers.customresourcedefinition import CustomResourceDefinitionController
from kcore.controllers.daemonset import DaemonSetController
from kcore.controllers.deployment import DeploymentController
from kcore.controllers.disruption import DisruptionController
from kcore.controllers.disruptiontarget import StaleDisruptionController
from kcore.controllers.endpoints import EndpointsController
from kcore.controllers.endpointslice import EndpointSliceController
from kcore.controllers.endpointslicemirroring import EndpointSliceMirroringController
from kcore.controllers.job import JobController
from kcore.controllers.namespace import NamespaceController
from kcore.controllers.nodeipam import NodeIPAMController
from kcore.controllers.nodelifecycle import NodeLifecycleController
from kcore.controllers.podgc import PodGarbageCollector
from kcore.controllers.replicaset import ReplicaSetController
from kcore.controllers.replicationcontroller import ReplicationControllerController
from kcore.controllers.resourceclaims import PodClaimController, ResourceClaimController
from kcore.controllers.resourcequota import ResourceQuotaController
from kcore.controllers.rootca import RootCAPublisher
from kcore.controllers.serviceaccount import ServiceAccountController
from kcore.controllers.servicecidr import ServiceCIDRController
from kcore.controllers.statefulset import StatefulSetController
from kcore.controllers.tainteviction import TaintEvictionController
from kcore.controllers.tokens.accounts import AccountTokenController
from kcore.controllers.tokens.bootstrap import BootstrapSigner, BootstrapTokenCleaner
from kcore.controllers.ttlafterfinished import TTLAfterFinishedController
from kcore.controllers.validatingadmissionpolicystatus import ValidatingAdmissionPolicyStatusController
from kcore.controllers.volumes.attachment import AttachDetachController
from kcore.controllers.volumes.binder import VolumeBinder
from kcore.controllers.volumes.ephemeral import EphemeralVolumeController
from kcore.controllers.volumes.expansion import HostPathResizer, VolumeExpander
from kcore.controllers.volumes.hostpath import HostPathProvisioner
from kcore.controllers.volumes.protection import (
    ClaimProtectionController,
    ClassProtectionController,
    VolumeProtectionController,
)

__all__ = ["CONTROLLERS"]


class Make(Protocol):
    """How a controller is made: its class."""

    @property
    def name(self) -> str: ...

    def __call__(self, context: Context) -> Controller: ...


CONTROLLERS: tuple[Make, ...] = (
    APIServiceRegistration,
    CustomResourceDefinitionController,
    NamespaceController,
    ServiceAccountController,
    AccountTokenController,
    RootCAPublisher,
    CertificateApprover,
    CertificateSigner,
    CertificateCleaner,
    BootstrapSigner,
    BootstrapTokenCleaner,
    ClusterRoleAggregationController,
    ReplicationControllerController,
    ReplicaSetController,
    DeploymentController,
    StatefulSetController,
    DaemonSetController,
    JobController,
    CronJobController,
    TTLAfterFinishedController,
    EndpointsController,
    EndpointSliceController,
    EndpointSliceMirroringController,
    ServiceController,
    DisruptionController,
    StaleDisruptionController,
    HorizontalPodAutoscalerController,
    ResourceQuotaController,
    ServiceCIDRController,
    NodeIPAMController,
    NodeLifecycleController,
    CloudNodeController,
    CloudNodeLifecycleController,
    TaintEvictionController,
    PodGarbageCollector,
    VolumeBinder,
    AttachDetachController,
    VolumeExpander,
    EphemeralVolumeController,
    PodClaimController,
    ResourceClaimController,
    HostPathProvisioner,
    HostPathResizer,
    ClaimProtectionController,
    VolumeProtectionController,
    ClassProtectionController,
    ValidatingAdmissionPolicyStatusController,
)
"""The garbage collector, which is about all kinds, runs beside."""
