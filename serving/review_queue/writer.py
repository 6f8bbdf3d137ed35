"""Writer of the review queue: memory holds some 300 bytes a SKU, and no SKU as an object; texts are streamed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data.workspace import replace_atomically
from features.snapshot.reader import Snapshot
from features.snapshot.storage import write_table
from models.risk_bands import RiskBands
from models.risk_levels import risk_levels_in_force
from serving.decisions.blind_assessment import draw_cases
from serving.decisions.deadlines import add_working_days
from serving.decisions.legal_grounds import GroundPolicy, ground_policy_in_force, is_order_of
from serving.decisions.policy import SEVERITIES, DecisionPolicy, decision_policy_in_force
from serving.dossiers.reader import ENTITY_ROW, LISTING, OF_SUPPLIER, SUPPLIER_ROW, Dossiers
from serving.dossiers.records import SUPPLIER_PROVIDED
from serving.review_queue.format import (
    COLUMNS,
    DAYS,
    MANIFEST,
    ORDERS,
    SUPPLIERS,
    TEXT_SCHEMA,
    TEXTS,
    QueueContent,
    QueueDetails,
    QueueEvidence,
    as_numbers,
    file_of,
)
from serving.score_rows import RankedScores

Days = NDArray[Any]
"""datetime64[D], NaT where there is no such day."""


@dataclass(frozen=True)
class ClockStarts:
    """By position: the days on which what started the clocks became known.

    Those of the first standing order, the first notice, and the most urgent failed test that stands, with its severity
    as its rank in SEVERITIES.
    """

    first_order: Days
    first_notice: Days
    failed_on: Days
    failed_severity: NDArray[np.int8]


def clock_starts(dossiers: Dossiers) -> ClockStarts:
    """First orders, notices and failed tests of every dossier, those that `legal_grounds` takes to stand."""
    policy = ground_policy_in_force(dossiers.as_of)
    orders = [_standing(rows, policy, dossiers.as_of) for rows in _holds(dossiers)]
    failed_on, failed_severity = _failed_tests(dossiers)
    incidents = dossiers.rows("incidents", (ENTITY_ROW, "known_on"))
    notices = [] if incidents is None else [_since(incidents, dossiers.as_of - timedelta(days=policy.notice_days))]
    return ClockStarts(_first(orders, len(dossiers)), _first(notices, len(dossiers)), failed_on, failed_severity)


def _failed_tests(dossiers: Dossiers) -> tuple[Days, NDArray[np.int8]]:
    """The day and severity of the failed test of each row that is to be decided on first, the newest of several."""
    days, severities = np.full(len(dossiers), "NaT", DAYS), np.zeros(len(dossiers), np.int8)
    failures = _standing_failures(dossiers)
    if failures is None:
        return days, severities
    rows, since = failures[ENTITY_ROW].to_numpy(), failures["known_on"].to_numpy().astype(DAYS)
    known = pc.fill_null(pc.index_in(failures["severity"], pa.array(SEVERITIES)), 0)
    severity, terms = known.to_numpy(), decision_policy_in_force(dossiers.as_of).deadlines
    due = np.empty_like(since)
    for rank, name in enumerate(SEVERITIES):
        last = {day: add_working_days(day.item(), terms.failed_test.after(name), terms.holidays)
                for day in np.unique(since[severity == rank])}  # fmt: skip
        due[severity == rank] = np.array([last[day] for day in since[severity == rank]], DAYS)
    order = np.lexsort((-since.astype(np.int64), due.astype(np.int64), rows))
    _, first = np.unique(rows[order], return_index=True)
    urgent = order[first]
    days[rows[urgent]], severities[rows[urgent]] = since[urgent], severity[urgent]
    return days, severities


def _standing_failures(dossiers: Dossiers) -> pa.Table | None:
    """The failed tests that `grounds_in_force` takes to stand, of all rows at once; None where there are no tests."""
    columns = (ENTITY_ROW, "result", "origin", "package", "severity", "happened_on", "known_on")
    tests = dossiers.rows("tests", columns)
    if tests is None:
        return None
    independent = tests.filter(pc.not_equal(tests["origin"], SUPPLIER_PROVIDED))
    since = dossiers.as_of - timedelta(days=ground_policy_in_force(dossiers.as_of).test_days)
    failed = _since(independent.filter(pc.equal(independent["result"], "fail")), since)
    passed = independent.filter(pc.equal(independent["result"], "pass"))
    last = passed.group_by([ENTITY_ROW, "package"]).aggregate([("happened_on", "max")])
    # A failure without a package has no partner: Arrow's joins match no missing values.
    both = failed.join(last, [ENTITY_ROW, "package"], join_type="left outer")
    superseded = pc.fill_null(pc.greater(both["happened_on_max"], both["happened_on"]), False)
    return both.filter(pc.invert(superseded))


def _holds(dossiers: Dossiers) -> list[pa.Table]:
    """The holds of products, and those of suppliers' whole ranges as one row for each product in their market."""
    columns = (ENTITY_ROW, "known_on", "authority", "market")
    own, ranges = dossiers.rows("holds", columns), dossiers.rows("holds" + OF_SUPPLIER, columns)
    listed = dossiers.rows(LISTING, (ENTITY_ROW, SUPPLIER_ROW, "market"))
    if listed is None:
        return []
    held = ["known_on", "authority", "held_in"]
    holds = []
    for rows, key in ((own, ENTITY_ROW), (ranges, SUPPLIER_ROW)):
        if rows is not None:
            holds.append(listed.join(rows.rename_columns([key, *held]), key, join_type="inner"))
    return holds


