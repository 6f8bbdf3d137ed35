"""What the events of a day's past add up to for every entity of the catalogue, each table of events read once."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data.lake.surrogate_keys import SKU_CODE, SKU_KEY, join_sku_codes
from features.arithmetic import evaluate, is_arithmetic
from features.definition import Entity, Events, Feature, Rows, passes, values_of
from features.groups.lab_history import clear_tests, decided_tests
from features.groups.reviews import read_reviews, reviews_of_owners
from features.groups.sales_and_returns import of_suppliers, sales_and_returns
from features.reductions import Found, Placed, Reduced, reductions_in, term_of
from features.snapshot.entities import Places, place_of

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends import BaseBackend

    from features.snapshot.entities import Morning

MADE_OF: Mapping[Rows, Rows] = {
    of_suppliers: sales_and_returns, reviews_of_owners: read_reviews, decided_tests: clear_tests
}  # fmt: skip
"""Events of owners by those of SKUs that they consist of."""
Values = Mapping[str, "ir.Value"]


@dataclass(frozen=True)
class Totals:
    """The features over some events, and what the reductions in them come to at every place of an entity."""

    values: Values
    found: Found

    def write(self, columns: Mapping[str, NDArray[np.float64]], start: int) -> None:
        """Write each feature, as long as its column is, from the place `start` on."""
        evaluate({name: self.values[name] for name in columns}, self.found, start, columns)


class Owners:
    """To whom SKUs belong: all of the `listing`, numbered."""

    def __init__(self, backend: "BaseBackend", listing: "ir.Table", places: Mapping[Entity, Places]) -> None:
        self.listing, self.places = listing, places
        columns = [place_of(entity) for entity in places]
        self._rows = backend.to_pyarrow(listing.select(SKU_CODE, *columns))
        self._place: NDArray[Any] = self._rows[place_of("sku")].to_numpy()
        code = self._rows[SKU_CODE].to_numpy()
        self.skus = np.full(int(code.max(initial=-1)) + 1, -1, dtype=np.int32)
        """The place of every SKU by its code."""
        self.skus[code] = self._place

    def __len__(self) -> int:
        return len(self._place)

    def of_skus(self, entity: Entity) -> NDArray[np.int32]:
        """The place of what each SKU belongs to, by the place of the SKU; -1 = to nothing."""
        owner = np.empty(len(self), dtype=np.int32)
        owner[self._place] = self._rows[place_of(entity)].fill_null(-1).to_numpy()
        return owner


def totals_of(morning: "Morning", owners: Owners, features: Sequence[Feature]) -> Mapping[tuple[Rows, Entity], Totals]:
    """What the events of each source and entity add up to; those of SKUs are read once for all whom they count for.

    A source that tells more than can be added up is left out.
    """
    with ThreadPoolExecutor(1) as asker, ThreadPoolExecutor(1) as adder, ThreadPoolExecutor() as counters:
        found: dict[tuple[Rows, Entity], Future[Totals]] = {}
        families = _families(morning, owners, features).items()
        for asking in [asker.submit(_readings, morning, owners, rows, asked) for rows, asked in families]:
            for reading in asking.result():
                reading.reduced.read(adder)
                found |= {(source.rows, entity): counters.submit(reading.totals, owners, source, entity)
                          for source, entity in reading.entities.items()}  # fmt: skip
        return {source: totals.result() for source, totals in found.items()}


def _families(
    morning: "Morning", owners: Owners, features: Sequence[Feature]
) -> Mapping[Rows, Mapping[Events, Sequence[Feature]]]:
    """The sources with their features, by the rows that they are read from.

    Rows that tell most features come first: what they say is counted while the others are read.
    """
    found: dict[Rows, dict[Events, Sequence[Feature]]] = {}
    for entity in owners.places:
        of_entity = [feature for feature in features if feature.entity == entity]
        for source, asked in passes(of_entity, morning.tables).items():
            if isinstance(source, Events):
                found.setdefault(MADE_OF.get(source.rows, source.rows), {})[source] = asked
    return dict(sorted(found.items(), key=lambda rows: -sum(map(len, rows[1].values()))))


@dataclass(frozen=True)
class _Reading:
    """Some events, added up by the places of `entity`, and the features that each source makes of them."""

    entity: Entity
    reduced: Reduced
    values: Mapping[Events, Values]
    entities: Mapping[Events, Entity]

    def totals(self, owners: Owners, source: Events, entity: Entity) -> Totals:
        """What they add up to for one kind of entity, once they are read."""
        if entity == self.entity:
            return Totals(self.values[source], self.reduced.of_places())
        return Totals(self.values[source], self.reduced.of_owners(owners.of_skus(entity), owners.places[entity].stop))


def _readings(
    morning: "Morning", owners: Owners, rows: Rows, asked: Mapping[Events, Sequence[Feature]]
) -> Sequence[_Reading]:
    """How to read the rows, those of SKUs once for all sources."""
    events = rows(morning.tables)
    if SKU_CODE not in events.columns and set(SKU_KEY) <= set(events.columns):
        events = join_sku_codes(events, owners.listing)
    if SKU_CODE in events.columns:
        return _reading(morning, "sku", Placed(events, SKU_CODE, owners.skus, len(owners)), asked)
    found: list[_Reading] = []
    for source, features in asked.items():
        places = owners.places[features[0].entity]
        placed = Placed(places.found_in(events, source.on), places.column, None, places.stop)
        found += _reading(morning, places.entity, placed, {source: features})
    return found


def _reading(
    morning: "Morning", entity: Entity, events: Placed, asked: Mapping[Events, Sequence[Feature]]
) -> Sequence[_Reading]:
    """How to read these events; nothing where features take more of them than adding up and arithmetic."""
    seen = replace(events, rows=_seen(events.rows, morning))
    values = {source: values_of(seen.rows, morning.reference, features) for source, features in asked.items()}
    every = [value for found in values.values() for value in found.values()]
    terms = {reduction: term_of(reduction) for reduction in reductions_in(every)}
    known = {reduction: term for reduction, term in terms.items() if term is not None}
    if len(known) < len(terms) or not is_arithmetic(every):
        return []
    entities = {source: features[0].entity for source, features in asked.items()}
    return [_Reading(entity, Reduced(known, morning.tables.backend, seen), values, entities)]


def _seen(events: "ir.Table", morning: "Morning") -> "ir.Table":
    known = events.filter(events.known_on < morning.as_of)
    return known.mutate(as_of=morning.day, age_days=morning.day.delta(known.happened_on, unit="day"))
