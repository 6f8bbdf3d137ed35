"""What the features say of an entity of which nothing has happened yet."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from features.catalogue import CATALOGUE
from features.source import NOBODY, Events, passes

if TYPE_CHECKING:
    from features.matrices import Laid


def unseen_values(catalogue: "Laid") -> Mapping[str, float | None]:
    """Each feature of an entity without any event: a count is 0, a shrunk rate the usual one; None where unknown."""
    values: dict[str, float | None] = {feature.name: None for feature in CATALOGUE}
    for entity, places in catalogue.places.items():
        features = [feature for feature in CATALOGUE if feature.entity == entity]
        for source, asked in passes(features, catalogue.morning.tables).items():
            if isinstance(source, Events):
                rows = catalogue.backend.to_pyarrow(source.measured_on(catalogue.morning, places.span(0, 0), asked))
                (row,) = [row for row in rows.to_pylist() if row[places.column] == NOBODY]
                values |= {feature.name: row[feature.name] for feature in asked}
    return values
