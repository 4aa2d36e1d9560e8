"""Who the operator is to the API server: one set of credentials, for our client and for kopf's watches."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration

if TYPE_CHECKING:
    from collections.abc import Mapping

    import kopf

_DEFAULT = "~/.kube/config"


class LoginError(Exception):
    """There are no usable credentials; the message says where they were looked for."""


async def load(
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Configuration:
    """Finds address and credentials of the API server.

    The order is that of controller-runtime: the kubeconfig given (a file, or a list of files as in
    `$KUBECONFIG`), then the service account of the pod, then `~/.kube/config`.

    Raises:
        LoginError: nothing usable was found.
    """
    configuration = Configuration()
    try:
        if not kubeconfig and "KUBERNETES_SERVICE_HOST" in environment:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig or _DEFAULT,
                context=context,
                client_configuration=configuration,
                persist_config=False,
            )
    except (config.ConfigException, OSError) as error:
        where = kubeconfig or f"the pod's service account or {_DEFAULT}"
        raise LoginError(
            f"no credentials for a cluster in {where}: {error}. Set KUBECONFIG, or run in a pod"
        ) from error
    return configuration


async def connection(configuration: Configuration) -> kopf.ConnectionInfo:
    """The same credentials in kopf's form, tokens refreshed."""
    # It takes half a second to load, which only the operator needs to wait for.
    import kopf  # noqa: PLC0415

    header = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    scheme, _, token = (header or "").rpartition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme="Bearer" if token and not scheme else scheme.capitalize() or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        proxy_url=configuration.proxy,
    )
