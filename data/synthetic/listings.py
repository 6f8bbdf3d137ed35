"""Products and listings of the sample marketplace: price, certificates, latent risk, markets and sales."""

from dataclasses import dataclass, fields

import numpy as np

from data.synthetic.randomness import Floats, Integers, SimulatedPeriod, Truths, choose, logistic, pick, random_stream
from data.synthetic.suppliers import Suppliers
from data.synthetic.vocabulary import MARKET_SHARES, MARKETS, categories, hazard_mix, per_category, sales

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


def draw_products(count: int, suppliers: Suppliers, period: SimulatedPeriod, seed: int) -> Products:
    """`count` products; a supplier who returns under a new number sells copies of what the old one sold."""
    rng = random_stream(seed, "products")
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
    products = Products(
        supplier=supplier,
        factory=suppliers.factories[supplier, second],
        category=category,
        paper=_draw_papers(rng, category, quality),
        price_eur=price,
        price_deviation=deviation,
        flaw=rng.standard_normal(count) * 0.6,
        coin=rng.standard_normal(count),
        batch_share=np.where(batch_only, rng.uniform(0.3, 0.7, count), 1.0),
        changed_in=np.where(changed, rng.integers(1, max(2, period.quarters), count), UNCHANGED),
        hazard=choose(rng, np.cumsum(hazard_mix(), axis=1), category),
        severity=_draw_severities(rng, category),
        design=rng.integers(0, 1 << 62, count),
        listed=earliest + (rng.random(count) * (period.until - earliest)).astype(np.int64),
    )
    return _overwrite_copies(rng, products, suppliers, period)


def _draw_papers(rng: np.random.Generator, category: Integers, quality: Floats) -> Integers:
    """The true state of the certificate of each product; bad suppliers hold fewer valid ones."""
    share = per_category([category.certificate_share for category in categories()])
    claimed = rng.random(len(category)) < share[category]
    # Worse than typical: the draw is pushed towards the end of the list, where the forged papers are.
    position = np.clip(rng.random(len(category)) ** np.exp(-0.2 * quality), 0, 1 - 1e-9)
    state = np.searchsorted(np.cumsum(PAPER_SHARES), position, side="right")
    return np.where(claimed, 1 + np.minimum(state, len(PAPER_SHARES) - 1), 0)


def _draw_severities(rng: np.random.Generator, category: Integers) -> Integers:
    """How severe a failure of each product would be."""
    serious = per_category([c.prevalence["serious"] / c.prevalence["technical"] for c in categories()])[category]
    level = rng.random(len(category))
    return np.where(level < serious, CRITICAL, np.where(level < serious + 0.6 * (1 - serious), MAJOR, MINOR))


def _overwrite_copies(
    rng: np.random.Generator, products: Products, suppliers: Suppliers, period: SimulatedPeriod
) -> Products:
    """The products, some overwritten by copies that returning suppliers list anew."""
    columns = {field.name: getattr(products, field.name).copy() for field in fields(Products)}
    protected = np.isin(products.supplier, suppliers.predecessor[suppliers.predecessor >= 0])
    free = rng.permutation(np.flatnonzero(~protected))
    for returning in np.flatnonzero(suppliers.predecessor >= 0):
        originals = np.flatnonzero(products.supplier == suppliers.predecessor[returning])
        copies, free = free[: len(originals)], free[len(originals) :]
        originals = originals[: len(copies)]
        for name, column in columns.items():
            column[copies] = getattr(products, name)[originals]
        columns["supplier"][copies] = returning
        listed = suppliers.onboarded[returning] + rng.integers(1, 31, len(copies))
        columns["listed"][copies] = np.minimum(listed, period.until)
    return Products(**columns)


def has_brand(products: Products, suppliers: Suppliers) -> Truths:
    """Whether each product carries a brand: always a brand owner's, sometimes another's."""
    kind = suppliers.kind[products.supplier]
    return np.asarray((kind == 2) | (products.design % 10 < 3))


MARKETS_PER_PRODUCT = (0.70, 0.20, 0.10)
COMMON_FATE = 0.85
EU, UK = MARKETS.index("EU"), MARKETS.index("UK")


@dataclass(frozen=True)
class Listings:
    """All listings, one array entry each, the listings of a product side by side.

    `product` and `market` are codes; `fate` is uniform: the listing is non-compliant while its probability exceeds
    it; `units_a_day` the expected sales; `responsible_person` whether one is named.
    """

    product: Integers
    market: Integers
    listed: Integers
    fate: Floats
    units_a_day: Floats
    responsible_person: Truths

    def __len__(self) -> int:
        return len(self.product)


def draw_market_counts(skus: int, seed: int) -> Integers:
    """The number of markets of each product, so that the listings add up to `skus`."""
    markets = 1 + pick(random_stream(seed, "listings"), MARKETS_PER_PRODUCT, skus)
    count = int(np.searchsorted(np.cumsum(markets), skus)) + 1
    markets = markets[:count]
    markets[-1] -= markets.sum() - skus
    return markets


def draw_listings(
    markets: Integers, products: Products, suppliers: Suppliers, period: SimulatedPeriod, seed: int
) -> Listings:
    """The listings of `products`, `markets` many each."""
    from scipy.special import ndtr

    rng = random_stream(seed, "listings", 1)
    product = np.repeat(np.arange(len(markets)), markets)
    size = len(product)
    own = rng.standard_normal(size)
    fate = ndtr(np.sqrt(COMMON_FATE) * products.coin[product] + np.sqrt(1 - COMMON_FATE) * own)
    delay = np.where(rng.random(size) < 0.6, 0, rng.integers(0, 90, size))
    listed = np.minimum(products.listed[product] + delay, period.until)
    appeal = sales().body_log_sd * rng.standard_normal(size) - 0.15 * products.price_deviation[product]
    market = _draw_markets(rng, markets)
    return Listings(
        product=product,
        market=market,
        listed=listed,
        fate=np.clip(fate, 1e-12, 1 - 1e-12),
        units_a_day=np.exp(appeal) * _draw_popularity(size, seed) * np.where(market <= 1, 1.1, 0.7),
        responsible_person=_draw_responsible_persons(rng, market, products, product, suppliers),
    )


def _draw_popularity(size: int, seed: int) -> Floats:
    """Units a day of listings of usual appeal: a power law by rank, capped."""
    steps = random_stream(seed, "listings", 2).exponential(-sales().rank_slope, size)
    return np.asarray(sales().daily_units * np.exp(np.minimum(steps, np.log(sales().most_times))))


def _draw_markets(rng: np.random.Generator, counts: Integers) -> Integers:
    """Distinct markets for each product, drawn by their shares without replacement (Gumbel's trick)."""
    noise = rng.gumbel(size=(len(counts), len(MARKETS))) + np.log(MARKET_SHARES)
    ranked = np.argsort(-noise, axis=1)
    listed = np.arange(len(MARKETS))[None, :] < counts[:, None]
    return ranked[listed].astype(np.int64)


def _draw_responsible_persons(
    rng: np.random.Generator, market: Integers, products: Products, product: Integers, suppliers: Suppliers
) -> Truths:
    """Whether a responsible person is named; in the EU and the UK often not, elsewhere mostly."""
    formal = per_category([category.prevalence["formal"] for category in categories()])[products.category[product]]
    quality = suppliers.quality[products.supplier[product], 0]
    base = np.log(formal / (1 - formal)) - 0.4 + 0.5 * quality - np.where((market == EU) | (market == UK), 0.0, 1.5)
    missing: Truths = rng.random(len(market)) < logistic(base)
    return ~missing
