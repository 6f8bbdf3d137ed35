"""Listing titles of the sample marketplace: realistic words, some of which hint at risk."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.marketplace.categories import categories
from data.marketplace.compliance import World
from data.marketplace.draws import Integers, logistic
from data.marketplace.products import branded
from data.marketplace.suppliers import brand_owner

PLAIN = ("tested", "premium", "certified", "original", "quality", "safe")
RISKY = (
    "unbranded",
    "cheap",
    "no name",
    "factory direct",
    "hot sale 2025",
    "wholesale lot",
    "replica",
    "super low price",
)
SYLLABLES = ("no", "va", "ri", "ka", "lu", "mo", "ten", "zi", "bel", "or", "ty", "sa")


def brands(suppliers: Integers) -> pa.Array:
    """A brand name for each supplier number."""
    syllables = np.array(SYLLABLES)
    mixed = (suppliers * 2654435761) % (12**4)
    parts = [syllables[(mixed // 12**place) % 12] for place in range(3)]
    return pc.utf8_capitalize(pc.binary_join_element_wise(*(pa.array(part) for part in parts), ""))


def titles(world: World, products: Integers) -> pa.Array:
    """The titles of these products; copies of a product have the same words."""
    made = world.products
    design = made.design[products]
    leaning = _leaning(world, products)
    first, second = (design >> 4) % 1000 / 1000, (design >> 14) % 1000 / 1000
    risky = first < logistic(-1.8 + 0.9 * leaning)
    plain = ~risky & (first > 0.75)
    opening = np.where(risky, len(PLAIN) + (design >> 24) % len(RISKY), (design >> 24) % len(PLAIN))
    category = made.category[products]
    material = np.where(second < logistic(-0.8 + 0.8 * leaning), 1, 0)
    carries = branded(made, world.suppliers)[products]
    owner = brand_owner(world.suppliers, made.supplier[products])
    words = [
        pa.array(PLAIN + RISKY).take(pa.array(opening, mask=~(risky | plain))),
        pc.if_else(pa.array(carries), brands(owner), pa.scalar(None, pa.string())),
        _word([[*category.nouns] for category in categories()], category, design >> 30),
        _word(
            [[*plain, *bad] for plain, bad in ((c.plain_materials, c.risky_materials) for c in categories())],
            category, 4 * material + (design >> 34) % 4, exact=True,
        ),
        _word([[*category.extras] for category in categories()], category, design >> 38),
        pa.array([f"{letter}{number}" for letter in "ABKMTX" for number in range(10, 100)]).take(
            pa.array((design >> 44) % 540)
        ),
    ]  # fmt: skip
    options = pc.JoinOptions(null_handling="skip")
    return pc.binary_join_element_wise(*words, " ", options=options)


def _leaning(world: World, products: Integers) -> np.ndarray:
    """How far the makings of each product point to failing, about standard normal."""
    made = world.products
    supplier = made.supplier[products]
    effect = world.suppliers.factory_effect[made.factory[products]]
    return np.asarray(
        0.9 * world.suppliers.quality[supplier, 0] + 0.5 * effect - 0.35 * made.price_deviation[products]
        + made.flaw[products]
    ) / 1.3  # fmt: skip


def _word(vocabulary: list[list[str]], category: Integers, number: Integers, exact: bool = False) -> pa.Array:
    """A word of each category's vocabulary, chosen by `number` (its remainder, unless exact)."""
    count = np.array([len(words) for words in vocabulary])
    chosen = number if exact else number % count[category]
    return pa.array([word for words in vocabulary for word in words]).take(
        pa.array((np.cumsum(count) - count)[category] + chosen)
    )
