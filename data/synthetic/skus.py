"""The skus table of the sample marketplace."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.synthetic.ground_truth import World
from data.synthetic.listings import has_brand
from data.synthetic.randomness import Integers, choose, format_days, identifiers, logistic
from data.synthetic.suppliers import brand_owner, factory_ids, supplier_ids
from data.synthetic.vocabulary import BATTERIES, MARKETS, TRUTHS, categories

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
    leaning = _standardized_risk(world, products)
    first, second = (design >> 4) % 1000 / 1000, (design >> 14) % 1000 / 1000
    risky = first < logistic(-1.8 + 0.9 * leaning)
    plain = ~risky & (first > 0.75)
    opening = np.where(risky, len(PLAIN) + (design >> 24) % len(RISKY), (design >> 24) % len(PLAIN))
    category = made.category[products]
    material = np.where(second < logistic(-0.8 + 0.8 * leaning), 1, 0)
    carries = has_brand(made, world.suppliers)[products]
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


def _standardized_risk(world: World, products: Integers) -> np.ndarray:
    """The latent risk of each product, about standard normal."""
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


UNKNOWN_FACTORY = 0.15
_BODIES, _ODD_STEP = 10**10, 3_141_592_653


def gtins(products: Integers, seed: int) -> pa.Array:
    """A GTIN-13 for each product number, in the range that GS1 leaves to shops."""
    bodies = (products * _ODD_STEP + seed) % _BODIES + 29 * _BODIES
    digits = bodies[:, None] // 10 ** np.arange(12)[::-1] % 10
    check = -(digits * np.tile([1, 3], 6)).sum(axis=1) % 10
    return pa.array(bodies * 10 + check).cast(pa.string())


def model_numbers(products: Integers, seed: int) -> pa.Array:
    """A model number for each product number."""
    numbers = (products * _ODD_STEP + 7 * seed) % _BODIES
    letters = pa.array([f"{first}{second}-" for first in "BDHKMRT" for second in "AEGLNX"]).take(pa.array(numbers % 42))
    return pc.binary_join_element_wise(letters, pa.array(10_000 + numbers // 42 % 90_000).cast(pa.string()), "")


def sku_ids(world: World, rows: Integers) -> pa.StringArray:
    """The product identifiers of these listings."""
    return identifiers("S", world.listings.product[rows], world.seed)


def markets(world: World, rows: Integers) -> pa.Array:
    """The markets of these listings."""
    return pa.array(MARKETS).take(pa.array(world.listings.market[rows]))


def skus_table(world: World, rows: Integers, rng: np.random.Generator) -> pa.Table:
    """The contract's skus table for these listings; the listings of a product must come together."""
    product, inverse = np.unique(world.listings.product[rows], return_inverse=True)
    facts = _product_facts(world, product, rng).take(pa.array(inverse))
    return pa.table({
        "sku_id": sku_ids(world, rows),
        "market": markets(world, rows),
        **{name: facts[name] for name in ("supplier_id", "category")},
        "listed_on": format_days(world.listings.listed[rows]),
        **{name: facts[name] for name in ("factory_id", "title", "brand", "price_eur", "age_grade_months", "battery")},
        **{name: facts[name] for name in TRUTHS},
        "responsible_person": pa.array(world.listings.responsible_person[rows]),
        "gtin": gtins(world.listings.product[rows], world.seed),
        "model": model_numbers(world.listings.product[rows], world.seed),
    })  # fmt: skip


def _product_facts(world: World, product: Integers, rng: np.random.Generator) -> pa.Table:
    """What all listings of a product share."""
    made = world.products
    category = made.category[product]
    size = len(product)
    missing = pa.scalar(None, pa.string())
    carries = has_brand(made, world.suppliers)[product]
    owner = brand_owner(world.suppliers, made.supplier[product])
    known_factory = pa.array(rng.random(size) >= UNKNOWN_FACTORY)
    battery = np.array([list(c.battery.values()) for c in categories()])
    facts = {
        "supplier_id": supplier_ids(made.supplier[product], world.seed),
        "category": pa.array([c.name for c in categories()]).take(pa.array(category)),
        "factory_id": pc.if_else(known_factory, factory_ids(made.factory[product], world.seed), missing),
        "title": titles(world, product),
        "brand": pc.if_else(pa.array(carries), brands(owner), missing),
        "price_eur": made.price_eur[product],
        "age_grade_months": _age_grades(category, rng),
        "battery": pa.array(BATTERIES).take(
            pa.array(choose(rng, np.cumsum(battery / battery.sum(axis=1, keepdims=True), axis=1), category))
        ),
    }
    for name in TRUTHS:
        share = np.array([c.shares[name] for c in categories()])
        facts[name] = pa.array(rng.random(size) < share[category])
    return pa.table(facts)


def _age_grades(category: Integers, rng: np.random.Generator) -> pa.Array:
    """The age grade of goods for children, empty for the others."""
    grades = [c.age_grades_months or (0,) for c in categories()]
    count = np.array([len(ages) for ages in grades])
    code = (np.cumsum(count) - count)[category] + (rng.random(len(category)) * count[category]).astype(np.int64)
    graded = np.array([bool(c.age_grades_months) for c in categories()])[category]
    return pa.array(np.array([age for ages in grades for age in ages])[code], mask=~graded)
