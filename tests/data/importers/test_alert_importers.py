"""Promises of the importers of public registers of recalls and alerts."""

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract import ALERTS
from data.errors import UserError
from data.importers.cpsc_recalls import import_cpsc_recalls
from data.importers.identifiers import gtins_in, has_check_digit, models_in
from data.importers.report import ImportCounts
from data.importers.safety_gate import import_safety_gate
from data.ingest.pipeline import IngestOptions, ingest, ingest_folder
from data.lake.store import open_lake
from data.workspace import Workspace
from tests.data.importers.alert_files import RECALLS_CSV, recalls_json, weekly_report
from tests.data.small_marketplace import Ingested, good_frames, spoiled, write_parquet
from touchstone import main

TODAY = date(2026, 9, 30)
WORDS = st.sampled_from(["", "Unknown", "Lamp", "Lampe à lave", "4006381333931", "20251104", "A-12 / B-13", "<&>", " "])


def alerts_in(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / "alerts.parquet").to_pylist()
    return rows


def require_contract(counts: ImportCounts, folder: Path) -> None:
    """What is written keeps the contract, and no row vanished."""
    rows = alerts_in(folder)
    assert counts.read == len(rows) + sum(counts.dropped.values())
    assert counts.written == {"alerts": len(rows)}
    assert len({row["alert_id"] for row in rows}) == len(rows)
    for row in rows:
        assert all(row[column.name] for column in ALERTS.columns if column.required)
        assert any(row.get(name) for name in ALERTS.one_of)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({
            "caseNumber": st.sampled_from(["", "SR/1/26", "SR/2/26", "Unknown"]),
            "product": WORDS, "name": WORDS, "brand": WORDS, "barcode": WORDS, "type_numberOfModel": WORDS,
        }),
        max_size=6,
    )
)  # fmt: skip
def test_every_notification_is_written_or_counted(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("safety_gate")
    counts = import_safety_gate(weekly_report(folder, {}, *rows), folder)
    assert counts.read == len(rows) + 1
    require_contract(counts, folder)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({
            "RecallNumber": st.sampled_from(["1", "2", "", None]), "Title": WORDS,
            "RecallDate": st.sampled_from(["2025-01-01", "", None]),
            "Products": st.sampled_from([None, [], [{}], [{"Name": "A"}, {"Name": ""}], "text", [None]]),
            "ProductUPCs": st.sampled_from([None, [{"UPC": "036000291452"}], [{}], {}]), "Description": WORDS,
        }),
        max_size=6,
    )
)  # fmt: skip
def test_every_recalled_product_is_written_or_counted(
    tmp_path_factory: pytest.TempPathFactory, recalls: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("cpsc")
    counts = import_cpsc_recalls(recalls_json(folder, {}, *recalls), folder)
    assert counts.read >= len(recalls) + 1
    require_contract(counts, folder)


def test_a_notification_becomes_an_alert_known_on_the_day_of_its_report(tmp_path: Path) -> None:
    import_safety_gate(weekly_report(tmp_path, {}), tmp_path)
    [alert] = alerts_in(tmp_path)
    assert (alert["alert_id"], alert["register"]) == ("safety-gate-SR/00001/26", "EU Safety Gate")
    assert alert["happened_on"] == alert["known_on"] == date(2026, 8, 28)
    assert (alert["title"], alert["brand"]) == ("Plush rabbit Snow Rabbit XL", "Hopsy")
    assert (alert["gtin"], alert["model"]) == ("4006381333931", "HR-2040")
    assert (alert["hazard"], alert["risk_level"]) == ("Choking", "Serious risk")
    assert alert["url"] == "https://example.org/alertDetail/1"


def test_words_that_state_nothing_are_missing_values(tmp_path: Path) -> None:
    import_safety_gate(weekly_report(tmp_path, {"brand": "Unknown", "name": "-", "barcode": "not available"}), tmp_path)
    [alert] = alerts_in(tmp_path)
    assert (alert["brand"], alert["title"], alert["gtin"]) == (None, "Plush rabbit", None)


def test_a_recall_becomes_an_alert_of_the_firm_that_recalls(tmp_path: Path) -> None:
    import_cpsc_recalls(recalls_json(tmp_path, {}), tmp_path)
    [alert] = alerts_in(tmp_path)
    assert (alert["alert_id"], alert["register"], alert["happened_on"]) == ("cpsc-26061", "US CPSC", date(2025, 10, 30))
    assert (alert["title"], alert["brand"]) == ("Harppo 5-in-1 Convertible High Chair", "Harppo")
    assert (alert["gtin"], alert["model"]) == ("036000291452", "BHC-001, BHC-002, BHC-003")
    assert (alert["hazard"], alert["measure"], alert["country_of_origin"]) == ("Fall hazard", "Replace", "China")


def test_each_product_of_a_recall_is_an_alert_of_its_own(tmp_path: Path) -> None:
    products = [{"Name": "Chair", "Model": "C-1"}, {"Name": "Tray", "Model": "T-1"}]
    import_cpsc_recalls(recalls_json(tmp_path, {"Products": products}), tmp_path)
    assert [(row["alert_id"], row["model"]) for row in alerts_in(tmp_path)] == [
        ("cpsc-26061", "C-1"), ("cpsc-26061-2", "T-1"),
    ]  # fmt: skip


def test_the_csv_of_recalls_is_read_with_days_in_words(tmp_path: Path) -> None:
    source = tmp_path / "recalls.csv"
    source.write_text(RECALLS_CSV, encoding="utf-8")
    counts = import_cpsc_recalls(source, tmp_path)
    [alert] = alerts_in(tmp_path)
    assert (alert["happened_on"], alert["brand"], alert["model"]) == (date(2025, 10, 30), "Harppo", "BHC-001")
    assert (counts.read, dict(counts.dropped)) == (2, {"without a readable day": 1})


def test_what_is_imported_passes_a_strict_ingest(tmp_path: Path) -> None:
    folder = write_parquet(spoiled("alerts", 0), tmp_path / "tables")
    import_safety_gate(weekly_report(tmp_path, {}, {"caseNumber": "SR/2/26"}), folder)
    counts = ingest(folder, Workspace(tmp_path / "workspace"), TODAY, strict=True)
    assert {count.table: count.accepted for count in counts}["alerts"] == 2


def test_the_report_of_another_week_is_added_to_the_alerts_before_it(
    own_good_marketplace: Ingested, tmp_path: Path
) -> None:
    """By key: a folder of alerts alone leaves every other table, and the alerts of other weeks, as they are."""
    workspace = own_good_marketplace.workspace
    for week, day in (("SR/1/26", "28/08/2026"), ("SR/2/26", "04/09/2026")):
        folder = tmp_path / day.replace("/", "-")
        folder.mkdir()
        import_safety_gate(weekly_report(folder, {"caseNumber": week}, day=day), folder)
        ingest_folder(folder, workspace, IngestOptions(TODAY, by_key=True))
    tables = open_lake(workspace)
    held = tables["alerts"].alert_id.to_pyarrow().to_pylist()
    assert set(held) == {*good_frames()["alerts"]["alert_id"], "safety-gate-SR/1/26", "safety-gate-SR/2/26"}
    assert tables["skus"].count().to_pyarrow().as_py() == len(good_frames()["skus"])


def test_a_number_is_a_gtin_only_with_its_check_digit() -> None:
    assert has_check_digit("4006381333931")
    assert not has_check_digit("4006381333932")
    assert not has_check_digit("00000000")
    assert gtins_in("EAN 4006381333931; batch 20251104") == "4006381333931"
    assert gtins_in("0 36000 29145 2 and 4006381333931") == "036000291452, 4006381333931"
    assert gtins_in("Unknown") is None


@pytest.mark.parametrize(
    ("text", "models"),
    [
        ("Model number HD14P-Z is printed on the label.", "HD14P-Z"),
        ('with models "NS-1", NS-2 or NS-3. Sold in 2024.', "NS-1, NS-2, NS-3"),
        ("a remodeled kitchen and 12 chairs", None),
        ("this model was sold in 2024", None),
    ],
)
def test_model_numbers_follow_the_word_model(text: str, models: str | None) -> None:
    assert models_in(text) == models


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.xml", "<a", "is not XML"),
        ("a.xml", "<a><b>1</b></a>", "holds no notification"),
        ("a.xml", "<a><notifications><caseNumber>1</caseNumber></notifications></a>", "1 without a day of publication"),
    ],
)
def test_other_xml_is_refused_and_nothing_is_written(tmp_path: Path, name: str, content: str, sentence: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        import_safety_gate(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.json", b"[{]", "is not JSON"), ("a.json", b'{"a": 1}', "is no list of recalls"),
        ("a.json", b"\xff\xfe", "is not JSON in UTF-8"), ("a.json", b"[]", "it is empty"),
        ("a.csv", b"a,b\n1,2\n", "lacks the columns Recall Number"), ("a.csv", b"", "has no header"),
    ],
)  # fmt: skip
def test_other_files_are_no_recalls(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    source = tmp_path / name
    source.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        import_cpsc_recalls(source, tmp_path / "out")
    with pytest.raises(UserError, match="There is no file"):
        import_cpsc_recalls(tmp_path / f"none_{name}", tmp_path / "out")


def test_the_command_says_how_to_add_what_it_wrote(tmp_path: Path) -> None:
    words = ["import", "safety-gate", str(weekly_report(tmp_path, {})), "--out", str(tmp_path / "out")]
    told = CliRunner().invoke(main, ["--home", str(tmp_path / "workspace"), *words])
    assert told.exit_code == 0
    assert told.output.splitlines() == [
        "1 rows read, left out: none.", "Written: 1 alerts.",
        f"Next: touchstone ingest --update {tmp_path / 'out'}",
    ]  # fmt: skip
