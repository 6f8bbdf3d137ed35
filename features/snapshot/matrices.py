"""The features of the whole catalogue on one day as matrices: DuckDB reads the rows, Polars evaluates the features."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.operations as ops
import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.lake.report_versions import known_before
from data.lake.surrogate_keys import SKU_KEY, sku_join_keys
from features.definition import Entity, EventSource, Feature, Source, feature_values, group_by_source
from features.registry import FeatureSet, features_of
from features.snapshot.entities import EntityRows, SnapshotDate, enumerate_entities

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends import BaseBackend

NOBODY = -1
"""The row number of an entity that has seen no event."""


@dataclass(frozen=True)
class CatalogueFeatures:
    """Features of every entity of the catalogue on a snapshot date, computed for the rows that are asked for.

    `listing` is the table of all SKUs with the row numbers of their entities, `entities` the rows of each kind.
    """

    snapshot: SnapshotDate
    listing: "ir.Table"
    entities: Mapping[Entity, EntityRows]

    @property
    def backend(self) -> "BaseBackend":
        """Where the tables of the snapshot date are kept."""
        return self.snapshot.tables.backend

    @property
    def feature_set(self) -> FeatureSet:
        """Every feature that is computed with the fitted tables of the snapshot date."""
        return features_of(self.snapshot.reference)

    def matrix(self, rows: EntityRows, features: Sequence[Feature]) -> NDArray[np.float64]:
        """The `features` of the entities at `rows`, (rows, features), column after column, NaN = missing."""
        matrix = np.empty((len(rows), len(features)), order="F")
        self.write(rows, features, matrix)
        return matrix

    def write(self, rows: EntityRows, features: Sequence[Feature], matrix: NDArray[np.float64]) -> None:
        """Write the `features` of the entities at `rows` into `matrix`, (rows, features), NaN = missing."""
        columns = {feature.name: matrix[:, number] for number, feature in enumerate(features)}
        for source, declared in group_by_source(features, self.snapshot.tables).items():
            values = self.of_source(source, rows, declared)
            row = values[rows.column].to_numpy()
            seen, nobody = row != NOBODY, np.flatnonzero(row == NOBODY)
            position = row[seen] - rows.start
            for feature in declared:
                value, column = values[feature.name].to_numpy(), columns.pop(feature.name)
                column.fill(value[nobody[0]] if len(nobody) else np.nan)
                column[position] = value[seen]
        for column in columns.values():
            column.fill(np.nan)

    def of_source(self, source: Source, rows: EntityRows, features: Sequence[Feature]) -> pl.DataFrame:
        """Frame of `rows.column` and the `features` of one source as float64, a row per entity with rows in it.

        For events the row NOBODY holds the features of an entity that has seen none.
        """
        if isinstance(source, EventSource):
            return self._of_events(source, rows, features)
        tables, reference = self.snapshot.tables, self.snapshot.reference
        facts = source.rows(rows.rows.mutate(as_of=ibis.literal(self.snapshot.as_of)), tables, reference)
        return self._read(facts.select(rows.column, **feature_values(facts, reference, features)))

    def _of_events(self, events: EventSource, rows: EntityRows, features: Sequence[Feature]) -> pl.DataFrame:
        known, reference = self._known(events, rows), self.snapshot.reference
        values = feature_values(known, reference, features).values()
        read = {field.name for value in values for field in value.op().find(ops.Field, filter=ops.Value)}
        wanted = known.select(rows.column, *sorted(read))
        frame = self._read(wanted) if len(rows) else pl.DataFrame(schema=wanted.schema().to_polars())
        no_event = pl.DataFrame({rows.column: [NOBODY]}, {rows.column: frame.schema[rows.column]})
        seen = ibis.polars.connect({"seen": pl.concat([frame, no_event], how="diagonal")}).table("seen")
        grouped = seen.group_by(rows.column).aggregate(**feature_values(seen, reference, features))
        computed: pl.DataFrame = grouped.to_polars(engine="streaming")
        return computed

    def _known(self, events: EventSource, rows: EntityRows) -> "ir.Table":
        """The events known before the day, each with the row number of its entity.

        One day needs no join by day: grouping them by row gives the same values.
        """
        table, day = events.rows(self.snapshot.tables), ibis.literal(self.snapshot.as_of)
        through_sku = events.on == SKU_KEY or events.of_skus(table)
        entities, keys = (self.listing, sku_join_keys(table, self.listing)) if through_sku else (rows.rows, events.on)
        joined = table.inner_join(rows.within(entities).select(*keys, rows.column), list(keys))
        known = joined.filter(known_before(joined, day))
        return known.mutate(as_of=day, age_days=day.delta(known.happened_on, unit="day"))

    def _read(self, rows: "ir.Table") -> pl.DataFrame:
        frame = pl.from_arrow(self.backend.to_pyarrow(rows))
        assert isinstance(frame, pl.DataFrame)
        return frame


@contextmanager
def catalogue_features(
    snapshot: SnapshotDate, features: Sequence[Feature] | None = None
) -> Iterator[CatalogueFeatures]:
    """The features of the entities that any of these `features` (None: all) belong to, numbered inside the context."""
    entities = {feature.entity for feature in features or features_of(snapshot.reference).features}
    with enumerate_entities(snapshot.tables, snapshot.as_of, entities) as (listing, rows):
        yield CatalogueFeatures(snapshot, listing, rows)
