"""Public alerts of the sample marketplace, and the numbers by which its products are known."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.synthetic.ground_truth import World
from data.synthetic.listings import has_brand
from data.synthetic.randomness import Integers, Truths, format_days, identifiers, pick, random_stream
from data.synthetic.skus import brands, gtins, model_numbers, titles
from data.synthetic.suppliers import brand_owner
from data.synthetic.vocabulary import categories, hazards

REGISTERS, REGISTER_SHARES = ("EU Safety Gate", "US CPSC", "UK OPSS"), (0.6, 0.25, 0.15)
RISK_LEVELS, MEASURES = ("serious risk", "other risk"), ("recall", "withdrawal from the market", "ban of sales")
ALERTED_BAD, ALERTED_GOOD, NOT_SOLD_HERE = 0.08, 0.004, 0.5
BY_GTIN, BY_MODEL = 0.35, 0.30
REPORTING_DAYS = 4


@dataclass(frozen=True)
class _Alerted:
    """Products under an alert and the days it was published; `foreign` are goods that nobody sells here."""

    product: Integers
    day: Integers
    foreign: Truths


def alerts_table(world: World) -> pa.Table:
    """The contract's alerts: of products that are non-compliant on the day, of some that are not, of goods unknown."""
    rng = random_stream(world.seed, "alerts")
    drawn = _draw_alerted(rng, world)
    known = drawn.day + rng.integers(0, REPORTING_DAYS, len(drawn.day))
    way = rng.random(len(known))
    made, product = world.products, drawn.product
    missing = pa.scalar(None, pa.string())
    carries = has_brand(made, world.suppliers)[product]
    own = pc.if_else(pa.array(carries), brands(brand_owner(world.suppliers, made.supplier[product])), missing)
    others = pc.binary_join_element_wise(pa.scalar("Quo"), brands(product), "")
    number = np.where(drawn.foreign, len(made) + np.arange(len(product)), product)
    alert_ids = identifiers("W", np.arange(len(known)), world.seed)
    table = pa.table({
        "alert_id": alert_ids,
        "happened_on": format_days(drawn.day),
        "known_on": format_days(known),
        "register": pa.array(REGISTERS).take(pa.array(pick(rng, REGISTER_SHARES, len(known)))),
        "title": _register_titles(world, drawn),
        "brand": pc.if_else(pa.array(drawn.foreign), others, own),
        "gtin": pc.if_else(pa.array(way < BY_GTIN), gtins(number, world.seed), missing),
        "model": pc.if_else(
            pa.array((way >= BY_GTIN) & (way < BY_GTIN + BY_MODEL)), model_numbers(number, world.seed), missing
        ),
        "category": pa.array([c.name for c in categories()]).take(pa.array(made.category[product])),
        "hazard": pa.array([hazard.name for hazard in hazards()]).take(pa.array(made.hazard[product])),
        "risk_level": pa.array(RISK_LEVELS).take(pa.array(pick(rng, (0.8, 0.2), len(known)))),
        "measure": pa.array(MEASURES).take(pa.array(rng.integers(0, len(MEASURES), len(known)))),
        "country_of_origin": pa.nulls(len(known), pa.string()),
        "url": pc.binary_join_element_wise(pa.scalar("https://alerts.example/"), alert_ids, ""),
        "market": pa.nulls(len(known), pa.string()),
        "sku_id": pa.nulls(len(known), pa.string()),
    })  # fmt: skip
    return table.take(pa.array(np.flatnonzero(known <= world.period.until)))


def _draw_alerted(rng: np.random.Generator, world: World) -> _Alerted:
    products, row = np.unique(world.listings.product, return_index=True)
    earliest = np.maximum(world.listings.listed[row] + 1, world.period.start)
    day = earliest + (rng.random(len(products)) * (world.period.until - earliest)).astype(np.int64)
    bad = world.non_compliant(row, world.period.quarter_of(day))
    alerted = np.flatnonzero(rng.random(len(products)) < np.where(bad, ALERTED_BAD, ALERTED_GOOD))
    foreign = alerted[rng.random(len(alerted)) < NOT_SOLD_HERE]
    chosen = np.concatenate([alerted, foreign])
    order = rng.permutation(len(chosen))
    is_foreign = np.arange(len(chosen)) >= len(alerted)
    return _Alerted(products[chosen][order], day[chosen][order], is_foreign[order])


def _register_titles(world: World, drawn: _Alerted) -> pa.Array:
    """The product's own title; goods that nobody sells here have the words of another product."""
    others = (drawn.product * 7919 + 13) % len(world.products)
    return titles(world, np.where(drawn.foreign, others, drawn.product))
