"""How a revision is named to a metrics profile."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class ServiceRef:
    """The Service of one revision.

    Attributes:
        namespace: Of the ModelDeployment and all that is its own.
        name: Of the Service, and of the Deployment.
        port: Of the Service.
        deployment: Name of the ModelDeployment, as in the pods' label ``modelramp.dev/deployment``; "" = not
            known, and then no profile that reads the pods' own series can tell the arms apart.
        revision: Name of the revision, as in the pods' label ``modelramp.dev/revision``; "" = not known.
        cluster: Name that the router gives to the revision's backend where it does not follow from the
            Service (Envoy Gateway); "" = not known.
    """

    namespace: str
    name: str
    port: int
    deployment: str = ""
    revision: str = ""
    cluster: str = ""
