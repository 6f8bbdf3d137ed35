"""What came back is what comparing every removal with every listing finds."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.progress import SilentProgress
from features.snapshot.storage import write_table
from serving.dossiers.reader import ENTITY_ROW, Dossiers
from serving.dossiers.writer import write_dossiers
from serving.kpis.aggregate import compute_totals
from serving.kpis.kpis import RelistingCounts
from serving.kpis.relisting import DAYS, count_relistings
from tests.features.small_world import AS_OF
from tests.serving.dossiers.worlds import tables_of, world

COLUMNS = ("sku_id", "market", "supplier_id", "factory_id", "category", "listed_on", "title")
TYPES = {ENTITY_ROW: pa.int32(), "listed_on": pa.date32()}
SCHEMA = pa.schema([(name, TYPES.get(name, pa.string())) for name in (ENTITY_ROW, *COLUMNS)])
SPRING = st.dates(date(2026, 1, 1), date(2026, 6, 30))
END = date(2026, 7, 1)


@dataclass(frozen=True)
class Listing:
    """What decides whether one listing is like another."""

    sku_id: str
    market: str
    supplier_id: str
    factory_id: str | None
    category: str
    listed_on: date
    title: str | None


LISTINGS = st.builds(
    Listing, st.sampled_from(["K-1", "K-2", "K-3", "K-4"]), st.sampled_from(["EU", "US"]),
    st.sampled_from(["S-1", "S-2"]), st.sampled_from(["F-1", None]), st.sampled_from(["toys", "jewellery"]),
    SPRING, st.sampled_from(["Red car", "RED  car!", "red-car", "blue car", "!", None]),
)  # fmt: skip


@given(st.data())
def test_whatever_the_spelling(data: st.DataObject) -> None:
    listings = data.draw(st.lists(LISTINGS, min_size=1, max_size=8, unique_by=lambda each: (each.sku_id, each.market)))
    removals = data.draw(st.dictionaries(st.integers(0, len(listings) - 1), SPRING, max_size=4))
    rows = [{**asdict(each), ENTITY_ROW: row} for row, each in enumerate(listings)]
    with TemporaryDirectory() as folder:
        batch = pa.RecordBatch.from_pylist(rows, SCHEMA)
        write_table(Path(folder) / "listing.arrow", [batch], SCHEMA)
        counts = count_relistings(Path(folder), removals, END)
    assert counts == by_comparing(listings, removals, END)


@pytest.mark.parametrize("seed", [1, 2])
def test_in_a_whole_marketplace(seed: int, tmp_path: Path) -> None:
    """Of the SKUs that an authority held, from the first day on which that was known."""
    folder = tmp_path / "dossiers"
    write_dossiers(tables_of(world(seed)), AS_OF, folder, SilentProgress())
    dossiers = [Dossiers(folder).of(position) for position in range(len(Dossiers(folder)))]
    days = {position: [hold.known_on for hold in each.holds if hold.sku_id] for position, each in enumerate(dossiers)}
    holds = {position: min(known) for position, known in days.items() if known}
    assert holds
    assert compute_totals(folder).relisted == by_comparing([each.listing for each in dossiers], holds, AS_OF)


def by_comparing(listings: Sequence[Any], removals: dict[int, date], as_of: date) -> tuple[RelistingCounts, ...]:
    """The figures by comparing each removal with each listing."""
    return tuple(_compared(listings, removals, as_of, days) for days in DAYS)


def _compared(listings: Sequence[Any], removals: dict[int, date], as_of: date, days: int) -> RelistingCounts:
    span, counts = timedelta(days=days), []
    for position, day in removals.items():
        mine = listings[position]
        others = [each for each in listings if each.sku_id != mine.sku_id and each.market == mine.market]
        same = [each for each in others if words(mine) and words(each) == words(mine)]
        linked = [
            each for each in others if each.category == mine.category
            and (each.supplier_id == mine.supplier_id or (mine.factory_id and each.factory_id == mine.factory_id))
        ]  # fmt: skip
        if day + span <= as_of:
            counts.append((
                any(day < each.listed_on <= day + span for each in same),
                any(day < each.listed_on <= day + span for each in linked),
                any(day - span < each.listed_on <= day for each in linked),
            ))  # fmt: skip
    return RelistingCounts(days, len(counts), *(sum(each[number] for each in counts) for number in range(3)))


def words(listing: Any) -> list[str]:
    """The words of a title."""
    return re.findall(r"[^\W_]+", (listing.title or "").lower())
