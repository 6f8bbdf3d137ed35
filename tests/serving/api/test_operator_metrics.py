"""The metrics of the state are those of the state, and what docs/monitoring asks for is there."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
import yaml
from prometheus_client.parser import text_string_to_metric_families

from data.database.connection import open_database
from data.database.schema import RESULTS
from data.errors import UnavailableError
from data.workspace import Workspace
from serving.api.operator_metrics import KEEP_SECONDS, OperatorMetrics, OperatorState, metrics_text
from serving.api.request_log import RequestRecord
from serving.api.request_metrics import request_metrics
from serving.night.record import NightRecord, Outcome, StepRecord, nights_folder, write_night
from serving.online.hot_reload import HotReloader
from tests.serving.conftest import ROOT, Scored

MONITORING = ROOT / "docs" / "monitoring"
NAMES = re.compile(r"\b(?:touchstone|bentoml)_\w+")
NIGHT = NightRecord(
    "2026-07-21T0230-a", "2026-07-21", "2026-07-21T02:30:00+00:00", "c", ended_at="2026-07-21T03:10:00+00:00",
    outcome=Outcome.FAILED, exit_code=3, steps=(StepRecord("ingest", "done", 0, 7.5, 900, "Done.", {}),),
)  # fmt: skip
Sample = tuple[str, frozenset[tuple[str, str]]]


def published_at(workspace: Workspace) -> datetime:
    """When the scores in service were published."""
    return datetime.fromtimestamp((workspace.home / "publications" / "CURRENT").stat().st_mtime, UTC)


@pytest.fixture
def state(scored: Scored, tmp_path: Path) -> Iterator[OperatorState]:
    """A scored workspace with a database, a quarantine and a night of its own, an hour after the publication."""
    workspace = Workspace(tmp_path / "workspace")
    workspace.quarantine.mkdir(parents=True)
    for each in scored.workspace.home.iterdir():
        if not (workspace.home / each.name).exists():
            (workspace.home / each.name).symlink_to(each)
    pq.write_table(pa.table({"row_number": [1, 2, 3]}), workspace.quarantine / "skus.parquet")
    write_night(workspace, NIGHT)
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    now = published_at(workspace) + timedelta(hours=1)
    yield OperatorState(workspace, HotReloader(workspace), lambda: engine, lambda: now)
    engine.dispose()


def scrape(state: OperatorState) -> dict[Sample, float]:
    """The samples of a scrape by name and labels."""
    text = metrics_text(OperatorMetrics(state)).decode("utf-8")
    families = text_string_to_metric_families(text)
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def sample(name: str, **labels: str) -> Sample:
    """The key of a sample."""
    return name, frozenset(labels.items())


def test_the_metrics_are_those_of_the_state(state: OperatorState, scored: Scored) -> None:
    samples = scrape(state)
    assert samples[sample("touchstone_scores_age_seconds")] == pytest.approx(3600, abs=1)
    assert samples[sample("touchstone_scored_skus")] == len(scored.tables["skus"].to_pyarrow())
    assert samples[sample("touchstone_quarantined_rows", table="skus")] == 3
    assert samples[sample("touchstone_night_exit_code")] == 3
    assert samples[sample("touchstone_night_info", outcome="failed", day="2026-07-21")] == 1
    assert samples[sample("touchstone_night_step_seconds", step="ingest")] == 7.5
    assert samples[sample("touchstone_night_unfinished")] == 0
    assert samples[sample("touchstone_rescoring_running")] == samples[sample("touchstone_rescoring_failed")] == 0
    unreadable = {key: value for key, value in samples.items() if key[0] == "touchstone_state_unreadable"}
    assert (len(unreadable), set(unreadable.values())) == (5, {0})


def test_a_night_under_way_leaves_what_the_last_one_left(state: OperatorState) -> None:
    """It is told that it has not ended, whether it runs or was killed."""
    write_night(state.workspace, replace(NIGHT, run_id="2026-07-22T0230-b", ended_at=None, exit_code=None))
    samples = scrape(state)
    assert samples[sample("touchstone_night_unfinished")] == 1
    assert samples[sample("touchstone_night_exit_code")] == 3


def test_results_wait_until_they_are_filed(state: OperatorState) -> None:
    """Each accepted version that no file holds is counted."""
    row = {"version": 1, "hand_in": "h", "content": "{}", "received_at": "2026", "received_from": "k", "status": "done"}
    rows = [{**row, "test_id": name, "filed_at": filed} for name, filed in (("a", None), ("b", None), ("c", "2026"))]
    with state.connect().begin() as connection:
        connection.execute(sa.insert(RESULTS), rows)
    assert scrape(state)[sample("touchstone_results_waiting")] == 2


def test_what_cannot_be_read_is_named_and_costs_the_rest_nothing(state: OperatorState) -> None:
    """Without a database and with a broken file of the night, the age of the scores is told all the same."""

    def gone() -> sa.Engine:
        raise UnavailableError("The database cannot be reached.")

    (nights_folder(state.workspace) / "2026-07-22.json").write_text('{"outcome": ', encoding="utf-8")
    samples = scrape(replace(state, connect=gone))
    parts = {dict(labels)["part"]: value for (name, labels), value in samples.items() if "unreadable" in name}
    assert parts == {"scores": 0, "cases": 1, "database": 1, "quarantine": 0, "night": 1}
    assert sample("touchstone_scores_age_seconds") in samples


def test_before_the_first_scores_and_nights_it_answers(tmp_path: Path, state: OperatorState) -> None:
    empty = Workspace(tmp_path / "empty")
    samples = scrape(replace(state, workspace=empty, reloader=HotReloader(empty)))
    assert samples[sample("touchstone_state_unreadable", part="scores")] == 1
    assert not [name for name, _ in samples if "night" in name and "unreadable" not in name]


def test_the_state_is_read_once_for_many_scrapes(state: OperatorState, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the seconds that it is kept, and anew after them."""
    metrics, clock = OperatorMetrics(state), [0.0]
    monkeypatch.setattr("serving.api.operator_metrics.time.monotonic", lambda: clock[0])
    first = metrics.collect()
    assert metrics.collect() is first
    clock[0] += KEEP_SECONDS
    assert metrics.collect() is not first


