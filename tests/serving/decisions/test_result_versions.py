"""Whatever versions of reports come, in whatever order and by whichever door, there is one truth, and all tell it."""

import tempfile
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data.contract import LAB_TESTS, NO_RESULT
from data.database.connection import open_database
from data.lab_results.store import Sender, file_results, store_results
from data.lake.lab_results import SCHEMA, current_results
from data.lake.report_versions import newest_reports
from data.lake.store import open_lake
from data.workspace import Workspace, write_pointer
from sampling.estimation.known_rounds import KnownResults
from sampling.plan import Plan, allocate
from sampling.rounds import in_progress, round_status, write_plan
from serving.decisions.cases import results_of
from serving.decisions.legal_grounds import grounds_in_force
from serving.decisions.records import SkuKey
from serving.dossiers.records import Dossier, LabTest
from tests.sampling.frames import AS_OF, POLICY, marketplace
from tests.serving.decisions.test_legal_grounds import LISTING
from training.dataset.labels import build_labels

Row = dict[str, Any]
Versions = dict[tuple[str, int], Row]
DAYS = 9
TODAY = AS_OF + timedelta(days=DAYS + 1)
SENDER = Sender("lab", "k-lab", datetime(2026, 12, 1, tzinfo=UTC))
PLAN: Plan = allocate(marketplace(60), POLICY, 2_000, seed=1)
UNITS = PLAN.units.slice(0, 2).to_pylist()
STEPS = st.lists(
    st.fixed_dictionaries({
        "door": st.sampled_from(["service", "service", "ingest"]),
        "unit": st.integers(0, 1),
        "version": st.integers(1, 4),
        "result": st.sampled_from(["pass", "fail", "inconclusive"]),
        "status": st.sampled_from([None, None, None, *NO_RESULT]),
        "day": st.integers(0, DAYS),
    }), min_size=1, max_size=8,
)  # fmt: skip


def version_of(step: Mapping[str, Any]) -> Row:
    """The row of a step: a test of one of two planned SKUs."""
    unit = UNITS[step["unit"]]
    return dict.fromkeys(SCHEMA.names) | {
        "test_id": f"T{step['unit']}", "sku_id": unit["sku_id"], "market": unit["market"], "happened_on": AS_OF,
        "known_on": AS_OF + timedelta(days=step["day"]), "result": step["result"], "origin": "warehouse",
        "package": unit["package"], "version": step["version"], "status": step["status"],
        "round_id": unit["round_id"],
    }  # fmt: skip


class Doors:
    """A workspace with a drawn round, and beside it what ought to be known: versions handed in and ingested."""

    def __init__(self, home: Path) -> None:
        self.workspace = Workspace(home / "workspace")
        self.engine: sa.Engine = open_database(f"sqlite:///{home / 'state.db'}")
        self.handed_in: Versions = {}
        self.ingested: Versions = {}
        write_plan(PLAN, self.workspace.plans)
        self.write_lake()

    def write_lake(self) -> None:
        """Make what is ingested the current lake."""
        folder = self.workspace.lake / f"l-{len(list(self.workspace.lake.glob('l-*')))}"
        folder.mkdir(parents=True)
        skus = marketplace(60).select(["sku_id", "market", "category"])
        skus = skus.append_column("supplier_id", pa.array(["S"] * 60))
        pq.write_table(
            skus.append_column("listed_on", pa.repeat(pa.scalar(date(2025, 1, 1)), 60)), folder / "skus.parquet"
        )
        pq.write_table(pa.table({"supplier_id": ["S"]}), folder / "suppliers.parquet")
        tests = pa.Table.from_pylist(list(self.ingested.values()), schema=SCHEMA).select(LAB_TESTS.column_names)
        pq.write_table(tests, folder / "lab_tests.parquet")
        write_pointer(self.workspace.lake / "CURRENT", folder.name)

    def take(self, step: Mapping[str, Any]) -> None:
        """One step, and what becomes of it by the rules as one would say them."""
        row = version_of(step)
        key = (row["test_id"], row["version"])
        if step["door"] == "ingest":
            self.ingested[key] = row
            self.write_lake()
            return
        stored = store_results(self.engine, self.workspace, [row], SENDER)
        file_results(self.engine, self.workspace, SENDER.now)
        known = {version: each for (name, version), each in {**self.ingested, **self.handed_in}.items()
                 if name == row["test_id"]}  # fmt: skip
        newest = max(known, default=0)
        follows = row["version"] == newest + 1
        is_new = follows and (not newest or row["known_on"] >= known[newest]["known_on"])
        assert (stored.new == (row["test_id"],)) == is_new
        assert bool(stored.refused) == (row["version"] not in known and not is_new)
        if is_new:
            self.handed_in[key] = row

    def truth(self, day: date | None = None) -> dict[str, Row]:
        """By test, what its newest version known before `day` says; none where that is no result."""
        versions = {**self.ingested, **self.handed_in}
        newest = {name: row for (name, _), row in sorted(versions.items()) if day is None or row["known_on"] < day}
        return {name: row for name, row in newest.items() if row["status"] not in NO_RESULT}

    def of_rounds(self, day: date | None = None) -> dict[str, str]:
        """The results of tests that were handed in: only these name a round."""
        named = {name for name, _ in self.handed_in}
        return {name: row["result"] for name, row in self.truth(day).items() if name in named}


