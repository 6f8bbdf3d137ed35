"""What stands in an edition: what `touchstone estimate` yields, rounded, with small cells left out."""

import csv
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from data.contract import CERTIFICATES
from data.errors import UserError
from data.lake.handed_in_rows import row_files
from sampling.estimation.disclosure import exposures
from sampling.estimation.policy import estimation_policy_in_force
from sampling.estimation.publication_policy import publication_policy_in_force
from sampling.estimation.report import estimate_prevalence
from serving.trends.edition import (
    CELLS_FILE,
    PACKAGE_FILE,
    Quarter,
    commonest_hazards,
    public_reports,
    read_edition,
    read_edition_files,
)
from serving.trends.process_figures import standing_certificates
from serving.trends.trend_rows import RoundsAsKnown, RowEstimates, RowLabel, label_rows, trend_rows
from tests.serving.trends.quarters import HAZARDS, QUARTER, Office

DAY = date(2026, 10, 2)


def rounds_of(office: Office) -> RoundsAsKnown:
    publication, estimation = publication_policy_in_force(DAY), estimation_policy_in_force(DAY)
    return RoundsAsKnown(office.workspace, [office.plan.summary.round_id], DAY, publication, estimation)


def test_an_edition_says_what_the_estimate_says(published: Office) -> None:
    """Catalogue and cells are those of `touchstone estimate`, rounded; the raw share of failures stands nowhere."""
    edition, known = read_edition(published.workspace, "2026Q2"), rounds_of(published)
    estimate = estimate_prevalence(published.workspace, known.rounds, DAY, known.estimation)
    shares = {(each.domain.category, each.domain.market): each for each in estimate.figures if each.measure == "SKUs"}
    cells = [row for row in edition.rows if row.published and row.level in ("catalogue", "cell")]
    assert len(cells) >= 3
    for row in cells:
        share = shares[row.category or None, row.market or None].share
        assert row.share == round(100 * share.value)
        assert row.low is not None
        assert row.high is not None
        assert row.low <= 100 * share.low <= row.low + 1
        assert row.high - 1 <= 100 * share.high <= row.high
    assert abs(100 * estimate.failed_share - (edition.catalogue.share or 0)) > 3


def test_small_cells_are_left_out_and_protected(published: Office) -> None:
    """Textiles were tested little: their cells are hidden, and follow from nothing that is shown."""
    edition, known = read_edition(published.workspace, "2026Q2"), rounds_of(published)
    hidden = [row for row in edition.rows if not row.published]
    assert {row.category for row in hidden} == {"textile"}
    assert all((row.share, row.low, row.high, row.tests, row.hazards) == (None, None, None, None, ()) for row in hidden)
    estimates = RowEstimates.of(known)
    labels = label_rows(estimates.cells, known.publication)
    table = estimates.disclosure_table(labels, ())
    shown = {labels[RowLabel(row.level, row.category, row.market)] for row in edition.rows if row.published}
    assert exposures(table, shown, known.publication) == []


def test_counts_are_rounded_and_hazards_named_where_several_sellers_failed(published: Office) -> None:
    edition = read_edition(published.workspace, "2026Q2")
    assert all(row.tests is None or row.tests % 5 == 0 for row in edition.rows)
    jewellery = next(row for row in edition.level("category") if row.category == "jewellery")
    assert set(jewellery.hazards) == set(HAZARDS)
    assert commonest_hazards(published.workspace, "jewellery") == jewellery.hazards
    assert commonest_hazards(published.workspace, "unheard of") == ()


def test_without_an_edition_no_hazard_is_named(waiting: Office) -> None:
    assert commonest_hazards(waiting.workspace, "jewellery") == ()


def test_fewer_failures_with_a_hazard_than_the_policy_asks_for_name_none(published: Office) -> None:
    known = rounds_of(published)
    strict = replace(
        known, publication=known.publication.model_copy(update={
            "least": known.publication.least.model_copy(update={"hazard_failures": 1_000})
        }),
    )  # fmt: skip
    assert all(row.hazards == () for row in trend_rows(strict))


