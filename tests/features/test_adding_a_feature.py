"""A feature added as the room's README says is answered by every executor, whatever its entity and its verbs."""

from collections.abc import Callable
from typing import Any

import ibis
import numpy as np
import pytest

from features.definition import (
    KEYS,
    Entity,
    EventSource,
    Feature,
    count,
    days_since_last,
    distinct,
    share,
    smoothed,
    total,
    within,
)
from features.groups.lab_history import clear_tests, entity_keys
from features.groups.reviews import read_reviews
from features.groups.sales_and_returns import FLOW, sales_and_returns
from features.point_in_time import point_in_time_join
from features.snapshot.entities import SnapshotDate
from features.snapshot.matrices import catalogue_features
from tests.features.small_world import AS_OF, REFERENCE, SmallWorld, random_rows

Value = Callable[[Any, Any], Any]
SOURCES: dict[str, tuple[Any, tuple[str, ...], list[Value]]] = {
    "lab_tests": (clear_tests, (), [
        lambda seen, _: count(seen.independent & within(seen, 300)),
        lambda seen, _: days_since_last(seen, seen.failed).sqrt(),
        lambda seen, reference: smoothed(count(seen.failed), count(seen.independent), reference.prior("sku_fail")),
    ]),
    "returns": (sales_and_returns, FLOW, [
        lambda seen, _: total(seen.safety, within(seen, 200)),
        lambda seen, _: 1000 * share(total(seen.returned, within(seen, 365)), total(seen.sold, within(seen, 365))),
    ]),
    "reviews": (read_reviews, (), [
        lambda seen, _: distinct(seen.copy_key, within(seen, 365)),
        lambda seen, _: distinct(seen.text_key, seen.verified),
        lambda seen, _: seen.rating.max(where=seen.hazard).fill_null(0) - seen.rating.min(),
    ]),
}  # fmt: skip


def added(entity: Entity, table: str) -> list[Feature]:
    """New features of the entity over the rows of one table, which are of SKUs."""
    rows, added_by_day, values = SOURCES[table]
    source = EventSource(f"{table} of the {entity}", (table,), KEYS[entity], rows, added_by_day)
    return [
        Feature(
            name=f"{entity}_new_{number}", meaning="new", unit="count", group="supplier history", entity=entity,
            direction=0, sentence="{value}.", missing="Unknown.", source=source, value=value,
        ) for number, value in enumerate(values)
    ]  # fmt: skip


@pytest.mark.parametrize("table", SOURCES)
@pytest.mark.parametrize("entity", KEYS)
def test_a_new_feature_of_any_entity_is_the_same_joined_and_grouped(
    world: SmallWorld, entity: Entity, table: str
) -> None:
    """Nothing but the declaration is needed, and both executors agree to the last bit."""
    world.features(random_rows(9, 150), [])
    features, keys = added(entity, table), list(KEYS[entity])
    with catalogue_features(SnapshotDate(AS_OF, world.tables, REFERENCE), features) as catalogue:
        rows = catalogue.entities[entity]
        grouped = catalogue.matrix(rows, features)
        order = catalogue.backend.to_pyarrow(rows.rows.order_by(rows.column).select(*keys)).to_pylist()
    days = entity_keys(world.tables).drop_null(keys).select(*keys).distinct().mutate(as_of=ibis.literal(AS_OF))
    joined = world.backend.to_pyarrow(point_in_time_join(days, world.tables, REFERENCE, features)).to_pylist()
    by_key = {tuple(row[key] for key in keys): [row[feature.name] for feature in features] for row in joined}
    expected = [by_key[tuple(row.values())] for row in order]
    np.testing.assert_array_equal(grouped, np.array(expected, dtype=float))
    assert all(np.nanmax(column) > 0 for column in grouped.T)
