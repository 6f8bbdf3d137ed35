"""Orders of the sample marketplace, and the harm that the goods sold did to their buyers."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data.marketplace.catalogue import markets, sku_ids
from data.marketplace.categories import categories, hazards, per_category
from data.marketplace.compliance import World
from data.marketplace.days import written_days
from data.marketplace.draws import Integers, stream

ROWS_SCALE, ROWS_POWER, ROWS_LIMIT = 1.25, 0.55, 400
HARM_PER_UNIT, BACKGROUND_PER_UNIT = 0.06, 0.0005


@dataclass(frozen=True)
class Sales:
    """Days on which listings sold: listing row, day, units, and how many buyers were harmed or nearly so.

    `own_harm` counts buyers who met the listing's hazard, `other_harm` those who complain of something that is not
    wrong with the product.
    """

    row: Integers
    day: Integers
    units: Integers
    own_harm: Integers
    other_harm: Integers

    def __len__(self) -> int:
        return len(self.row)


def draw_sales(world: World, rows: Integers, mended_on: Integers, chunk: int) -> Sales:
    """The sales of these listings: heavy-tailed, seasonal; harm follows the state of the listing on that day."""
    rng = stream(world.seed, "orders", chunk)
    demand, first = world.period.demand, world.period.start
    category = world.products.category[world.listings.product[rows]]
    season = np.array([int(c.seasonal) for c in categories()])[category]
    begin = np.maximum(world.listings.listed[rows], first) - first
    before, total = demand[season, begin], demand[season, -1]
    expected = world.listings.units_a_day[rows] * np.maximum(total - before, 0.0)
    count = np.minimum(rng.poisson(ROWS_SCALE * expected**ROWS_POWER), ROWS_LIMIT)
    entry = np.repeat(np.arange(len(rows)), count)
    asked = before[entry] + rng.random(len(entry)) * (total - before)[entry]
    day = np.empty(len(entry), dtype=np.int64)
    for kind in (0, 1):
        of_kind = season[entry] == kind
        day[of_kind] = np.searchsorted(demand[kind], asked[of_kind], side="right") - 1
    day = first + np.minimum(day, world.period.days)
    key = np.unique(entry * 100_000 + day)
    entry, day = key // 100_000, key % 100_000
    mean = expected / np.maximum(count, 1)
    units = 1 + rng.poisson(np.maximum(mean[entry] - 1, 0.05))
    row = rows[entry]
    own, other = _harm(rng, world, (row, day, units), mended_on)
    return Sales(row, day, units, own, other)


def _harm(
    rng: np.random.Generator, world: World, sold: tuple[Integers, Integers, Integers], mended_on: Integers
) -> tuple[Integers, Integers]:
    """How many buyers met the listing's hazard, and how many complain without cause."""
    row, day, units = sold
    product = world.listings.product[row]
    visibility = np.array([hazard.visibility for hazard in hazards()])[world.products.hazard[product]]
    noticed = per_category([c.detectability for c in categories()])[world.products.category[product]]
    state = world.non_compliant(row, world.period.quarter_of(day)) & (mended_on[product] > day)
    rate = HARM_PER_UNIT * visibility * noticed * world.products.batch_share[product] * state
    return rng.poisson(units * rate), rng.poisson(units * BACKGROUND_PER_UNIT)


def orders_table(world: World, sales: Sales) -> pa.Table:
    """The contract's orders."""
    return pa.table({
        "sku_id": sku_ids(world, sales.row),
        "market": markets(world, sales.row),
        "happened_on": written_days(sales.day),
        "units": sales.units,
    })  # fmt: skip
