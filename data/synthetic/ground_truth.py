"""What is true in the sample marketplace: who is non-compliant, when, and how likely a test is to find it.

Chance enters in a fixed order. Latent quality, factory, papers, price and noise give each listing its probability of
being non-compliant in a quarter, `p_technical`. One coin per listing (`fate`), thrown once, decides: the listing is
non-compliant in the quarters where its probability exceeds the coin. So repeated tests agree, and returns and reviews,
which the hazards cause, tell about the coin and not only about the probability. Therefore two truths are written:

- `p_fail`: the probability that a test fails **given the coin** (state, share of bad batches, how the sample is got);
  nothing can know more, so no honest score has a higher expected AUC.
- `p_prior`: the same probability **before the coin**; what listing, supplier and category facts can tell at most.
  A score may pass it without a leak only by what tests, returns and reviews of the listing itself revealed.

Only tests and the simulation may read the truth files.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.synthetic.listings import BATCH_ONLY_SHARE, Listings, Products
from data.synthetic.randomness import Floats, Integers, SimulatedPeriod, Truths, logistic
from data.synthetic.suppliers import Suppliers
from data.synthetic.vocabulary import MARKETS, categories, hazards, per_category

ORIGINS = ("mystery_shopper", "warehouse", "customs", "complaint", "supplier_provided")
PASSED_ALTHOUGH_BAD = np.array([0.08, 0.15, 0.08, 0.08, 0.75])
FALSE_FAIL = 0.01
PAPER_EFFECT = np.log(np.array([1.0, 0.8, 1.6, 1.12, 1.76, 4.0, 2.4]))
MARKET_EFFECT = np.array([0.0, -0.15, 0.05, -0.10, 0.10])
NEW_LISTING_DAYS = 180
SUBSAMPLE = 200_000
# Bad in a mean share of .5 of the batches for those that are bad in some only.
MEAN_BATCH_SHARE = 1 - BATCH_ONLY_SHARE * 0.5


@dataclass(frozen=True)
class World:
    """Everything latent: suppliers, their products, the listings, the period and the category intercepts."""

    seed: int
    period: SimulatedPeriod
    suppliers: Suppliers
    products: Products
    listings: Listings
    intercepts: Floats

    def margin(self, rows: Integers, quarter: Integers | int) -> Floats:
        """The log-odds of being non-compliant of these listings in this quarter (one, or one per row)."""
        category = self.products.category[self.listings.product[rows]]
        return self.intercepts[category] + _effects(self, rows, quarter)

    def p_technical(self, rows: Integers, quarter: Integers | int) -> Floats:
        """The probability of being non-compliant, before the coin."""
        return logistic(self.margin(rows, quarter))

    def non_compliant(self, rows: Integers, quarter: Integers | int) -> Truths:
        """Whether the listings are non-compliant in this quarter; corrective actions are not counted here."""
        return np.asarray(self.p_technical(rows, quarter) > self.listings.fate[rows])


def _effects(world: World, rows: Integers, quarter: Integers | int) -> Floats:
    product = world.listings.product[rows]
    supplier = world.products.supplier[product]
    day = world.period.start + np.asarray(quarter) * 91
    new = (day - world.listings.listed[rows]) < NEW_LISTING_DAYS
    return np.asarray(
        MARKET_EFFECT[world.listings.market[rows]]
        + 0.9 * world.suppliers.quality[supplier, quarter]
        + 0.5 * world.suppliers.factory_effect[world.products.factory[product]]
        - 0.35 * world.products.price_deviation[product]
        + 0.4 * new
        + PAPER_EFFECT[world.products.paper[product]]
        + 0.3 * ~world.listings.responsible_person[rows]
        + 0.25 * (world.products.changed_in[product] <= quarter)
        + world.products.flaw[product]
    )


def calibrate_intercepts(world: World) -> World:
    """The world with category intercepts such that each category has its stated technical prevalence."""
    rows = np.arange(min(len(world.listings), SUBSAMPLE))
    effects = _effects(world, rows, world.period.quarters // 2)
    code = world.products.category[world.listings.product[rows]]
    target = per_category([category.prevalence["technical"] for category in categories()])
    intercepts = np.array([_intercept(effects[code == i], prevalence) for i, prevalence in enumerate(target)])
    return World(world.seed, world.period, world.suppliers, world.products, world.listings, intercepts)


def _intercept(effects: Floats, prevalence: float) -> float:
    """The intercept at which the mean probability is `prevalence`, by bisection."""
    low, high = -12.0, 8.0
    if not len(effects):
        return float(np.log(prevalence / (1 - prevalence)))
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if logistic(effects + middle).mean() < prevalence else (low, middle)
    return (low + high) / 2


def p_fail_given(state: Truths, batch_share: Floats, origin: Integers) -> Floats:
    """The probability that a test fails, the state known; a supplier's own sample is never from a bad batch only."""
    share = np.where(origin == ORIGINS.index("supplier_provided"), 1.0, batch_share)
    p_found = share * (1 - PASSED_ALTHOUGH_BAD[origin]) + (1 - share) * FALSE_FAIL
    return np.where(state, p_found, FALSE_FAIL)


def p_fail_before(p_technical: Floats, origin: Integers) -> Floats:
    """The probability that a test fails, before the coin is thrown."""
    share = np.where(origin == ORIGINS.index("supplier_provided"), 1.0, MEAN_BATCH_SHARE)
    p_found = share * (1 - PASSED_ALTHOUGH_BAD[origin]) + (1 - share) * FALSE_FAIL
    return np.asarray(p_technical * p_found + (1 - p_technical) * FALSE_FAIL)


def truth_table(
    world: World, rows: Integers, mended_on: npt.NDArray[np.int64], sku_id: pa.Array, supplier_id: pa.Array
) -> pa.Table:
    """The truth of these listings in the week after the last day, for a mystery shopper's sample.

    `mended_on` is the day from which an effective corrective action holds, per product; `sku_id` and `supplier_id`
    name the rows. Only tests and the simulation may read it.
    """
    product = world.listings.product[rows]
    quarter = world.period.quarters - 1
    mended = mended_on[product] <= world.period.until
    p_technical = np.where(mended, 0.0, world.p_technical(rows, quarter))
    state = world.non_compliant(rows, quarter) & ~mended
    origin = np.zeros(len(rows), dtype=np.int64)
    return pa.table({
        "sku_id": sku_id,
        "market": pa.array(MARKETS).take(pa.array(world.listings.market[rows])),
        "supplier_id": supplier_id,
        "p_fail": p_fail_given(state, world.products.batch_share[product], origin),
        "p_prior": p_fail_before(p_technical, origin),
        "p_technical": p_technical,
        "non_compliant": pa.array(state),
        "batch_share": world.products.batch_share[product],
        "hazard": pa.array([hazard.name for hazard in hazards()]).take(pa.array(world.products.hazard[product])),
        "severity": pa.array(["minor", "major", "critical"]).take(pa.array(world.products.severity[product])),
        "supplier_quality": world.suppliers.quality[world.products.supplier[product], quarter],
        "factory_effect": world.suppliers.factory_effect[world.products.factory[product]],
        "units_a_day": world.listings.units_a_day[rows],
    })  # fmt: skip
