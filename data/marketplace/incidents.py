"""Incidents of the sample marketplace: the harm that was reported."""

import numpy as np
import pyarrow as pa

from data.marketplace.catalogue import markets, sku_ids
from data.marketplace.categories import hazards
from data.marketplace.compliance import World
from data.marketplace.days import written_days
from data.marketplace.draws import pick, stream
from data.marketplace.identifiers import NUMBER_SPAN, identifiers
from data.marketplace.orders import Sales
from data.marketplace.products import CRITICAL

REPORTED = 0.05
# Injury severity from none to fatal, ordinary and for hazards that would fail a test critically.
SEVERITY_SHARES = ((0.62, 0.30, 0.06, 0.02, 0.0), (0.42, 0.34, 0.15, 0.085, 0.005))
# Consumers report 42 days after the purchase at the median, some after more than a year.
DELAY_MEDIAN_DAYS, DELAY_LOG_SD = 42.0, 1.2


def incidents_table(world: World, sales: Sales, chunk: int) -> pa.Table:
    """The contract's incidents among these sales, those reported by the last day."""
    rng = stream(world.seed, "incidents", chunk)
    harmed = np.repeat(np.arange(len(sales)), rng.binomial(sales.own_harm, REPORTED))
    alleged = np.repeat(np.arange(len(sales)), rng.binomial(sales.other_harm, REPORTED / 2))
    source = np.concatenate([harmed, alleged])
    product = world.listings.product[sales.row[source]]
    delay = DELAY_MEDIAN_DAYS * np.exp(DELAY_LOG_SD * rng.standard_normal(len(source)))
    happened = sales.day[source] + np.minimum(delay, 600).astype(np.int64)
    known = happened + rng.integers(1, 61, len(source))
    critical = world.products.severity[product] == CRITICAL
    severity = np.where(critical, *(pick(rng, shares, len(source)) for shares in SEVERITY_SHARES[::-1]))
    kept = rng.permutation(np.flatnonzero(known <= world.period.until))
    row = sales.row[source[kept]]
    hazard = pa.array([hazard.name for hazard in hazards()]).take(pa.array(world.products.hazard[product[kept]]))
    return pa.table({
        "incident_id": identifiers("I", chunk * NUMBER_SPAN + np.arange(len(kept)), world.seed),
        "sku_id": sku_ids(world, row),
        "market": markets(world, row),
        "happened_on": written_days(happened[kept]),
        "known_on": written_days(known[kept]),
        "hazard": hazard,
        "injury_severity": severity[kept],
    })  # fmt: skip
