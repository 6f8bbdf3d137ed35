"""Orders of the sample marketplace, and the harm that the goods sold did to their buyers."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data.synthetic.ground_truth import World
from data.synthetic.listings import CRITICAL
from data.synthetic.randomness import (
    NUMBER_SPAN,
    Floats,
    Integers,
    choose,
    format_days,
    identifiers,
    pick,
    random_stream,
)
from data.synthetic.skus import markets, sku_ids
from data.synthetic.vocabulary import categories, hazards, per_category

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
    rng = random_stream(world.seed, "orders", chunk)
    demand, first = world.period.demand, world.period.start
    category = world.products.category[world.listings.product[rows]]
    season = np.array([int(c.seasonal) for c in categories()])[category]
    begin = np.maximum(world.listings.listed[rows], first) - first
    before, total = demand[season, begin], demand[season, -1]
    expected = world.listings.units_a_day[rows] * np.maximum(total - before, 0.0)
    days_with_sales = np.minimum(expected, ROWS_SCALE * expected**ROWS_POWER)
    count = np.minimum(rng.poisson(days_with_sales), ROWS_LIMIT)
    entry = np.repeat(np.arange(len(rows)), count)
    target = before[entry] + rng.random(len(entry)) * (total - before)[entry]
    day = np.empty(len(entry), dtype=np.int64)
    for kind in (0, 1):
        of_kind = season[entry] == kind
        day[of_kind] = np.searchsorted(demand[kind], target[of_kind], side="right") - 1
    day = first + np.minimum(day, world.period.days)
    key = np.unique(entry * 100_000 + day)
    entry, day = key // 100_000, key % 100_000
    mean = expected / np.maximum(count, 1)
    units = 1 + rng.poisson(np.maximum(mean[entry] - 1, 0.05))
    row = rows[entry]
    own = rng.poisson(units * _harm_per_unit(world, row, day, mended_on))
    return Sales(row, day, units, own, rng.poisson(units * BACKGROUND_PER_UNIT))


def _harm_per_unit(world: World, row: Integers, day: Integers, mended_on: Integers) -> Floats:
    """How many buyers of one unit meet the listing's hazard and complain."""
    product = world.listings.product[row]
    visibility = np.array([hazard.visibility for hazard in hazards()])[world.products.hazard[product]]
    noticed = per_category([c.detectability for c in categories()])[world.products.category[product]]
    state = world.non_compliant(row, world.period.quarter_of(day)) & (mended_on[product] > day)
    return np.asarray(HARM_PER_UNIT * visibility * noticed * world.products.batch_share[product] * state)


def orders_table(world: World, sales: Sales) -> pa.Table:
    """The contract's orders."""
    return pa.table({
        "sku_id": sku_ids(world, sales.row),
        "market": markets(world, sales.row),
        "happened_on": format_days(sales.day),
        "units": sales.units,
    })  # fmt: skip


REASONS = (
    "size_fit", "not_as_described", "defective", "damaged_in_transit", "safety_concern", "allergic_reaction",
    "counterfeit_suspected", "changed_mind", "other",
)  # fmt: skip
ORDINARY = (0.02, 0.26, 0.22, 0.16, 0.002, 0.001, 0.012, 0.24, 0.085)
WORN = (0.42, 0.22, 0.08, 0.06, 0.0005, 0.0015, 0.008, 0.16, 0.05)
WORN_CATEGORIES = ("apparel_adult", "apparel_children")
UNITS_PER_RETURN = 3.2
HARMED_WHO_RETURN = 0.35


def returns_table(world: World, sales: Sales, chunk: int) -> pa.Table:
    """The contract's returns of these sales: 3 to 40 days after the order, those recorded by the last day."""
    rng = random_stream(world.seed, "returns", chunk)
    source, reason, units = _draw_ordinary_returns(rng, world, sales)
    harmed, harm_reason = _draw_harm_returns(rng, world, sales)
    source = np.concatenate([source, harmed])
    reason = np.concatenate([reason, harm_reason])
    units = np.concatenate([units, np.ones(len(harmed), dtype=np.int64)])
    happened = sales.day[source] + rng.integers(3, 41, len(source))
    known = happened + rng.integers(0, 11, len(source))
    selected = rng.permutation(np.flatnonzero(known <= world.period.until))
    row = sales.row[source[selected]]
    return pa.table({
        "return_id": identifiers("B", chunk * NUMBER_SPAN + np.arange(len(selected)), world.seed),
        "sku_id": sku_ids(world, row),
        "market": markets(world, row),
        "happened_on": format_days(happened[selected]),
        "known_on": format_days(known[selected]),
        "units": units[selected],
        "reason": pa.array(REASONS).take(pa.array(reason[selected])),
    })  # fmt: skip


