"""Prometheus metrics of requests, by BentoML's names, and of refusals; right with several workers (multiprocess mode).

A label set is looked up once and kept: looking it up at each request costs more than counting.
"""

from collections.abc import Mapping
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from serving.api.request_log import CLIENT_LEFT, RequestRecord

UNCOUNTED = "/metrics"
REFUSALS: Mapping[int, str] = {
    400: "question", 401: "key", 403: "role", 404: "address", 405: "method", 409: "conflict", 413: "size",
    415: "media_type", 422: "question", 429: "rate_limit", CLIENT_LEFT: "client_left", 503: "unavailable",
    504: "deadline",
}  # fmt: skip
"""Reason of a refusal by the status of its answer; every other error is a fault of the service."""


class RequestMetrics:
    """Counts requests by address and status, seconds of each, those under way, and refusals by reason."""

    def __init__(self, service: str, version: str) -> None:
        labels = {"service_name": service, "service_version": version, "runner_name": service}
        names = ["endpoint", *labels]
        prefix = "bentoml_service_request"
        self._labels = labels
        self._total = Counter(f"{prefix}_total", "Requests that were answered", [*names, "http_response_code"])
        self._seconds = Histogram(
            f"{prefix}_duration_seconds", "Seconds until a request was answered", [*names, "http_response_code"]
        )
        self._under_way = Gauge(f"{prefix}_in_progress", "Requests under way now", names, multiprocess_mode="livesum")
        self._refused = Counter("touchstone_refused_requests_total", "Requests that were not done", ["reason"])
        self._fault = Counter("touchstone_failed_requests_total", "Requests that failed by a fault of the service")
        self._of_address: dict[str, Gauge] = {}
        self._of_status: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        for reason in sorted(set(REFUSALS.values())):
            self._refused.labels(reason)

    def begin(self, record: RequestRecord) -> None:
        """Count a request under way."""
        if record.address != UNCOUNTED:
            self._gauge(record.address).inc()

    def end(self, record: RequestRecord) -> None:
        """Count an answer with its seconds; a request that nobody waited for is no answer."""
        if record.address == UNCOUNTED:
            return
        self._gauge(record.address).dec()
        if record.status >= 400:
            self._count_error(record.status)
        if record.status == CLIENT_LEFT:
            return
        total, seconds = self._answers(record.address, record.status)
        total.inc()
        seconds.observe(record.milliseconds / 1e3)

    def _gauge(self, address: str) -> Gauge:
        gauge = self._of_address.get(address)
        if gauge is None:
            gauge = self._of_address[address] = self._under_way.labels(endpoint=address, **self._labels)
        return gauge

    def _answers(self, address: str, status: int) -> tuple[Counter, Histogram]:
        metrics = self._of_status.get((address, status))
        if metrics is None:
            labels = {"endpoint": address, "http_response_code": str(status), **self._labels}
            metrics = self._of_status[address, status] = self._total.labels(**labels), self._seconds.labels(**labels)
        return metrics

    def _count_error(self, status: int) -> None:
        reason = REFUSALS.get(status)
        if reason is None:
            self._fault.inc()
        else:
            self._refused.labels(reason).inc()


@cache
def request_metrics(service: str, version: str) -> RequestMetrics:
    """The metrics of a service in this process; a metric can be declared once only."""
    return RequestMetrics(service, version)
