"""The evidence pack: every number follows from its CSV files, nobody is named, and the ledger knows its checksums."""

import csv
import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from scipy.stats import beta

from data.database.audit_log import audit_rows
from data.errors import UserError
from sampling.plan import Plan
from sampling.rounds import frame_table
from serving.decisions.appeals import AppealAnswer, answer_appeal, file_appeal
from serving.decisions.rules import Officer, Signature
from serving.decisions.store import Decisions
from serving.evidence.pack import EvidencePack, EvidenceRequest, _with_code, write_evidence
from serving.trends.edition import Quarter, check_sums
from tests.serving.decisions.cases import ANNA, BERND, FAILED, POLICY, file, proposal
from tests.serving.trends.quarters import NOW, QUARTER, Office, big_round, office
from touchstone import main

CARLA = Officer("Carla", "officer", "k-carla")
WORDS = "The seller's own words about Mr Smith."
Rows = list[dict[str, str]]


def decide(ready: Office) -> None:
    """Two restrictions in the quarter, one in time and one late; one of them was appealed against and reversed."""
    decisions = Decisions(ready.engine, POLICY)
    first = datetime(2026, 6, 2, 12, tzinfo=UTC)
    removed = decisions.propose(proposal("remove", "failed_independent_test"), ANNA, file(FAILED), first)
    removed = decisions.approve(removed.decision_id, BERND, first + timedelta(hours=1))
    recall = proposal("recall", "failed_independent_test")
    late = decisions.propose(recall, ANNA, file(FAILED), first + timedelta(days=8))
    decisions.approve(late.decision_id, BERND, first + timedelta(days=9))
    appeal = file_appeal(ready.engine, removed, WORDS, Signature(ANNA, first + timedelta(days=10)), POLICY)
    answer = AppealAnswer("reversed", "The sample was of another product.")
    answer_appeal(ready.engine, appeal.appeal_id, answer, Signature(CARLA, first + timedelta(days=12)), POLICY)


def show(ready: Office) -> None:
    """Views of every SKU before the round: recommendation favours those that the model suspects."""
    frame = frame_table(ready.plan)
    rows, before = len(frame), pa.repeat(pa.scalar(date(2026, 6, 1)), len(frame))
    noise = np.random.default_rng(1).lognormal(3, 1, (2, rows))
    tables = []
    for surface, views in (
        ("search", noise[0]),
        ("recommendation", noise[1] * np.exp(3 * np.asarray(frame["p_fail"]))),
    ):
        columns = {
            "sku_id": frame["sku_id"], "market": frame["market"], "happened_on": before, "known_on": before,
            "surface": pa.repeat(surface, rows), "views": pa.array(np.round(views).astype(np.int64)),
            "promoted": pa.repeat(0, rows),
        }  # fmt: skip
        tables.append(pa.table(columns))
    pq.write_table(pa.concat_tables(tables), ready.workspace.lake / "l-0" / "exposures.parquet")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """A quarter with a round of which some tests have no result, and decisions."""
    made = office(tmp_path_factory.mktemp("evidence") / "workspace", big_round(), share=0.97)
    decide(made)
    show(made)
    return made


@pytest.fixture(scope="module")
def pack(ready: Office, tmp_path_factory: pytest.TempPathFactory) -> EvidencePack:
    request = EvidenceRequest(QUARTER, tmp_path_factory.mktemp("out") / "pack", "olga", NOW)
    return write_evidence(ready.engine, ready.workspace, request)


