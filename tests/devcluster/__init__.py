"""A real Kubernetes control plane as local processes, for tests and for the demo.

No container runtime: etcd, the Kubernetes control plane, istiod, Envoy and Prometheus run as processes in a
network namespace of their own, and a small node agent runs pods as processes with addresses of their own.
"""

from __future__ import annotations

from devcluster.cluster import Cluster, KubectlError
from devcluster.failure import DevclusterError

__all__ = ["Cluster", "DevclusterError", "KubectlError"]
