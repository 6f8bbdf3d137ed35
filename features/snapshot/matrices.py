"""The features of the whole catalogue on one day as matrices, entity by entity."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.definition import NOBODY, Entity, Events, Facts, Feature, Rows, Source, kept, passes
from features.groups.certificates import reuses, statuses
from features.groups.lab_history import listed
from features.groups.reviews import READ, REVIEWS, WINDOW_DAYS, read_reviews
from features.registry import CATALOGUE
from features.snapshot.entities import Morning, Places, numbered
from features.totals import Owners, Totals, totals_of

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends import BaseBackend

    from data.lake.tables import Tables


@dataclass(frozen=True)
class Laid:
    """A morning whose entities are numbered and whose events are added up.

    `totals` holds what the events of each source and entity come to.
    """

    morning: Morning
    places: Mapping[Entity, Places]
    totals: Mapping[tuple[Rows, Entity], Totals]

    @property
    def backend(self) -> "BaseBackend":
        """Where the morning's tables are kept."""
        return self.morning.tables.backend

    def matrix(self, places: Places, features: Sequence[Feature]) -> NDArray[np.float64]:
        """The `features` of the entities at `places`, (places, features), column after column, NaN = missing."""
        matrix = np.empty((places.stop - places.start, len(features)), order="F")
        self.write(places, features, matrix)
        return matrix

    def write(self, places: Places, features: Sequence[Feature], matrix: NDArray[np.float64]) -> None:
        """Write the `features` of the entities at `places` into `matrix`, (places, features), NaN = missing."""
        columns = {feature.name: matrix[:, number] for number, feature in enumerate(features)}
        for source, asked in passes(features, self.morning.tables).items():
            told = {feature.name: columns.pop(feature.name) for feature in asked}
            totals = self.totals.get((source.rows, places.entity)) if isinstance(source, Events) else None
            if totals is None:
                self._ask(source, places, asked, told)
            else:
                totals.write(told, places.start)
        for column in columns.values():
            column.fill(np.nan)

    def _ask(
        self, source: Source, places: Places, features: Sequence[Feature], columns: Mapping[str, NDArray[np.float64]]
    ) -> None:
        """Write the features of a source that the backend groups by itself."""
        rows = self.backend.to_pyarrow(source.measured_on(self.morning, places, features))
        place = rows[places.column].to_numpy()
        nobody, seen = np.flatnonzero(place == NOBODY), place != NOBODY
        found = place[seen].astype(np.int64) - places.start
        for feature in features:
            values = rows[feature.name].to_numpy()
            columns[feature.name].fill(values[nobody[0]] if len(nobody) else np.nan)
            columns[feature.name][found] = values[seen]


@contextmanager
def laid(morning: Morning, features: Sequence[Feature] = CATALOGUE) -> Iterator[Laid]:
    """The catalogue of the morning numbered, and the events that tell these `features` read once."""
    described = any(isinstance(feature.source, Facts) for feature in features)
    entities = {feature.entity for feature in features}
    with ExitStack() as stack:
        numbers = numbered(morning.tables, morning.as_of, entities, described=described)
        listing, places = stack.enter_context(numbers)
        tables = _given(morning.tables, {listed.__name__: listing})
        if tables.has(REVIEWS):
            tables = _given(tables, {READ: _recent_reviews(tables, morning)})
        shared = {rows.__name__: rows(tables) for rows in (statuses, reuses)}
        tables = _given(tables, stack.enter_context(kept(tables, shared)))
        known = replace(morning, tables=tables)
        yield Laid(known, places, totals_of(known, Owners(tables.backend, listing, places), features))


def _given(tables: "Tables", rows: "Mapping[str, ir.Table]") -> "Tables":
    return replace(tables, given={**tables.given, **rows})


def _recent_reviews(tables: "Tables", morning: Morning) -> "ir.Table":
    """The reviews that any feature looks at."""
    reviews, first = read_reviews(tables), morning.as_of - timedelta(WINDOW_DAYS)
    return reviews.filter(reviews.happened_on >= first)
