"""The kinds of objects the operator works with, and which of them it watches.

A watched object costs memory and a wake-up for each of its changes, so that selectors keep out what is not
ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from modelramp.workloads import labels


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object as the API server names it.

    `selector` limits what is listed and watched (a label selector as in `kubectl get -l`; None: everything).
    """

    group: str
    version: str
    plural: str
    kind: str
    selector: str | None = None

    @property
    def api_version(self) -> str:
        """What stands in `apiVersion`: `apps/v1`, or `v1` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The resource as RBAC rules and kubectl name it: `deployments.apps`, `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """The path of a list (no name) or an object below the API server's root."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(parts)

    def __str__(self) -> str:
        return self.kind


MODEL_VERSION: Final = Kind("modelramp.dev", "v1alpha1", "modelversions", "ModelVersion")
MODEL_DEPLOYMENT: Final = Kind("modelramp.dev", "v1alpha1", "modeldeployments", "ModelDeployment")
DEPLOYMENT: Final = Kind("apps", "v1", "deployments", "Deployment", selector=labels.DEPLOYMENT)
# Services of revisions carry no apex label and are not watched.
SERVICE: Final = Kind("", "v1", "services", "Service", selector=labels.APEX)
POD: Final = Kind("", "v1", "pods", "Pod", selector=labels.DEPLOYMENT)
ENDPOINT_SLICE: Final = Kind(
    "discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", selector=labels.DEPLOYMENT
)
VIRTUAL_SERVICE: Final = Kind("networking.istio.io", "v1", "virtualservices", "VirtualService")

WATCHED: Final = (
    MODEL_VERSION,
    MODEL_DEPLOYMENT,
    DEPLOYMENT,
    SERVICE,
    POD,
    ENDPOINT_SLICE,
    VIRTUAL_SERVICE,
)
