"""Nodes are preferred that have the pod's images already, the more so the larger those are.

An image that few nodes have counts for less than its size, so that pods do not heap up on the first node that has it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from kcore.api.core_v1 import Pod
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import MAX_NODE_SCORE, SKIP, CycleState, Status
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import Vector

__all__ = ["ImageLocality", "image_name", "locality"]

MEGABYTE = 1024 * 1024
LEAST = 23 * MEGABYTE
MOST_PER_CONTAINER = 1000 * MEGABYTE


def image_name(image: str) -> str:
    """The name under which nodes report an image: with a tag."""
    return image if image.rfind(":") > image.rfind("/") else f"{image}:latest"


def locality(total: int, containers: int) -> int:
    """What a node is worth that has so many bytes of so many containers' images: 0 for little, 100 for a lot."""
    most = MOST_PER_CONTAINER * containers
    return MAX_NODE_SCORE * (min(max(total, LEAST), most) - LEAST) // (most - LEAST)


class ImageLocality:
    name = "ImageLocality"

    def __init__(self, columns: NodeColumns) -> None:
        self._columns = columns

    def sign(self, pod: PodInfo) -> Hashable:
        """The images that some node has. The state of images is part of it: what a node is worth depends on how many
        others have an image, too."""
        columns = self._columns
        known = [image for image in _images(pod.pod) if image in columns.images] if columns.images else None
        return (tuple(known), len(_images(pod.pod)), columns.images_version, columns.count) if known else None

    def pre_score(self, state: CycleState, pod: PodInfo, columns: NodeColumns, feasible: Vector) -> Status | None:
        return None if any(image in columns.images for image in _images(pod.pod)) else SKIP

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        columns, images = self._columns, _images(pod.pod)
        total = 0
        for image in images:
            size = node.images.get(image)
            if size is not None:
                total += int(size * (columns.images[image] / columns.count))
        return locality(total, len(images))

    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector:
        scores = columns.backend.ints(columns.size)
        wanted = set(_images(pod.pod))
        for row, node in enumerate(columns.nodes):
            if node is not None and not wanted.isdisjoint(node.images):
                scores[row] = self.score(state, pod, node)
        return scores


def _images(pod: Pod) -> list[str]:
    containers: Iterable[str] = [c.image for c in (*pod.spec.init_containers, *pod.spec.containers)]
    return [image_name(image) for image in containers]
