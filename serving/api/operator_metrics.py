"""`GET /metrics`: the metrics of all workers, and those of the state that an operator would be woken for.

The state is read when it is asked for and kept for KEEP_SECONDS, so that no other request waits for it; whichever
worker is asked, it is the same.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio.to_thread
import pyarrow.parquet as pq
import sqlalchemy as sa
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.responses import Response

from data.database.connection import read_transaction
from data.database.schema import RESULTS, WEBHOOK_DELIVERIES
from data.errors import UserError
from data.workspace import Workspace
from serving.api.errors import App, Receive, Scope, Send
from serving.decisions.policy import decision_policy_in_force
from serving.night.record import nights_folder
from serving.online.hot_reload import HotReloader
from serving.publication import publications
from serving.review_queue.cases import catalogue_cases
from serving.scoring.rescoring import latest_rescoring

PATH = "/metrics"
KEEP_SECONDS = 10.0
NIGHTS_READ = 10
"""So many of the newest nights are looked through for one that ended."""

_CASES = {
    "failed_on_sale": "SKUs with a failed independent test and no restriction",
    "overdue": "Cases whose clock ran out: past the day on which they are due",
    "awaiting_approval": "Decisions that wait for a second officer",
    "appeals_due": "Appeals to be answered by today",
}


@dataclass(frozen=True)
class OperatorState:
    """What the metrics are read from; `connect` opens the database on first use, `now` returns the time with zone."""

    workspace: Workspace
    reloader: HotReloader
    connect: Callable[[], sa.Engine]
    now: Callable[[], datetime]

    def scores(self) -> Iterator[Metric]:
        """The publication in service: its age, versions and SKUs."""
        store = self.reloader.store()
        published = store.publication
        in_service_since = (publications(self.workspace) / "CURRENT").stat().st_mtime
        yield _gauge("scores_age_seconds", "Seconds since the scores in service were published",
                     max(0.0, self.now().timestamp() - in_service_since))  # fmt: skip
        as_of = datetime(published.as_of.year, published.as_of.month, published.as_of.day, tzinfo=UTC)
        yield _gauge("scores_as_of_timestamp_seconds", "Day of the scores, its begin in UTC", as_of.timestamp())
        yield _gauge("scored_skus", "SKUs of the scores in service", len(store.snapshot))
        names = ("model_version", "feature_version", "policy_version")
        versions = {name: str(getattr(published, name)) for name in names}
        yield InfoMetricFamily("touchstone_publication", "Versions behind the scores in service", versions)

    def cases(self) -> Iterator[Metric]:
        """The cases of officers, as the overview of the console counts them."""
        today = self.now().date()
        policy = decision_policy_in_force(today)
        counters = catalogue_cases(self.connect(), self.reloader.store(), policy, today).counters
        for name, value in asdict(counters).items():
            yield _gauge(f"cases_{name}", _CASES.get(name, name), value)

    def database(self) -> Iterator[Metric]:
        """Hand-ins that wait for their file, messages that wait or were given up, and the newest rescoring."""
        engine, count = self.connect(), sa.func.count()
        with read_transaction(engine) as connection:
            waiting = connection.execute(sa.select(count).where(RESULTS.c.filed_at.is_(None))).scalar()
            states = connection.execute(
                sa.select(WEBHOOK_DELIVERIES.c.state, count).group_by(WEBHOOK_DELIVERIES.c.state)
            ).all()
        yield _gauge("results_waiting", "Accepted laboratory results that wait to be filed", waiting or 0)
        messages = {"pending": 0, "dead": 0} | {state: number for state, number in states if state != "delivered"}
        yield _labelled("webhook_messages", "Messages of webhooks that wait, or were given up", "state", messages)
        newest = latest_rescoring(engine, self.now())
        state = newest.state if newest else None
        yield _gauge("rescoring_running", "1 while the service scores the catalogue anew", state == "running")
        failed = state in ("failed", "interrupted")
        yield _gauge("rescoring_failed", "1 where the newest rescoring failed or was interrupted", failed)

    def quarantine(self) -> Iterator[Metric]:
        """Rows in quarantine by table."""
        files = sorted(self.workspace.quarantine.glob("*.parquet"))
        rows = {file.stem: pq.read_metadata(file).num_rows for file in files}
        yield _labelled("quarantined_rows", "Rows in quarantine since the last ingest", "table", rows)

    def night(self) -> Iterator[Metric]:
        """How the last night ended, and whether a newer one has not; nothing before the first."""
        files = sorted(nights_folder(self.workspace).glob("[!.]*.json"), reverse=True)[:NIGHTS_READ]
        nights = (json.loads(file.read_text(encoding="utf-8")) for file in files)
        ended = next((each for each in nights if each["ended_at"] is not None), None)
        if files:
            unfinished = ended is None or ended["run_id"] != files[0].stem
            yield _gauge("night_unfinished", "1 while the newest night runs, or where it was killed", unfinished)
        if ended is None:
            return
        ended_at = datetime.fromisoformat(ended["ended_at"]).timestamp()
        yield _gauge("night_exit_code", "Exit code of the last night, 0 where all was done", ended["exit_code"])
        yield _gauge("night_ended_timestamp_seconds", "When the last night ended", ended_at)
        outcome = {name: str(ended[name]) for name in ("outcome", "day")}
        yield InfoMetricFamily("touchstone_night", "Outcome of the last night and its day", outcome)
        seconds = {each["step"]: each["seconds"] for each in ended["steps"]}
        yield _labelled("night_step_seconds", "Seconds of each step of the last night", "step", seconds)


class OperatorMetrics:
    """Collector of Prometheus; a part that cannot be read is left out, and `touchstone_state_unreadable` names it."""

    def __init__(self, state: OperatorState) -> None:
        self._parts: Mapping[str, Callable[[], Iterator[Metric]]] = {
            name: getattr(state, name) for name in ("scores", "cases", "database", "quarantine", "night")
        }
        self._lock = threading.Lock()
        self._metrics: list[Metric] = []
        self._read_at = -KEEP_SECONDS

    def collect(self) -> Iterable[Metric]:
        """The metrics, at most KEEP_SECONDS old."""
        with self._lock:
            if time.monotonic() - self._read_at >= KEEP_SECONDS:
                self._metrics = self._read()
                self._read_at = time.monotonic()
            return self._metrics

    def _read(self) -> list[Metric]:
        metrics: list[Metric] = []
        unreadable = dict.fromkeys(self._parts, 0)
        for name, read in self._parts.items():
            try:
                metrics += list(read())
            except (UserError, OSError, sa.exc.SQLAlchemyError, ValueError, KeyError, TypeError):
                unreadable[name] = 1
        return [
            *metrics,
            _labelled("state_unreadable", "1 where a part of the state is unreadable", "part", unreadable),
        ]


def metrics_text(operator: OperatorMetrics) -> bytes:
    """The metrics of all workers and of the state in the text format of Prometheus."""
    registry, folder = CollectorRegistry(), os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder:
        _forget_dead_workers(Path(folder))
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(operator)
    return (b"" if folder else generate_latest(REGISTRY)) + generate_latest(registry)


class MetricsEndpoint:
    """ASGI middleware that answers `GET /metrics`, in the place of BentoML, which would leave the state out."""

    def __init__(self, app: App, state: OperatorState) -> None:
        self._app, self._operator = app, OperatorMetrics(state)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the metrics, or pass the request on."""
        if scope["type"] != "http" or scope["path"] != scope.get("root_path", "") + PATH or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        text = await anyio.to_thread.run_sync(partial(metrics_text, self._operator))
        await Response(text, media_type=CONTENT_TYPE_LATEST)(scope, receive, send)


def _forget_dead_workers(folder: Path) -> None:
    """Leave requests under way of workers that were killed out."""
    for pid in {file.stem.rpartition("_")[2] for file in folder.glob("gauge_live*.db")}:
        try:
            os.kill(int(pid), 0)
        except (ProcessLookupError, ValueError):
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"touchstone_{name}", help_text, value=float(value))


def _labelled(name: str, help_text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"touchstone_{name}", help_text, labels=[label])
    for of, value in values.items():
        family.add_metric([of], float(value))
    return family
