"""Returns of the sample marketplace: ordinary regrets, worse goods, and harm."""

import numpy as np
import pyarrow as pa

from data.marketplace.catalogue import markets, sku_ids
from data.marketplace.categories import categories, hazards, per_category
from data.marketplace.compliance import World
from data.marketplace.days import written_days
from data.marketplace.draws import Integers, choose, stream
from data.marketplace.identifiers import NUMBER_SPAN, identifiers
from data.marketplace.orders import Sales

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
    rng = stream(world.seed, "returns", chunk)
    source, reason, units = _ordinary(rng, world, sales)
    harmed, harm_reason = _harmed(rng, world, sales)
    source = np.concatenate([source, harmed])
    reason = np.concatenate([reason, harm_reason])
    units = np.concatenate([units, np.ones(len(harmed), dtype=np.int64)])
    happened = sales.day[source] + rng.integers(3, 41, len(source))
    known = happened + rng.integers(0, 11, len(source))
    kept = rng.permutation(np.flatnonzero(known <= world.period.until))
    row = sales.row[source[kept]]
    return pa.table({
        "return_id": identifiers("B", chunk * NUMBER_SPAN + np.arange(len(kept)), world.seed),
        "sku_id": sku_ids(world, row),
        "market": markets(world, row),
        "happened_on": written_days(happened[kept]),
        "known_on": written_days(known[kept]),
        "units": units[kept],
        "reason": pa.array(REASONS).take(pa.array(reason[kept])),
    })  # fmt: skip


def _ordinary(rng: np.random.Generator, world: World, sales: Sales) -> tuple[Integers, Integers, Integers]:
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


def _harmed(rng: np.random.Generator, world: World, sales: Sales) -> tuple[Integers, Integers]:
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
