"""The features of the whole catalogue on one day as matrices, entity by entity."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data.codes import SKU_CODE, SKU_KEY, coded_events
from features.catalogue import CATALOGUE
from features.certificates import reuses, statuses
from features.feature import Entity, Feature
from features.laboratory import decided_tests, listed
from features.morning import Morning
from features.places import Places, numbered, place_of
from features.prepared import Rows, kept
from features.reviews import READ, REVIEWS, WINDOW_DAYS, read_reviews, reviews_of_owners
from features.sales import of_suppliers, sales_and_returns
from features.source import NOBODY, Events, Facts, Source, passes
from features.sums import Sums, summed

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends import BaseBackend

    from data.tables import Tables

SUMMED: Mapping[Rows, Rows] = {sales_and_returns: sales_and_returns, of_suppliers: sales_and_returns}
"""Events of SKUs that are many, and those of suppliers that they make up."""
REVIEWED: tuple[Entity, ...] = ("sku", "supplier", "factory")


@dataclass(frozen=True)
class Laid:
    """A morning whose SKUs are numbered and whose many events are summed by SKU.

    `listing` holds every SKU with the places of its entities, `sums` what the events in the order of SUMMED add up to.
    """

    morning: Morning
    places: Mapping[Entity, Places]
    listing: "ir.Table"
    sums: Mapping[Rows, Sums]

    @property
    def backend(self) -> "BaseBackend":
        """Where the morning's tables are kept."""
        return self.morning.tables.backend

    def matrix(self, places: Places, features: Sequence[Feature]) -> NDArray[np.float64]:
        """The `features` of the entities at `places`, (places, features), column after column, NaN = missing."""
        matrix = np.full((places.stop - places.start, len(features)), np.nan, order="F")
        self.fill(matrix, places, features)
        return matrix

    def fill(self, matrix: NDArray[np.float64], places: Places, features: Sequence[Feature]) -> None:
        """Write the `features` of the entities at `places` into the columns of `matrix`, where any can be told."""
        column = {feature.name: matrix[:, number] for number, feature in enumerate(features)}
        for source, asked in passes(features, self.morning.tables).items():
            rows = self.backend.to_pyarrow(self._measured(source, places, asked))
            place = rows[places.column].to_numpy()
            nobody, seen = np.flatnonzero(place == NOBODY), place != NOBODY
            found = place[seen].astype(np.int64) - places.start
            for feature in asked:
                values = rows[feature.name].to_numpy()
                if len(nobody) and len(found) < len(matrix):
                    column[feature.name][:] = values[nobody[0]]
                column[feature.name][found] = values[seen]

    def _measured(self, source: Source, places: Places, features: Sequence[Feature]) -> "ir.Table":
        sums = self.sums.get(SUMMED.get(source.rows, source.rows)) if isinstance(source, Events) else None
        if sums is None:
            return source.measured_on(self.morning, places, features)
        if places.entity == "sku":
            return sums.of_skus(places, features)
        return sums.of_owners(places, self.listing, features)


@contextmanager
def laid(morning: Morning, features: Sequence[Feature] = CATALOGUE) -> Iterator[Laid]:
    """The catalogue of the morning numbered, and the events that tell these `features` read once."""
    described = any(isinstance(feature.source, Facts) for feature in features)
    entities = {feature.entity for feature in features}
    with ExitStack() as stack:
        numbers = numbered(morning.tables, morning.as_of, entities, described=described)
        listing, places = stack.enter_context(numbers)
        tables = _given(morning.tables, {listed: listing})
        shared = {rows.__name__: rows(tables) for rows in (decided_tests, statuses, reuses)}
        if tables.has(REVIEWS):
            shared[READ] = _placed(_recent_reviews(tables, morning), listing, morning)
        tables = replace(tables, given={**tables.given, **stack.enter_context(kept(tables, shared))})
        if tables.has(REVIEWS):  # these carry the places of owners too
            tables = _given(tables, {reviews_of_owners: read_reviews(tables)})
        codes = int(tables.backend.to_pyarrow(listing[SKU_CODE].max().fill_null(-1)).as_py()) + 1
        sums: dict[Rows, Sums] = {}
        for rows in dict.fromkeys(SUMMED.values()):
            asked = _asked(rows, features, tables)
            if asked:
                events = rows(tables)
                events = events if SKU_CODE in events.columns else coded_events(events, listing)
                sums[rows] = stack.enter_context(summed(events, morning, asked, codes))
        yield Laid(replace(morning, tables=tables), places, listing, sums)


def _asked(rows: Rows, features: Sequence[Feature], tables: "Tables") -> Sequence[Feature]:
    """Those of the features that are told by these rows."""
    return [
        feature for source, asked in passes(features, tables).items() for feature in asked
        if isinstance(source, Events) and SUMMED.get(source.rows) is rows
    ]  # fmt: skip


def _given(tables: "Tables", rows: "Mapping[Rows, ir.Table]") -> "Tables":
    """The tables with what each of these functions, which are under `shared`, would compute."""
    return replace(tables, given={**tables.given, **{function.__name__: table for function, table in rows.items()}})


def _placed(events: "ir.Table", listing: "ir.Table", morning: Morning) -> "ir.Table":
    """The events of SKUs known on that morning, with the places of what they happened to instead of keys."""
    known = events.filter(events.known_on < morning.as_of)
    places = [place_of(entity) for entity in REVIEWED if place_of(entity) in listing.columns]
    placed = known.inner_join(listing.select(*SKU_KEY, *places), list(SKU_KEY))
    return placed.select(column for column in placed.columns if column not in (*SKU_KEY, "review_id"))


def _recent_reviews(tables: "Tables", morning: Morning) -> "ir.Table":
    """The reviews that any feature looks at."""
    reviews, first = read_reviews(tables), morning.as_of - timedelta(WINDOW_DAYS)
    return reviews.filter(reviews.happened_on >= first)
