"""What is made for the sample marketplace: products with their price, papers, hidden flaws and selling points."""

from dataclasses import dataclass, fields

import numpy as np

from data.marketplace.categories import categories, hazard_mix, per_category
from data.marketplace.days import Period
from data.marketplace.draws import Floats, Integers, Truths, choose, pick, stream
from data.marketplace.suppliers import Suppliers

PAPERS = ("none", "valid", "out_of_scope", "expired", "unverifiable", "fake", "withdrawn")
PAPER_SHARES = (0.62, 0.14, 0.09, 0.07, 0.06, 0.02)
BATCH_ONLY_SHARE = 0.25
UNCHANGED = 99
MINOR, MAJOR, CRITICAL = 0, 1, 2


@dataclass(frozen=True)
class Products:
    """All products, one array entry each; a product is sold in one to three markets.

    `supplier`, `factory`, `category`, `paper`, `hazard` and `severity` are codes; `price_deviation` is the log price
    in standard deviations of its category; `flaw` the product's own log-odds noise and `coin` its standard normal
    fate; `batch_share` the share of batches that are bad if the product is; `changed_in` the quarter of a batch
    change. `design` is a random number that decides the words of the title.
    """

    supplier: Integers
    factory: Integers
    category: Integers
    paper: Integers
    price_eur: Floats
    price_deviation: Floats
    flaw: Floats
    coin: Floats
    batch_share: Floats
    changed_in: Integers
    hazard: Integers
    severity: Integers
    design: Integers
    listed: Integers

    def __len__(self) -> int:
        return len(self.supplier)


def draw_products(count: int, suppliers: Suppliers, period: Period, seed: int) -> Products:
    """`count` products; a supplier who returns under a new number sells copies of what the old one sold."""
    rng = stream(seed, "products")
    supplier = pick(rng, tuple(suppliers.weight), count)
    second = (rng.random(count) < 0.15).astype(np.int64)
    category = pick(rng, tuple(category.share for category in categories()), count)
    quality = suppliers.quality[supplier, 0]
    deviation = rng.standard_normal(count) * 0.97 - 0.25 * quality
    median = per_category([category.price_eur["median"] for category in categories()])
    spread = per_category([category.price_eur["log_sd"] for category in categories()])
    price = np.round(np.maximum(0.5, median[category] * np.exp(spread[category] * deviation)), 2)
    batch_only = rng.random(count) < BATCH_ONLY_SHARE
    earliest = np.maximum(suppliers.onboarded[supplier] + 5, period.start - 540)
    changed = rng.random(count) < 0.15
    drawn = Products(
        supplier=supplier,
        factory=suppliers.factories[supplier, second],
        category=category,
        paper=_papers(rng, category, quality),
        price_eur=price,
        price_deviation=deviation,
        flaw=rng.standard_normal(count) * 0.6,
        coin=rng.standard_normal(count),
        batch_share=np.where(batch_only, rng.uniform(0.3, 0.7, count), 1.0),
        changed_in=np.where(changed, rng.integers(1, max(2, period.quarters), count), UNCHANGED),
        hazard=choose(rng, np.cumsum(hazard_mix(), axis=1), category),
        severity=_severities(rng, category),
        design=rng.integers(0, 1 << 62, count),
        listed=earliest + (rng.random(count) * (period.until - earliest)).astype(np.int64),
    )
    return _with_copies(rng, drawn, suppliers, period)


def _papers(rng: np.random.Generator, category: Integers, quality: Floats) -> Integers:
    """The true state of the certificate of each product; bad suppliers hold fewer valid ones."""
    share = per_category([category.certificate_share for category in categories()])
    claimed = rng.random(len(category)) < share[category]
    # Worse than typical: the draw is pushed towards the end of the list, where the forged papers are.
    position = np.clip(rng.random(len(category)) ** np.exp(-0.2 * quality), 0, 1 - 1e-9)
    state = np.searchsorted(np.cumsum(PAPER_SHARES), position, side="right")
    return np.where(claimed, 1 + np.minimum(state, len(PAPER_SHARES) - 1), 0)


def _severities(rng: np.random.Generator, category: Integers) -> Integers:
    """How severe a failure of each product would be."""
    serious = per_category([c.prevalence["serious"] / c.prevalence["technical"] for c in categories()])[category]
    level = rng.random(len(category))
    return np.where(level < serious, CRITICAL, np.where(level < serious + 0.6 * (1 - serious), MAJOR, MINOR))


def _with_copies(rng: np.random.Generator, drawn: Products, suppliers: Suppliers, period: Period) -> Products:
    """The products, some overwritten by copies that returning suppliers list anew."""
    columns = {field.name: getattr(drawn, field.name).copy() for field in fields(Products)}
    protected = np.isin(drawn.supplier, suppliers.predecessor[suppliers.predecessor >= 0])
    free = rng.permutation(np.flatnonzero(~protected))
    for returning in np.flatnonzero(suppliers.predecessor >= 0):
        originals = np.flatnonzero(drawn.supplier == suppliers.predecessor[returning])
        copies, free = free[: len(originals)], free[len(originals) :]
        originals = originals[: len(copies)]
        for name, column in columns.items():
            column[copies] = getattr(drawn, name)[originals]
        columns["supplier"][copies] = returning
        listed = suppliers.onboarded[returning] + rng.integers(1, 31, len(copies))
        columns["listed"][copies] = np.minimum(listed, period.until)
    return Products(**columns)


def branded(products: Products, suppliers: Suppliers) -> Truths:
    """Whether each product carries a brand: always a brand owner's, sometimes another's."""
    kind = suppliers.kind[products.supplier]
    return np.asarray((kind == 2) | (products.design % 10 < 3))
