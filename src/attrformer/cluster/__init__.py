"""Tasks on a Ray cluster: each gives one result, whichever nodes are lost, and what was started ends with the block.

Ray is imported when it is asked for, and by nothing else.
"""

from __future__ import annotations

from attrformer.cluster.connection import connected, require_ray
from attrformer.cluster.tasks import Cluster, RayOptions, Work

__all__ = ["Cluster", "RayOptions", "Work", "connected", "require_ray"]