def _draw_ordinary_returns(rng: np.random.Generator, world: World, sales: Sales) -> tuple[Integers, Integers, Integers]:
    """Sales that lead to an ordinary return, its reason code and units; bad suppliers' goods come back more."""
    product = world.listings.product[sales.row]
    category = world.products.category[product]
    quality = world.suppliers.quality[world.products.supplier[product], world.period.quarter_of(sales.day)]
    rate = per_category([c.return_rate for c in categories()])[category] * np.exp(0.12 * quality)
    count = rng.poisson(sales.units * rate / UNITS_PER_RETURN)
    source = np.repeat(np.arange(len(sales)), count)
    worn = np.array([int(c.name in WORN_CATEGORIES) for c in categories()])[category[source]]
    shares = np.array([ORDINARY, WORN])
    reason = choose(rng, np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1), worn)
    units = 1 + np.minimum(rng.poisson(UNITS_PER_RETURN - 1, len(source)), sales.units[source] - 1)
    return source, reason, units


def _draw_harm_returns(rng: np.random.Generator, world: World, sales: Sales) -> tuple[Integers, Integers]:
    """Sales whose harmed buyers send the goods back, and the reason they give for it."""
    count = rng.binomial(sales.own_harm + sales.other_harm, HARMED_WHO_RETURN)
    source = np.repeat(np.arange(len(sales)), count)
    topics = [hazard.topic for hazard in hazards()]
    hazard = world.products.hazard[world.listings.product[sales.row[source]]]
    chemical = np.array([topic == "chemical" for topic in topics])[hazard]
    feeble = np.array([topic in ("performance", "function", "noise") for topic in topics])[hazard]
    chance = rng.random(len(source))
    safety, defective = REASONS.index("safety_concern"), REASONS.index("defective")
    reason = np.where(chance < 0.6, safety, defective)
    reason = np.where(chemical, np.where(chance < 0.7, REASONS.index("allergic_reaction"), safety), reason)
    feeble_reason = np.where(chance < 0.15, safety, np.where(chance < 0.8, defective, 1))
    return source, np.where(feeble, feeble_reason, reason)


REPORTED = 0.05
# Injury severity from none to fatal, ordinary and for hazards that would fail a test critically.
SEVERITY_SHARES = ((0.62, 0.30, 0.06, 0.02, 0.0), (0.42, 0.34, 0.15, 0.085, 0.005))
# Consumers report 42 days after the purchase at the median, some after more than a year.
DELAY_MEDIAN_DAYS, DELAY_LOG_SD = 42.0, 1.2


def incidents_table(world: World, sales: Sales, chunk: int) -> pa.Table:
    """The contract's incidents among these sales, those reported by the last day."""
    rng = random_stream(world.seed, "incidents", chunk)
    harmed = np.repeat(np.arange(len(sales)), rng.binomial(sales.own_harm, REPORTED))
    alleged = np.repeat(np.arange(len(sales)), rng.binomial(sales.other_harm, REPORTED / 2))
    source = np.concatenate([harmed, alleged])
    product = world.listings.product[sales.row[source]]
    delay = DELAY_MEDIAN_DAYS * np.exp(DELAY_LOG_SD * rng.standard_normal(len(source)))
    happened = sales.day[source] + np.minimum(delay, 600).astype(np.int64)
    known = happened + rng.integers(1, 61, len(source))
    critical = world.products.severity[product] == CRITICAL
    severity = np.where(critical, *(pick(rng, shares, len(source)) for shares in SEVERITY_SHARES[::-1]))
    selected = rng.permutation(np.flatnonzero(known <= world.period.until))
    row = sales.row[source[selected]]
    hazard = pa.array([hazard.name for hazard in hazards()]).take(pa.array(world.products.hazard[product[selected]]))
    return pa.table({
        "incident_id": identifiers("I", chunk * NUMBER_SPAN + np.arange(len(selected)), world.seed),
        "sku_id": sku_ids(world, row),
        "market": markets(world, row),
        "happened_on": format_days(happened[selected]),
        "known_on": format_days(known[selected]),
        "hazard": hazard,
        "injury_severity": severity[selected],
    })  # fmt: skip
