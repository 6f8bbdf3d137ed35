"""A dossier holds what was known of its SKU on the day, all of it and nothing else."""

import json
from dataclasses import fields, replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import contract
from data.alerts.matching import match_alerts
from data.contract_schema import Table
from data.errors import UserError
from data.lake.tables import Tables
from data.progress import SilentProgress
from features.fitted_tables import FittedTables
from features.review_text.classifier import COUNTS_FROM
from features.snapshot.reader import open_snapshot
from features.snapshot.writer import write_snapshot
from serving.dossiers import months, records
from serving.dossiers.reader import MANIFEST, MONTHS_COUNT, Dossiers, months_before, verify_dossiers
from serving.dossiers.writer import dossiers_name, write_dossiers
from tests.features.catalogues import DAY, small_catalogue
from tests.features.small_world import AS_OF, Rows
from tests.serving.dossiers.worlds import SKUS, ids_expected, ids_told, tables_of, units_expected, world


def written(tables: Tables, as_of: date, folder: Path) -> Dossiers:
    """The dossiers of the tables, written and opened."""
    write_dossiers(tables, as_of, folder, SilentProgress())
    return Dossiers(folder)


@pytest.fixture(scope="module")
def rows() -> Rows:
    """A random marketplace."""
    return world(seed=3)


