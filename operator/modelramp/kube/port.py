"""The seam between the operator and the API server.

Everything the reconciler writes goes through this protocol: `client.py` speaks to a real API server,
`tests/support/fakecluster.py` keeps the same rules in memory for crash and concurrency tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelramp.kube.kinds import Kind


class Cluster(Protocol):
    """Reads and writes of one cluster.

    Objects are plain dicts as they go over the wire, `apiVersion` and `kind` included. Every method
    raises `Unavailable` when there is no useful answer, and `Refused` when the API server or an admission
    policy says no.
    """

    async def list(self, kind: Kind, *, namespace: str | None = None) -> list[dict[str, Any]]:
        """All objects of a kind that match its selector, read in pages.

        Args:
            kind: what to list.
            namespace: only this one; None: all namespaces.

        Raises:
            Missing: the cluster has no such kind (its CRD is not installed).
        """
        ...

    async def apply(
        self,
        kind: Kind,
        body: dict[str, Any],
        *,
        manager: str,
        force: bool = True,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """Server-side apply: creates or updates; owns exactly the fields of `body`, drops what it had more.

        Args:
            kind: the object's kind.
            body: the wanted fields. `metadata.name`, and `namespace` of a namespaced kind, are required;
                `metadata.resourceVersion` and `metadata.uid` fence the write to what was decided on. Give
                both: for a resourceVersion alone the API server creates an object when there is none by now,
                and a uid alone it does not look at in an apply of the status.
            manager: the field manager, one for each concern.
            force: take fields from other managers.
            subresource: `status`, or None for the object itself.

        Returns:
            The object as it is now.

        Raises:
            Fenced: the object has changed, or is another one by that name.
            FieldConflict: other managers own a field, and `force` is off.
            Missing: the namespace, the kind, or (for a subresource) the object is not there.
        """
        ...

    async def json_patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        operations: Sequence[dict[str, Any]],
        *,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """JSON patch (RFC 6902), all operations or none.

        Returns:
            The object as it is now.

        Raises:
            Fenced: a `test` failed or a path is not there: the object is not what was decided on.
            Missing: the object is not there.
        """
        ...

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str, resource_version: str | None = None
    ) -> None:
        """Deletes the object of this uid; its dependants go in the background. Gone already is fine.

        Args:
            kind: the object's kind.
            namespace: its namespace.
            name: its name.
            uid: the one that is meant.
            resource_version: the state that was decided on; None: any.

        Raises:
            Fenced: the object by that name has another uid, or has changed.
        """
        ...

    async def read(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """One object as it is now, never from a cache.

        Raises:
            Missing: it is not there.
        """
        ...

    async def create_event(self, body: dict[str, Any]) -> None:
        """Creates an Event (`events.k8s.io/v1`) in the namespace of its metadata."""
        ...