def test_figures_on_documents_and_corrective_actions_are_those_of_the_files(published: Office) -> None:
    """A quarter of the documents are confirmed, three quarters of the actions were in time; too few removals."""
    figures = {each.name: each.value for each in read_edition(published.workspace, "2026Q2").figures}
    assert figures["documents_confirmed"] == 25
    assert figures["corrective_actions_in_time"] == 75
    assert figures["days_from_report_to_restriction"] is None


def test_a_document_that_was_confirmed_at_the_desk_counts_before_the_next_ingest(waiting: Office) -> None:
    """Handed-in rows stand beside the ingested ones; of one document the newest status counts."""
    rows = [
        {"certificate_id": name, "supplier_id": "P1", "status": "confirmed", "happened_on": date(2026, 5, day),
         "known_on": date(2026, 5, day), "revision": 1}
        for name, day in (("C0", 2), ("C1", 3), ("C40", 4))
    ]  # fmt: skip
    row_files(waiting.workspace, CERTIFICATES).write("one", rows)
    status = standing_certificates(waiting.workspace, QUARTER.last)["status"].to_pylist()
    assert (len(status), status.count("confirmed")) == (41, 13)
    assert len(standing_certificates(waiting.workspace, date(2026, 4, 30))) == 0


def test_the_files_describe_and_check_themselves(published: Office) -> None:
    """Every column of the CSV is described, every file has its checksum, and the page needs no other file."""
    folder = public_reports(published.workspace) / "2026Q2"
    package = json.loads((folder / PACKAGE_FILE).read_text("utf-8"))
    text = (folder / CELLS_FILE).read_text("utf-8")
    cells = next(each for each in package["resources"] if each["path"] == CELLS_FILE)
    assert [each["name"] for each in cells["schema"]["fields"]] == next(csv.reader([text.splitlines()[0]]))
    assert cells["hash"] == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    sums = dict(line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text("utf-8").splitlines())
    assert sums == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name in sums
    }
    assert set(sums) == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    page = (folder / "index.html").read_text("utf-8")
    assert "<script" not in page
    assert "src=" not in page
    assert "Too few tests to publish." in page


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _digit(path: Path) -> None:
    path.write_text(path.read_text("utf-8").replace("16", "61", 1), encoding="utf-8")


@pytest.mark.parametrize("change", [_cut, _digit, Path.unlink])
def test_a_file_that_was_changed_is_not_shown(
    published: Office, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = tmp_path / "2026Q2"
    folder.mkdir()
    for path in (public_reports(published.workspace) / "2026Q2").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    change(folder / CELLS_FILE)
    with pytest.raises(UserError, match=r"cells.csv is not as it was published. Restore it from a backup"):
        read_edition_files(folder)


def test_a_quarter_is_three_months() -> None:
    assert (QUARTER.first, QUARTER.last) == (date(2026, 4, 1), date(2026, 6, 30))
    last = Quarter.parse("2026Q4")
    assert (last.first, last.last) == (date(2026, 10, 1), date(2026, 12, 31))
    assert last.holds("2026-12-31T23:59:59+00:00")
    assert not last.holds("2027-01-01")
    assert not last.holds(None)


@pytest.mark.parametrize("text", ["2026Q5", "2026-Q3", "Q3", "../2026Q3", "2026Q3-2", "1999Q1"])
def test_what_is_no_quarter_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"is no quarter. Give one such as 2026Q3"):
        Quarter.parse(text)


def test_the_interval_holds_the_share(published: Office) -> None:
    rows = [row for row in read_edition(published.workspace, "2026Q2").rows if row.published]
    numbers = np.array([[row.low, row.share, row.high] for row in rows])
    assert (np.diff(numbers) >= 0).all()
    assert numbers.min() >= 0
    assert numbers.max() <= 100