def asked_for() -> set[str]:
    """The names of metrics that alert rules and dashboard ask for; rules and dashboard are what they should be."""
    rules: dict[str, Any] = yaml.safe_load((MONITORING / "alerts.yaml").read_text(encoding="utf-8"))
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    assert all(rule["annotations"]["summary"].endswith(".") and rule["labels"]["severity"] for rule in alerts)
    page = (MONITORING / "README.md").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in alerts if rule["alert"] not in page] == []
    dashboard = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return {name for text in (*panels, *(rule["expr"] for rule in alerts)) for name in NAMES.findall(text)}


def test_rules_dashboard_and_page_name_metrics_that_there_are(state: OperatorState) -> None:
    """Every name of a rule and a panel is that of a sample, and the page tells every metric and no other."""
    metrics, families = request_metrics("touchstone", "1"), re.compile(r"^# TYPE (\S+) ", re.MULTILINE)
    record = RequestRecord("POST", "/score", "r-1", status=200)
    metrics.begin(record)
    metrics.end(record)
    text = metrics_text(OperatorMetrics(state)).decode("utf-8")
    names = {name for name, _ in scrape(state)}
    assert {"touchstone_scores_age_seconds", "bentoml_service_request_duration_seconds_bucket"} <= asked_for() <= names
    page = set(NAMES.findall((MONITORING / "README.md").read_text(encoding="utf-8")))
    told = {name for name in families.findall(text) if NAMES.match(name) and not name.endswith("_created")}
    assert page == told
