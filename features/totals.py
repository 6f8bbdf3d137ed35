"""What the events of a day's past add up to for every entity of the catalogue, each table of events read once."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data.codes import SKU_CODE, SKU_KEY, coded_events
from features.arithmetic import evaluate, is_arithmetic
from features.feature import Entity, Feature
from features.laboratory import clear_tests, decided_tests
from features.places import Places, place_of
from features.prepared import Rows
from features.reductions import Found, Reduced, reductions_in, term_of
from features.reviews import read_reviews, reviews_of_owners
from features.sales import of_suppliers, sales_and_returns
from features.source import Events, passes, values_of

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends import BaseBackend

    from features.morning import Morning

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
    with ThreadPoolExecutor(1) as adder, ThreadPoolExecutor() as counters:
        found: dict[tuple[Rows, Entity], Future[Totals]] = {}
        for rows, asked in _families(morning, owners, features).items():
            events = rows(morning.tables)
            if SKU_CODE not in events.columns and set(SKU_KEY) <= set(events.columns):
                events = coded_events(events, owners.listing)
            if SKU_CODE in events.columns:
                found |= _of_skus(adder, counters, morning, owners, events, asked)
            else:
                for source, few in asked.items():
                    found |= _of_one(adder, morning, owners.places[few[0].entity], events, source, few)
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


def _of_skus(
    adder: Executor, counters: Executor, morning: "Morning", owners: Owners, events: "ir.Table",
    asked: Mapping[Events, Sequence[Feature]],
) -> Mapping[tuple[Rows, Entity], "Future[Totals]"]:  # fmt: skip
    seen = _seen(events, morning)
    values = {source: values_of(seen, morning.reference, features) for source, features in asked.items()}
    reduced = _reduced([value for found in values.values() for value in found.values()], len(owners))
    if reduced is None:
        return {}
    reduced.read(adder, morning.tables.backend, seen, SKU_CODE, owners.skus)

    def of(entity: Entity, source: Events) -> Totals:
        if entity == "sku":
            return Totals(values[source], reduced.of_places())
        return Totals(values[source], reduced.of_owners(owners.of_skus(entity), owners.places[entity].stop))

    entities = {source: features[0].entity for source, features in asked.items()}
    return {(source.rows, entity): counters.submit(of, entity, source) for source, entity in entities.items()}


def _of_one(
    adder: Executor, morning: "Morning", places: Places, events: "ir.Table", source: Events,
    features: Sequence[Feature],
) -> Mapping[tuple[Rows, Entity], "Future[Totals]"]:  # fmt: skip
    seen = _seen(places.found_in(events, source.on), morning)
    values = values_of(seen, morning.reference, features)
    reduced = _reduced(values.values(), places.stop)
    if reduced is None:
        return {}
    reduced.read(adder, morning.tables.backend, seen, places.column, None)
    return {(source.rows, places.entity): adder.submit(lambda: Totals(values, reduced.of_places()))}


def _reduced(values: "Iterable[ir.Value]", size: int) -> Reduced | None:
    """A place for the reductions of `values`, unless these take more than adding up and arithmetic."""
    values = list(values)
    terms = {reduction: term_of(reduction) for reduction in reductions_in(values)}
    known = {reduction: term for reduction, term in terms.items() if term is not None}
    return Reduced(known, size) if len(known) == len(terms) and is_arithmetic(values) else None


def _seen(events: "ir.Table", morning: "Morning") -> "ir.Table":
    known = events.filter(events.known_on < morning.as_of)
    return known.mutate(as_of=morning.day, age_days=morning.day.delta(known.happened_on, unit="day"))
