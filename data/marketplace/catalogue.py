"""The skus table of the sample marketplace."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.marketplace.categories import BATTERIES, MARKETS, TRUTHS, categories
from data.marketplace.compliance import World
from data.marketplace.days import written_days
from data.marketplace.draws import Integers, choose
from data.marketplace.identifiers import identifiers
from data.marketplace.products import branded
from data.marketplace.suppliers import brand_owner, factory_ids, supplier_ids
from data.marketplace.titles import brands, titles

UNKNOWN_FACTORY = 0.15


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
        "listed_on": written_days(world.listings.listed[rows]),
        **{name: facts[name] for name in ("factory_id", "title", "brand", "price_eur", "age_grade_months", "battery")},
        **{name: facts[name] for name in TRUTHS},
        "responsible_person": pa.array(world.listings.responsible_person[rows]),
    })  # fmt: skip


def _product_facts(world: World, product: Integers, rng: np.random.Generator) -> pa.Table:
    """What all listings of a product share."""
    made = world.products
    category = made.category[product]
    size = len(product)
    nothing = pa.scalar(None, pa.string())
    carries = branded(made, world.suppliers)[product]
    owner = brand_owner(world.suppliers, made.supplier[product])
    known_factory = pa.array(rng.random(size) >= UNKNOWN_FACTORY)
    battery = np.array([list(c.battery.values()) for c in categories()])
    facts = {
        "supplier_id": supplier_ids(made.supplier[product], world.seed),
        "category": pa.array([c.name for c in categories()]).take(pa.array(category)),
        "factory_id": pc.if_else(known_factory, factory_ids(made.factory[product], world.seed), nothing),
        "title": titles(world, product),
        "brand": pc.if_else(pa.array(carries), brands(owner), nothing),
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