@pytest.fixture(scope="module")
def dossiers(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Dossiers:
    """Its dossiers."""
    return written(tables_of(rows), AS_OF, tmp_path_factory.mktemp("dossiers") / "whole")


def test_a_dossier_holds_the_alerts_that_match_its_sku_and_says_how(rows: Rows, dossiers: Dossiers) -> None:
    matches = match_alerts(tables_of(rows)).to_pyarrow().to_pylist()
    known = {(row["sku_id"], row["market"], row["alert_id"]): row for row in matches if row["known_on"] < AS_OF}
    told = {
        (dossier.listing.sku_id, dossier.listing.market, alert.alert_id): alert
        for dossier in map(dossiers.of, range(len(dossiers)))
        for alert in dossier.alerts
    }
    listed = {(each.listing.sku_id, each.listing.market) for each in map(dossiers.of, range(len(dossiers)))}
    assert told
    assert set(told) == {key for key in known if key[:2] in listed}
    assert all(
        (alert.how, alert.known_on) == (known[key]["how"], known[key]["known_on"]) for key, alert in told.items()
    )


@pytest.mark.parametrize(
    ("how", "shared", "words"),
    [
        ("gtin", 0, "same GTIN"), ("model", 0, "same brand and model number"),
        ("brand_and_title", 5, "same brand, 5 of 6 words of its title"),
        ("title", 6, "6 of 6 words of its title; it names no brand"),
    ],
)  # fmt: skip
def test_a_match_is_explained_in_words(how: str, shared: int, words: str) -> None:
    alert = records.AlertMatch(
        "a", DAY, DAY, "US CPSC", None, None, None, None, None, "javascript:alert(1)", how, shared, 6, 1.0
    )
    assert (alert.explanation, alert.web_address) == (words, None)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_dossier_holds_every_row_known_of_its_sku_and_no_other(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where months are added up span by span and written in small batches."""
    monkeypatch.setattr(months, "SKUS_PER_SPAN", 7)
    monkeypatch.setattr(months, "ROWS_PER_BATCH", 5)
    rows = world(seed)
    dossiers = written(tables_of(rows), AS_OF, tmp_path / "dossiers")
    by_key = {(sku["sku_id"], sku["market"]): sku for sku in rows["skus"]}
    assert len(dossiers) == SKUS - 1
    held = 0
    for dossier in map(dossiers.of, range(len(dossiers))):
        sku = by_key[dossier.listing.sku_id, dossier.listing.market]
        assert {field.name: sku[field.name] for field in fields(records.DossierListing)} == vars(dossier.listing)
        assert ids_told(dossier) == ids_expected(rows, sku)
        expected = units_expected(rows, sku)
        for name, sums in expected.items():
            counts = {(month.month.year, month.month.month): getattr(month, name) for month in dossier.months}
            assert {month: count for month, count in counts.items() if count} == {
                month: count for month, count in sums.items() if count and date(*month, 1) in months_before(AS_OF)
            }
        held += len(dossier.certificates) + len(dossier.holds)
    assert held > SKUS


@given(st.lists(st.integers(0, SKUS - 2), max_size=8))
def test_the_facts_of_many_are_those_of_each(dossiers: Dossiers, positions: list[int]) -> None:
    """In the order asked for, the same twice where it is asked for twice."""
    expected = [replace(dossiers.of(each), months=(), quotes=(), alerts=()) for each in positions]
    assert dossiers.facts_of(positions) == expected


def test_rows_known_on_the_day_or_later_change_nothing(rows: Rows, dossiers: Dossiers, tmp_path: Path) -> None:
    def is_known(row: dict[str, Any]) -> bool:
        return bool((row.get("known_on") or row.get("happened_on") or date.min) < AS_OF)

    earlier = {name: list(filter(is_known, table)) for name, table in rows.items()}
    assert sum(map(len, earlier.values())) < sum(map(len, rows.values()))
    alone = written(tables_of(earlier), AS_OF, tmp_path / "earlier")
    assert [alone.of(number) for number in range(len(alone))] == [dossiers.of(n) for n in range(len(dossiers))]


def test_events_come_newest_first(dossiers: Dossiers) -> None:
    for dossier in map(dossiers.of, range(len(dossiers))):
        for kind in ("tests", "certificates", "holds", "incidents", "audits", "remediations"):
            days = [event.happened_on for event in getattr(dossier, kind)]
            assert days == sorted(days, reverse=True)


def test_what_a_verification_found_is_not_known_before_its_day(dossiers: Dossiers) -> None:
    remediations = [each for number in range(len(dossiers)) for each in dossiers.of(number).remediations]
    assert any(each.verified_on for each in remediations)
    assert all(each.verified_on < AS_OF for each in remediations if each.verified_on is not None)
    assert all(each.verified_on is not None or each.effective is None for each in remediations)


def test_a_sample_of_the_supplier_is_kept_and_marked(dossiers: Dossiers) -> None:
    tests = [test for number in range(len(dossiers)) for test in dossiers.of(number).tests]
    marked = {test.independent for test in tests if test.origin == "supplier_provided"}
    assert marked == {False}
    assert {test.independent for test in tests if test.origin != "supplier_provided"} == {True}


def test_the_newest_status_of_each_certificate_stands_and_the_graver_of_one_day(tmp_path: Path) -> None:
    rows = world(seed=3)
    certificate = {**rows["certificates"][0], "sku_id": "k0", "scheme": "CE", "known_on": date(2025, 6, 2)}
    rows["certificates"] = [
        {**certificate, "status": status, "happened_on": date(2025, 6, day)}
        for status, day in (("claimed", 1), ("denied", 2), ("confirmed", 2))
    ]
    dossier = written(tables_of(rows), AS_OF, tmp_path / "dossiers").of(0)
    assert [each.status for each in dossier.certificates] == ["denied", "confirmed", "claimed"]
    assert [each.status for each in dossier.standing_certificates] == ["denied"]


@pytest.mark.parametrize(
    ("record", "table"),
    [
        (records.DossierListing, contract.SKUS), (records.LabTest, contract.LAB_TESTS),
        (records.Certificate, contract.CERTIFICATES), (records.Hold, contract.HOLDS),
        (records.Incident, contract.INCIDENTS), (records.Audit, contract.AUDITS),
        (records.Remediation, contract.REMEDIATIONS),
    ],
)  # fmt: skip
def test_the_records_are_those_of_the_contract(record: type, table: Table) -> None:
    assert {field.name for field in fields(record)} == set(table.column_names)


def test_a_position_of_the_snapshot_is_the_position_of_its_dossier(tmp_path: Path) -> None:
    tables = small_catalogue(skus=60)
    write_snapshot(tables, DAY, FittedTables.untrained(), tmp_path / "snapshot", SilentProgress())
    snapshot, dossiers = open_snapshot(tmp_path / "snapshot"), written(tables, DAY, tmp_path / "dossiers")
    keys = snapshot.keys(0, len(snapshot)).to_pylist()
    assert [vars(dossiers.of(position).listing) | key for position, key in enumerate(keys)] == [
        vars(dossiers.of(position).listing) for position in range(len(dossiers))
    ]
    assert len(keys) == len(dossiers)


def test_quotes_and_mentions_come_from_the_signals_where_there_are_any(tmp_path: Path) -> None:
    """What is too unlikely to count is neither quoted nor counted."""
    tables = tables_of(world(seed=3))
    signals = pa.Table.from_pylist([
        {"review_id": review, "sku_id": "k0", "market": "EU", "happened_on": date(2026, 2, day),
         "known_on": date(2026, 2, day) + timedelta(late), "rating": 1, "verified": True, "language": "en",
         "sentence": f"It burned {number}.", "start": number, "end": number + 12, "phrase_start": number + 3,
         "phrase_end": number + 9, "hazard": "fire", "severity": 1,
         "probability": probability}
        for number, (review, day, late, probability) in enumerate([
            ("a", 3, 0, 0.9), ("b", 9, 0, COUNTS_FROM), ("b", 9, 0, 0.9), ("c", 20, 40, 0.9), ("d", 9, 0, 0.13),
        ])
    ])  # fmt: skip
    given_signals = tables.backend.create_table("signals", signals)
    read = Tables(tables.backend, {**tables.given, "review_signals": given_signals}, tables.fingerprint)
    dossier = written(read, AS_OF, tmp_path / "read").of(0)
    assert [(quote.review_id, quote.start) for quote in dossier.quotes] == [("b", 1), ("b", 2), ("a", 0)]
    assert [quote.parts for quote in dossier.quotes] == [("It ", "burned", f" {number}.") for number in (1, 2, 0)]
    assert [month.hazard_mentions for month in dossier.months[-2:]] == [0, 2]
    assert dossiers_name(read, AS_OF) != dossiers_name(tables, AS_OF)
    unread = written(tables, AS_OF, tmp_path / "unread").of(0)
    assert unread.quotes == ()
    assert {month.hazard_mentions for month in unread.months} == {None}


@given(as_of=st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_the_months_end_with_the_month_of_the_day_before(as_of: date) -> None:
    firsts = months_before(as_of)
    assert len(firsts) == MONTHS_COUNT
    assert firsts[-1] == (as_of - timedelta(1)).replace(day=1)
    assert all((late - early).days in (28, 29, 30, 31) for early, late in pairwise(firsts))


def test_half_written_dossiers_are_refused(dossiers: Dossiers, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"dossiers\.json is missing. Run `touchstone score`"):
        Dossiers(tmp_path)
    record = json.loads((dossiers.folder / MANIFEST.name).read_text())
    for text, sentence in (("{", "is not the manifest"), (json.dumps(record | {"format": 9}), "has format 9")):
        (tmp_path / MANIFEST.name).write_text(text)
        with pytest.raises(UserError, match=sentence):
            Dossiers(tmp_path)


def test_a_file_cut_short_is_refused_and_a_changed_one_found(rows: Rows, tmp_path: Path) -> None:
    folder = written(tables_of(rows), AS_OF, tmp_path / "dossiers").folder
    verify_dossiers(folder)
    path = folder / "tests.arrow"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(UserError, match=r"tests\.arrow is not whole"):
        Dossiers(folder)
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    with pytest.raises(UserError, match=r"tests\.arrow in .* changed since it was written"):
        verify_dossiers(folder)


@pytest.mark.parametrize("position", [-1, SKUS - 1])
def test_a_position_outside_the_catalogue_is_an_error(dossiers: Dossiers, position: int) -> None:
    with pytest.raises(IndexError, match="Positions run from 0 to 6"):
        dossiers.of(position)
