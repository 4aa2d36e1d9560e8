"""The Prometheus adapter: prometheus-api-client in threads of its own, with a time limit and without retries.

The library waits forever and retries three times when left alone, and sends the parameters of a POST in its
address, which proxies cut: the session here puts them into the body.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from urllib3.util.retry import Retry

from modelramp.metrics.port import Series, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LONGEST_REASON = 200


class _FormSession(requests.Session):
    """Sends the parameters of a POST in the body, and takes no proxy or password from the environment."""

    def __init__(self, dated: Callable[[str | None, float], None]) -> None:
        super().__init__()
        self.trust_env = False
        self._dated = dated
        self.hooks["response"].append(self._seen)

    def _seen(self, answer: requests.Response, **_: object) -> None:
        self._dated(answer.headers.get("Date"), answer.elapsed.total_seconds())

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """See `requests.Session.prepare_request`."""
        if request.method == "POST":
            request.data, request.params = request.params, {}
        return super().prepare_request(request)


class Prometheus:
    """A `Source` over Prometheus' HTTP API.

    Arguments:
        url: e.g. ``http://prometheus.monitoring:9090``.
        timeout: Seconds for a whole query.
        threads: How many queries run at once.
        dated: Called, in a thread, with the ``Date`` of each answer and the seconds it took.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 10.0,
        threads: int = 4,
        dated: Callable[[str | None, float], None] = lambda *_: None,
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._client = PrometheusConnect(
            url=self._url,
            retry=Retry(total=0, redirect=0),
            session=_FormSession(dated),
            timeout=timeout,
            method="POST",
        )
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="prometheus")

    async def read(self, query: str, *, start: int, end: int, step: int) -> Sequence[Series]:
        """See `Source.read`."""
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, self._query, query, start, end, step)
        try:
            # the library's limit is between two bytes; a server that trickles would never end
            return await asyncio.wait_for(work, self._timeout)
        except TimeoutError:
            raise SourceError(f"Prometheus {self._url} did not answer within {self._timeout:g} s") from None

    def close(self) -> None:
        """Ends the connections; a query that is under way is left to its time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _query(self, query: str, start: int, end: int, step: int) -> list[Series]:
        try:
            answer = self._client.custom_query_range(
                query,
                start_time=datetime.fromtimestamp(start, tz=UTC),
                end_time=datetime.fromtimestamp(end, tz=UTC),
                step=str(step),
            )
        except requests.exceptions.JSONDecodeError as error:
            raise SourceError(f"Prometheus {self._url} sent something that is not JSON: {error}") from error
        except requests.Timeout as error:
            raise SourceError(f"Prometheus {self._url} did not answer within {self._timeout:g} s") from error
        except requests.RequestException as error:
            raise SourceError(f"Prometheus {self._url} cannot be reached: {_short(error)}") from error
        except PrometheusApiClientException as error:
            raise SourceError(f"Prometheus {self._url} refused the query: {_short(error)}") from error
        except (KeyError, TypeError) as error:
            raise SourceError(f"Prometheus {self._url} sent JSON that is no answer to a query") from error
        try:
            return [
                Series(
                    dict(series["metric"]),
                    [(round(float(at)), float(value)) for at, value in series["values"]],
                )
                for series in answer
            ]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise SourceError(
                f"Prometheus {self._url} sent a series that cannot be read: {_short(error)}"
            ) from error


def _short(error: Exception) -> str:
    # The innermost cause says it best: what is around it repeats the address.
    cause = getattr(error.args[0], "reason", None) if error.args else None
    text = str(cause or error).rpartition("): ")[2] if cause else str(error)
    return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "…"
