"""Where the products are sold: one listing per product and market, the rows of the skus table."""

from dataclasses import dataclass

import numpy as np

from data.marketplace.categories import MARKET_SHARES, MARKETS, categories, per_category
from data.marketplace.days import Period
from data.marketplace.draws import Floats, Integers, Truths, logistic, pick, stream
from data.marketplace.products import Products
from data.marketplace.suppliers import Suppliers

MARKETS_PER_PRODUCT = (0.70, 0.20, 0.10)
COMMON_FATE = 0.85
DAILY_UNITS = 0.16
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


def products_needed(skus: int, seed: int) -> Integers:
    """The number of markets of each product, so that the listings add up to `skus`."""
    markets = 1 + pick(stream(seed, "listings"), MARKETS_PER_PRODUCT, skus)
    count = int(np.searchsorted(np.cumsum(markets), skus)) + 1
    markets = markets[:count]
    markets[-1] -= markets.sum() - skus
    return markets


def draw_listings(markets: Integers, products: Products, suppliers: Suppliers, period: Period, seed: int) -> Listings:
    """The listings of `products`, `markets` many each."""
    from scipy.special import ndtr

    rng = stream(seed, "listings", 1)
    product = np.repeat(np.arange(len(markets)), markets)
    size = len(product)
    own = rng.standard_normal(size)
    fate = ndtr(np.sqrt(COMMON_FATE) * products.coin[product] + np.sqrt(1 - COMMON_FATE) * own)
    delay = np.where(rng.random(size) < 0.6, 0, rng.integers(0, 90, size))
    listed = np.minimum(products.listed[product] + delay, period.until)
    appeal = rng.standard_normal(size) * 1.35 - 0.15 * products.price_deviation[product]
    market = _markets(rng, markets)
    return Listings(
        product=product,
        market=market,
        listed=listed,
        fate=np.clip(fate, 1e-12, 1 - 1e-12),
        units_a_day=DAILY_UNITS * np.exp(appeal) * np.where(market <= 1, 1.1, 0.7),
        responsible_person=_responsible(rng, market, products, product, suppliers),
    )


def _markets(rng: np.random.Generator, counts: Integers) -> Integers:
    """Distinct markets for each product, drawn by their shares without replacement (Gumbel's trick)."""
    noise = rng.gumbel(size=(len(counts), len(MARKETS))) + np.log(MARKET_SHARES)
    ranked = np.argsort(-noise, axis=1)
    taken = np.arange(len(MARKETS))[None, :] < counts[:, None]
    return ranked[taken].astype(np.int64)


def _responsible(
    rng: np.random.Generator, market: Integers, products: Products, product: Integers, suppliers: Suppliers
) -> Truths:
    """Whether a responsible person is named; in the EU and the UK often not, elsewhere mostly."""
    formal = per_category([category.prevalence["formal"] for category in categories()])[products.category[product]]
    quality = suppliers.quality[products.supplier[product], 0]
    base = np.log(formal / (1 - formal)) - 0.4 + 0.5 * quality - np.where((market == EU) | (market == UK), 0.0, 1.5)
    missing: Truths = rng.random(len(market)) < logistic(base)
    return ~missing