def _standing(holds: pa.Table, policy: GroundPolicy, as_of: date) -> pa.Table:
    """The holds that are an authority's order in the market of the row and not too old."""
    recent = _since(holds.filter(pc.is_valid(holds["authority"])), as_of - timedelta(days=policy.order_days))
    places = (
        recent.select(["authority", "held_in", "market"]).group_by(["authority", "held_in", "market"]).aggregate([])
    )
    ordered = [is_order_of(each["authority"], each["held_in"], each["market"], policy) for each in places.to_pylist()]
    standing = places.filter(pa.array(ordered, pa.bool_()))
    names = [f"{place['authority']}\n{place['held_in'] or ''}\n{place['market']}" for place in standing.to_pylist()]
    named = pc.binary_join_element_wise(
        recent["authority"], pc.fill_null(recent["held_in"], ""), recent["market"], "\n"
    )
    return recent.filter(pc.is_in(named, pa.array(names, named.type)))


def _since(rows: pa.Table, day: date) -> pa.Table:
    """The rows that became known on a day or later."""
    return rows.filter(pc.greater_equal(rows["known_on"], day))


def _first(tables: list[pa.Table], rows: int) -> Days:
    """The first `known_on` by entity row."""
    first = np.full(rows, "NaT", DAYS)
    for table in tables:
        np.fmin.at(first, table[ENTITY_ROW].to_numpy(), table["known_on"].to_numpy().astype(DAYS))
    return first


