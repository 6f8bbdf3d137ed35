"""The features of the whole catalogue on one day as matrices, entity by entity."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.certificates import reuses, statuses
from features.feature import KEYS, Entity, Feature
from features.laboratory import decided_tests, listed
from features.morning import Morning
from features.places import Places, numbered, place_of
from features.prepared import Rows, kept
from features.reviews import READ, REVIEWS, WINDOW_DAYS, read_reviews, reviews_of_owners
from features.sales import flows, of_suppliers, sales_and_returns
from features.source import NOBODY, passes

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends import BaseBackend

    from data.tables import Tables

PLACED: tuple[Entity, ...] = ("sku", "supplier")
REVIEWED: tuple[Entity, ...] = (*PLACED, "factory")


@dataclass(frozen=True)
class Laid:
    """A morning whose events carry the places of the entities that they happened to."""

    morning: Morning
    places: Mapping[Entity, Places]

    @property
    def backend(self) -> "BaseBackend":
        """Where the morning's tables are kept."""
        return self.morning.tables.backend

    def matrix(self, places: Places, features: Sequence[Feature]) -> NDArray[np.float64]:
        """The `features` of the entities at `places`, (places, features), column after column, NaN = missing."""
        matrix = np.full((places.stop - places.start, len(features)), np.nan, order="F")
        column = {feature.name: matrix[:, number] for number, feature in enumerate(features)}
        for source, asked in passes(features, self.morning.tables).items():
            rows = self.backend.to_pyarrow(source.measured_on(self.morning, places, asked))
            place = rows[places.column].to_numpy()
            nobody, somebody = np.flatnonzero(place == NOBODY), place != NOBODY
            for feature in asked:
                values = rows[feature.name].to_numpy()
                if len(nobody):
                    column[feature.name][:] = values[nobody[0]]
                column[feature.name][place[somebody] - places.start] = values[somebody]
        return matrix


@contextmanager
def laid(morning: Morning, entities: Collection[Entity] = tuple(KEYS)) -> Iterator[Laid]:
    """The catalogue of the morning numbered, and its events read once, with the places of what they happened to.

    `entities` are those whose features are wanted, suppliers among them.
    """
    with numbered(morning.tables, morning.as_of, entities) as (listing, places):
        tables = _given(morning.tables, {listed: listing})
        shared = {rows.__name__: rows(tables) for rows in (decided_tests, statuses, reuses)}
        shared[flows.__name__] = _placed(flows(tables), listing, morning)
        if tables.has(REVIEWS):
            shared[READ] = _placed(_recent_reviews(tables, morning), listing, morning, REVIEWED)
        with kept(tables, shared) as ready:
            tables = replace(tables, given={**tables.given, **ready})
            # These carry the supplier's place too, and one day has no use for sums by day.
            owned = {of_suppliers: sales_and_returns(tables)}
            if tables.has(REVIEWS):
                owned[reviews_of_owners] = read_reviews(tables)
            yield Laid(replace(morning, tables=_given(tables, owned)), places)


def _given(tables: "Tables", rows: "Mapping[Rows, ir.Table]") -> "Tables":
    """The tables with what each of these functions, which are under `shared`, would compute."""
    return replace(tables, given={**tables.given, **{function.__name__: table for function, table in rows.items()}})


def _placed(
    events: "ir.Table", listing: "ir.Table", morning: Morning, entities: tuple[Entity, ...] = PLACED
) -> "ir.Table":
    """The events of SKUs known on that morning, with the places of the `entities` they happened to instead of keys."""
    known = events.filter(events.known_on < morning.as_of)
    places = [place_of(entity) for entity in entities if place_of(entity) in listing.columns]
    placed = known.inner_join(listing.select("sku_id", "market", *places), ["sku_id", "market"])
    return placed.select(column for column in placed.columns if column not in ("sku_id", "market", "review_id"))


def _recent_reviews(tables: "Tables", morning: Morning) -> "ir.Table":
    """The reviews that any feature looks at."""
    reviews, first = read_reviews(tables), morning.as_of - timedelta(WINDOW_DAYS)
    return reviews.filter(reviews.happened_on >= first)