WITHDRAWN_BY_INGEST = [
    {"door": "service", "unit": 1, "version": 1, "result": "pass", "status": None, "day": 0},
    {"door": "service", "unit": 1, "version": 2, "result": "fail", "status": None, "day": 0},
    {"door": "ingest", "unit": 1, "version": 3, "result": "inconclusive", "status": "cancelled", "day": 0},
]


@settings(max_examples=6, deadline=None)
@given(STEPS)
@example(WITHDRAWN_BY_INGEST)
def test_rounds_estimates_labels_and_facts_tell_one_truth(steps: list[dict[str, Any]]) -> None:
    """On the last day and on a day between, after every sequence of hand-ins and ingests."""
    with tempfile.TemporaryDirectory() as folder:
        doors = Doors(Path(folder))
        try:
            for step in steps:
                doors.take(step)
            for day in (None, AS_OF + timedelta(days=DAYS // 2)):
                assert labels(doors, day) == clear(doors.truth(day))
                assert estimated(doors, day or TODAY) == doors.of_rounds(day)
            assert facts(doors) == {name for name, row in doors.truth().items() if row["result"] == "fail"}
            status = round_status(doors.workspace, PLAN.summary.round_id)
            assert status.received == len(doors.of_rounds())
            waiting = set(in_progress(doors.workspace, TODAY, 365, but="")["sku_id"].to_pylist())
            assert waiting >= {unit["sku_id"] for unit in PLAN.units.slice(2).to_pylist()}
        finally:
            doors.engine.dispose()


def clear(truth: Mapping[str, Row]) -> dict[str, bool]:
    """The tests that passed or failed."""
    return {name: row["result"] == "fail" for name, row in truth.items() if row["result"] in ("pass", "fail")}


def labels(doors: Doors, day: date | None) -> dict[str, bool]:
    """What training learns."""
    frame = build_labels(open_lake(doors.workspace), day)
    return dict(zip(frame["test_id"], frame["failed"], strict=True))


def estimated(doors: Doors, day: date) -> dict[str, str]:
    """What the estimate of the round rests on."""
    rows = KnownResults.of(doors.workspace, day).of_round(PLAN.summary.round_id).to_pylist()
    return {row["test_id"]: row["result"] for row in rows}


def facts(doors: Doors) -> set[str]:
    """The failed tests that stand for the pages: dossiers as the next scoring writes them, and what came since."""
    rows = newest_reports(open_lake(doors.workspace)["lab_tests"], TODAY).to_pyarrow().to_pylist()
    names = [each.name for each in fields(LabTest)]
    tests = [LabTest(**{name: row[name] for name in names}) for row in rows]
    standing = set()
    for unit in UNITS:
        key = SkuKey(unit["sku_id"], unit["market"])
        listing = replace(LISTING, sku_id=key.sku_id, market=key.market)
        own = tuple(test for test in tests if (test.sku_id, test.market) == key)
        with_result = tuple(test for test in own if test.has_result)
        dossier = Dossier(TODAY, listing, with_result, (), (), (), (), (), (), ())
        dossier = replace(dossier, tests_without_result=tuple(test for test in own if not test.has_result))
        standing |= {
            each.row_id for each in grounds_in_force(dossier, TODAY, results_of(doors.engine, key.sku_id).get(key, ()))
        }
    return standing


def test_current_results_have_one_row_a_test() -> None:
    """Of three versions the newest, whichever file it is in."""
    with tempfile.TemporaryDirectory() as folder:
        doors = Doors(Path(folder))
        step = {"door": "service", "unit": 0, "result": "fail", "status": None, "day": 1}
        for version, result in ((1, "fail"), (2, "pass"), (3, "fail")):
            doors.take({**step, "version": version, "result": result})
        rows = current_results(doors.workspace).to_pylist()
        assert [(row["test_id"], row["version"], row["status"]) for row in rows] == [("T0", 3, "amended")]
        doors.engine.dispose()