def rows(pack: EvidencePack, name: str) -> Rows:
    with (pack.folder / f"{name}.csv").open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def column(rows: Rows, name: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.array([float(row[name] or 0) for row in rows], dtype=np.float64)


def recomputed(pack: EvidencePack, cell: dict[str, str]) -> dict[str, float]:
    """Share, variance and interval of a row of prevalence.csv from the CSV files, as the report says; of one round."""
    tests, strata, outside = (
        [
            row for row in rows(pack, name)
            if cell["category"] in ("", row["category"]) and cell["market"] in ("", row["market"])
        ]
        for name in ("tests", "strata", "outside")
    )  # fmt: skip
    tests = [row for row in tests if row["failed"]]
    by_units = cell["measure"] == "units sold"
    size = column(tests, "exposure") if by_units else np.ones(len(tests))
    names = ("exposure", "exposure_p_fail", "exposure_foreseen", "failing_exposure", "failing_error_exposure")
    if not by_units:
        names = ("skus", "p_fail_sum", "foreseen", "failing", "failing_error")
    total = column(strata, names[0]).sum() + column(outside, names[0]).sum()
    expected, foreseen = (float(column(strata, name).sum()) for name in names[1:3])
    known, chance = float(column(outside, names[3]).sum()), column(tests, "inclusion_used")
    miss = size * (column(tests, "failed") - column(tests, "p_fail"))
    share = (known + expected + float((miss / chance).sum())) / total
    random = chance < 1
    spare, expanded, n = 1 - chance[random], (miss / chance)[random], int(random.sum())
    centre = (spare * expanded).sum() / spare.sum() if n else 0.0
    design = float((size**2 * column(tests, "noise") / chance).sum())
    design += n / (n - 1) * float((spare * (expanded - centre) ** 2).sum()) if n > 1 else 0.0
    variance = max(design, foreseen) / total**2
    error, outside_error = size * column(tests, "error") / chance, column(outside, names[4])
    for screen in {row["package"] for row in tests} | {row["screen"] for row in outside}:
        of_tests, of_outside = ([row[name] == screen for row in each] for name, each in
                                (("package", tests), ("screen", outside)))  # fmt: skip
        variance += float((error[of_tests].sum() + outside_error[of_outside].sum()) / total) ** 2
    t = max(share, (known + expected) / total)
    effective = t * (1 - t) / variance
    failures = share * effective
    return {
        "share": share, "variance": variance, "tests": len(tests),
        "failures": sum(row["result"] == "fail" for row in tests),
        "low": float(beta.ppf(0.025, failures, effective - failures + 1)),
        "high": float(beta.ppf(0.975, failures + 1, effective - failures)),
    }  # fmt: skip


def test_every_prevalence_follows_from_the_files(pack: EvidencePack) -> None:
    """Share, variance and interval of every domain, by SKUs and by units sold."""
    cells = rows(pack, "prevalence")
    assert len(cells) == 14
    assert sum(not cell["withheld"] for cell in cells) >= 6
    for cell in cells:
        again = recomputed(pack, cell)
        assert (int(cell["tests"]), int(cell["failures"])) == (again["tests"], again["failures"])
        for name in ("high",) if cell["withheld"] else ("share", "variance", "low", "high"):
            assert float(cell[name]) == pytest.approx(again[name], rel=1e-9), (cell, name)


def test_every_figure_follows_from_the_files(pack: EvidencePack) -> None:
    tests, decisions, appeals = (rows(pack, name) for name in ("tests", "decisions", "appeals"))
    documents, actions = rows(pack, "documents"), rows(pack, "corrective_actions")
    failed = [row for row in decisions if row["fact_kind"] == "failed_independent_test"]
    days = [date.fromisoformat(row["in_force_on"]) - date.fromisoformat(row["fact_known_on"]) for row in failed]
    again = {
        "tests_planned": len(tests), "tests_with_result": sum(row["failed"] != "" for row in tests),
        "tests_failed": sum(row["result"] == "fail" for row in tests), "restrictions": len(decisions),
        "restrictions_after_failed_tests": len(failed),
        "restrictions_with_a_clock": sum(row["due_on"] != "" for row in decisions),
        "restrictions_in_time": sum(row["in_force_on"] <= row["due_on"] for row in decisions if row["due_on"]),
        "median_days_from_failed_test_to_restriction": median(each.days for each in days),
        "appeals_answered": len(appeals),
        "appeals_in_time": sum(row["answered_on"] <= row["due_on"] for row in appeals),
        "appeals_overturned": sum(row["outcome"] in ("modified", "reversed") for row in appeals),
        "documents_known": len(documents),
        "documents_confirmed": sum(row["status"] == "confirmed" for row in documents),
        "corrective_actions_due": len(actions),
        "corrective_actions_in_time": sum("" < row["verified_on"] <= row["due_on"] for row in actions),
    }  # fmt: skip
    figures = {row["name"]: float(row["value"]) for row in rows(pack, "figures")}
    assert figures == again
    assert (figures["restrictions"], figures["restrictions_in_time"], figures["appeals_overturned"]) == (2, 1, 1)
    report = (pack.folder / "report.md").read_text("utf-8")
    assert all(f"| {name.replace('_', ' ')} | {value:,g} |" in report for name, value in figures.items())


def recomputed_ratio(pack: EvidencePack, surface: str) -> tuple[float, float, float]:
    """Share by views, ratio and the standard error of its logarithm, of one round, as the report says."""

    def of_surface(name: str) -> Rows:
        return [row for row in rows(pack, name) if row["surface"] == surface]

    views = {(row["sku_id"], row["market"]): float(row["views"]) for row in of_surface("views_tests")}
    tests = [row for row in rows(pack, "tests") if row["failed"]]
    size = np.array([views[row["sku_id"], row["market"]] for row in tests])
    miss, chance = column(tests, "failed") - column(tests, "p_fail"), column(tests, "inclusion_used")
    shown, strata = of_surface("views_strata"), rows(pack, "strata")
    total = column(shown, "views").sum() + column(of_surface("views_outside"), "views").sum()
    failing = column(shown, "views_p_fail").sum() + column(of_surface("views_outside"), "failing_views").sum()
    by_views = float((failing + (size * miss / chance).sum()) / total)
    skus = column(strata, "skus").sum()
    by_skus = float((column(strata, "p_fail_sum").sum() + (miss / chance).sum()) / skus)
    per_view, per_sku = 1 / (total * by_views), 1 / (skus * by_skus)
    factor = per_view * size - per_sku
    random = chance < 1
    expanded, spare, n = (factor * miss / chance)[random], 1 - chance[random], int(random.sum())
    centre = (spare * expanded).sum() / spare.sum()
    design = n / (n - 1) * float((spare * (expanded - centre) ** 2).sum())
    foreseen = (
        per_view**2 * column(shown, "views_foreseen").sum() + per_sku**2 * column(strata, "foreseen").sum()
        - 2 * per_view * per_sku * column(shown, "views_covariance").sum()
    )  # fmt: skip
    return by_views, by_views / by_skus, float(np.sqrt(max(design, foreseen)))


def test_how_much_more_often_failing_skus_are_shown_follows_from_the_files(pack: EvidencePack) -> None:
    """On every surface; the report says it in words."""
    ratios = rows(pack, "exposure")
    assert [row["surface"] for row in ratios] == ["everywhere", "recommendation", "search"]
    for row in ratios:
        by_views, ratio, error = recomputed_ratio(pack, row["surface"])
        assert not row["withheld"]
        assert float(row["share_by_views"]) == pytest.approx(by_views, rel=1e-9)
        assert float(row["ratio"]) == pytest.approx(ratio, rel=1e-9)
        assert float(row["low"]) == pytest.approx(ratio * np.exp(-1.959964 * error), rel=1e-6)
        assert float(row["high"]) == pytest.approx(ratio * np.exp(1.959964 * error), rel=1e-6)
    report = (pack.folder / "report.md").read_text("utf-8")
    assert f"In recommendation, failing SKUs are shown {float(ratios[1]['ratio']):.1f} times as often" in report


def test_the_page_escapes_what_it_shows_and_marks_names_of_columns(pack: EvidencePack) -> None:
    page = (pack.folder / "report.html").read_text("utf-8")
    assert "<code>rounds.csv</code>" in page
    assert "`" not in page
    assert str(_with_code("<b> `a<b`")) == "&lt;b&gt; <code>a&lt;b</code>"


def test_nobody_is_named(pack: EvidencePack, ready: Office) -> None:
    """No officer, key, supplier or word of a person stands in any file."""
    text = "\n".join(path.read_text("utf-8") for path in pack.folder.iterdir())
    people = ["Anna", "Bernd", "Carla", "Ben", "olga", "k-anna", ready.anna.key.id, "Smith", "another product"]
    assert not [name for name in people if name in text]
    assert not any(f",P{number}," in text for number in range(400))
    assert "supplier_id" not in text
    assert "explanation" not in text


def test_checksums_hold_and_the_ledger_knows_them(pack: EvidencePack, ready: Office) -> None:
    assert check_sums(pack.folder) == pack.digest
    names = {line.split("  ")[1] for line in (pack.folder / "SHA256SUMS").read_text("utf-8").splitlines()}
    assert names == {path.name for path in pack.folder.iterdir()} - {"SHA256SUMS"}
    recorded = [row for row in audit_rows(ready.engine, "evidence 2026Q2") if row.action == "write_evidence"]
    assert json.loads(recorded[0].content)["sha256"] == pack.digest


def test_the_same_quarter_known_by_the_same_day_is_the_same_pack(
    pack: EvidencePack, drawn_again: Office, tmp_path: Path
) -> None:
    """Byte for byte, but for the head of the ledger and its row numbers."""
    request = EvidenceRequest(QUARTER, tmp_path / "pack", "somebody else", NOW)
    again = write_evidence(drawn_again.engine, drawn_again.workspace, request)
    for name in ("tests.csv", "strata.csv", "prevalence.csv", "rounds.csv", "documents.csv"):
        first, second = ((each.folder / name).read_bytes() for each in (pack, again))
        assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


@pytest.fixture
def drawn_again(tmp_path: Path) -> Office:
    return office(tmp_path / "workspace", big_round(), share=0.97)


def test_every_column_is_explained(pack: EvidencePack) -> None:
    explained = {(row["file"], row["column"]) for row in rows(pack, "columns") if row["means"]}
    for name in ("rounds", "tests", "strata", "outside", "screens", "prevalence", "decisions", "appeals", "documents",
                 "exposure", "views_strata", "views_tests", "views_outside"):  # fmt: skip
        heads = (pack.folder / f"{name}.csv").read_text("utf-8").splitlines()[0].split(",")
        assert {(f"{name}.csv", head) for head in heads} <= explained


def test_the_command_says_what_was_found_and_overwrites_nothing(ready: Office, tmp_path: Path) -> None:
    command = ["--home", str(ready.workspace.home), "evidence", "2026Q2", "--out", str(tmp_path / "pack")]
    told = CliRunner().invoke(main, command)
    assert told.exit_code == 0, told.output
    assert "Of all SKUs, " in told.output
    again = CliRunner().invoke(main, command)
    assert "is there already, and packs are not overwritten" in again.output


def test_a_quarter_that_has_not_ended_has_no_evidence_yet(ready: Office, tmp_path: Path) -> None:
    request = EvidenceRequest(QUARTER, tmp_path / "pack", "olga", NOW.replace(month=6, day=30))
    with pytest.raises(UserError, match=r"2026Q2 ends on 30 June 2026. Write its evidence after that"):
        write_evidence(ready.engine, ready.workspace, request)


def test_a_quarter_without_rounds_says_so(ready: Office, tmp_path: Path) -> None:
    """Decisions and documents are evidence too."""
    request = EvidenceRequest(Quarter.parse("2026Q1"), tmp_path / "pack", "olga", NOW)
    pack = write_evidence(ready.engine, ready.workspace, request)
    report = (pack.folder / "report.md").read_text("utf-8")
    assert "there is no estimate of prevalence" in report
    assert "nothing can be said on how often failing products are shown" in report
    assert not (pack.folder / "exposure.csv").exists()


def test_a_round_without_results_is_named(drawn: Plan, tmp_path: Path) -> None:
    waiting = office(tmp_path / "workspace", drawn, share=0.0)
    pack = write_evidence(waiting.engine, waiting.workspace, EvidenceRequest(QUARTER, tmp_path / "p", "olga", NOW))
    report = (pack.folder / "report.md").read_text("utf-8")
    assert f"Rounds without a result yet, in no estimate: {drawn.summary.round_id}." in report


@pytest.fixture(scope="module")
def drawn() -> Plan:
    return big_round()