ROWS_PER_BATCH = 65_536
EVIDENCE_FEATURES = {
    QueueEvidence.CERTIFICATE: "sku_certificates_refuted",
    QueueEvidence.RETURNS: "sku_safety_returns_365",
    QueueEvidence.REVIEWS: "sku_hazard_reviews_365",
    QueueEvidence.INCIDENT: "sku_incidents_365",
}
"""The feature that is above zero where there is such evidence."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RankedCatalogue:
    """A scored catalogue: titles, scores, their details and clock starts of every row of the snapshot, in its order.

    `p_fail_before` is p_fail of the same rows in the publication before, NaN where it had none; None where there was
    none.
    """

    snapshot: Snapshot
    titles: pa.ChunkedArray
    scores: RankedScores
    bands: RiskBands
    details: QueueDetails
    clock_starts: ClockStarts
    p_fail_before: Floats | None = None


def write_queue(ranked: RankedCatalogue, folder: Path) -> None:
    """Write the queue as `folder`, all or nothing."""
    order = np.empty(len(ranked.scores.ranks), dtype=np.int32)
    order[ranked.scores.ranks - 1] = np.arange(len(order), dtype=np.int32)
    keys = ranked.snapshot.keys(0, len(order)).append_column("title", ranked.titles)
    with replace_atomically(folder) as attempt:
        attempt.mkdir()
        markets, categories = _write_columns(ranked, order, keys, attempt)
        write_table(attempt / TEXTS, _texts(keys, order), TEXT_SCHEMA)
        content = QueueContent(
            len(order), _draw_policy(ranked).version, risk_levels_in_force(ranked.snapshot.as_of).version,
            ranked.bands.names, tuple(markets), tuple(categories), ranked.details.hazards,
        )  # fmt: skip
        MANIFEST.write(attempt, content)


def _write_columns(
    ranked: RankedCatalogue, order: NDArray[np.int32], keys: pa.Table, folder: Path
) -> tuple[Sequence[str], Sequence[str]]:
    """Write every column in the order of rank; returns the names of markets and categories."""
    feature, p_fail, details = ranked.snapshot.feature, ranked.scores.p_fail, ranked.details
    markets, market = _encode(keys["market"])
    categories, category = _encode(keys["category"])
    suppliers, supplier = _encode(keys["supplier_id"])
    write_table(folder / SUPPLIERS, [pa.RecordBatch.from_pydict({"supplier_id": suppliers})])
    units = np.nan_to_num(feature("sku_units_90"))
    untested = feature("sku_days_since_test")
    columns: dict[str, NDArray[Any]] = {
        "position": np.arange(len(order)), "p_fail": p_fail, "band": ranked.bands.rank(p_fail),
        "market": market, "category": category, "supplier": supplier, "units_90": units,
        "days_since_test": untested, "evidence": _evidence(ranked, untested),
        "p_low": details.p_low, "p_high": details.p_high, "drawn": _drawn(ranked), "hazard": details.hazard,
        "hazard_share": details.hazard_share, "risk_level": details.risk_level,
        "first_order": ranked.clock_starts.first_order, "first_notice": ranked.clock_starts.first_notice,
        "failed_on": ranked.clock_starts.failed_on, "failed_severity": ranked.clock_starts.failed_severity,
    }  # fmt: skip
    for name, values in columns.items():
        _write_column(folder, name, values[order].astype(COLUMNS[name]))
    _write_orders(ranked, order, folder)
    return markets.to_pylist(), categories.to_pylist()


def _write_orders(ranked: RankedCatalogue, order: NDArray[np.int32], folder: Path) -> None:
    """Write the ORDERS: by level equals come by rank, in all others by name."""
    units, untested = ranked.snapshot.feature("sku_units_90"), ranked.snapshot.feature("sku_days_since_test")
    by_name = (ranked.scores.ranks - 1).astype(np.int32)
    keys = {"units": np.nan_to_num(units), "harm": ranked.scores.p_fail * np.nan_to_num(units),
            "tested": np.nan_to_num(untested, nan=np.inf)}  # fmt: skip
    orders: dict[str, NDArray[Any]] = {
        name: by_name[np.argsort(-values, kind="stable")] for name, values in keys.items()
    }
    orders |= {"sku": by_name, "level": np.argsort(-ranked.details.risk_level[order], kind="stable")}
    for name in ORDERS:
        _write_column(folder, f"order_{name}", orders[name].astype(np.int32))


def _write_column(folder: Path, name: str, values: NDArray[Any]) -> None:
    # One batch, so that it can be read as one array in the memory of the file.
    write_table(folder / file_of(name), [pa.RecordBatch.from_pydict({name: as_numbers(values)})])


def _drawn(ranked: RankedCatalogue) -> NDArray[np.bool_]:
    flagged = asks_for_test(ranked.bands)[ranked.bands.rank(ranked.scores.p_fail)]
    return draw_cases(ranked.snapshot, flagged, _draw_policy(ranked))


def _draw_policy(ranked: RankedCatalogue) -> DecisionPolicy:
    return decision_policy_in_force(ranked.snapshot.as_of)


def _evidence(ranked: RankedCatalogue, untested: Floats) -> NDArray[np.uint8]:
    """The set of evidence of every row of the snapshot."""
    feature = ranked.snapshot.feature
    failed = ~np.isnan(feature("sku_days_since_fail"))
    known = np.where(failed, QueueEvidence.FAILED, np.where(np.isnan(untested), 0, QueueEvidence.PASSED)).astype(
        np.uint8
    )
    for kind, name in EVIDENCE_FEATURES.items():
        known |= np.where(np.nan_to_num(feature(name)) > 0, kind, 0).astype(np.uint8)
    known |= np.where(np.isnat(ranked.clock_starts.first_order), 0, QueueEvidence.HOLD).astype(np.uint8)
    if ranked.p_fail_before is not None:
        asks = asks_for_test(ranked.bands)
        now, before = (
            asks[ranked.bands.rank(np.nan_to_num(each))] for each in (ranked.scores.p_fail, ranked.p_fail_before)
        )
        known |= np.where(now & ~before, QueueEvidence.NEW, 0).astype(np.uint8)
    return known


def asks_for_test(bands: RiskBands) -> NDArray[np.bool_]:
    """Whether each band asks for a test, by its rank."""
    return np.array([action in ("test", "priority_test") for action in bands.actions])


def _encode(texts: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.int32]]:
    """The distinct texts, sorted, and the index of each row's among them."""
    encoded = texts.combine_chunks().cast(pa.string()).dictionary_encode()
    by_name = pc.array_sort_indices(encoded.dictionary)
    code = np.empty(len(by_name), dtype=np.int32)
    code[by_name.to_numpy()] = np.arange(len(by_name))
    return encoded.dictionary.take(by_name), code[encoded.indices.to_numpy(zero_copy_only=False)]


def _texts(keys: pa.Table, order: NDArray[np.int32]) -> Iterator[pa.RecordBatch]:
    """The texts in the order of rank, in TEXT_SCHEMA."""
    keys = keys.select(["sku_id", "supplier_id", "title"]).combine_chunks()  # a batch takes rows from everywhere
    for start in range(0, len(order), ROWS_PER_BATCH):
        rows = keys.take(pa.array(order[start : start + ROWS_PER_BATCH]))
        titles = pc.fill_null(rows["title"], "")
        searched = pc.binary_join_element_wise(rows["sku_id"], rows["supplier_id"], titles, "\n")
        texts = {"sku_id": rows["sku_id"], "title": rows["title"], "found_by": pc.utf8_lower(searched)}
        yield from pa.table(texts, schema=TEXT_SCHEMA).combine_chunks().to_batches()
