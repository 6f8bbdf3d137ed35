"""The laboratory tests of the sample marketplace as contract tables, and what was true when they were drawn."""

from dataclasses import fields

import numpy as np
import pyarrow as pa

from data.synthetic.ground_truth import ORIGINS, World
from data.synthetic.lab_testing_history import STRATEGIES, SUPPLIED, SampledTests
from data.synthetic.listings import CRITICAL
from data.synthetic.randomness import Integers, choose, identifiers, random_stream
from data.synthetic.vocabulary import MARKETS, categories, hazard_mix, hazards

LABS = 12
SHIPPING_EUR = 4.0
SEVERITIES = ("minor", "major", "critical")


def select_reported(tests: SampledTests, world: World) -> SampledTests:
    """The tests whose report is issued by the last day, in random order."""
    selected = np.flatnonzero(tests.known <= world.period.until)
    selected = random_stream(world.seed, "identifiers", 2).permutation(selected)
    return SampledTests(**{field.name: getattr(tests, field.name)[selected] for field in fields(SampledTests)})


def lab_tests_tables(tests: SampledTests, world: World, sku_ids: pa.Array) -> tuple[pa.Table, pa.Table]:
    """The tables lab_tests and truth_tests (the latter for tests and simulation only).

    `sku_ids` are the identifiers of the listings drawn.
    """
    rng = random_stream(world.seed, "tests", 1)
    product = world.listings.product[tests.row]
    category = world.products.category[product]
    failed = tests.failed & ~tests.inconclusive
    package, fee = _packages(rng, category)
    bought = np.where(tests.origin == 0, world.products.price_eur[product] + SHIPPING_EUR, 0.0)
    result = np.where(tests.inconclusive, 2, np.where(tests.failed, 1, 0))
    test_ids = identifiers("T", np.arange(len(tests)), world.seed)
    hazard, severity = _findings(rng, tests, world)
    own = tests.strategy < 0
    table = pa.table({
        "test_id": test_ids,
        "sku_id": sku_ids,
        "market": pa.array(MARKETS).take(pa.array(world.listings.market[tests.row])),
        "happened_on": pa.array(tests.day.astype(np.int32)).cast(pa.date32()),
        "known_on": pa.array(tests.known.astype(np.int32)).cast(pa.date32()),
        "result": pa.array(["pass", "fail", "inconclusive"]).take(pa.array(result)),
        "origin": pa.array(ORIGINS).take(pa.array(tests.origin)),
        "strategy": pa.array(STRATEGIES).take(pa.array(tests.strategy, mask=own)),
        "propensity": pa.array(tests.propensity, mask=own),
        "package": package,
        "lab_id": pa.array([f"LAB-{lab:02d}" for lab in range(1, LABS + 1)]).take(
            pa.array(rng.integers(0, LABS, len(tests)))
        ),
        "severity": pa.array(SEVERITIES).take(pa.array(severity, mask=~failed)),
        "hazard": pa.array([hazard.name for hazard in hazards()]).take(pa.array(hazard, mask=~failed)),
        "cost_eur": np.round(fee * rng.lognormal(0.0, 0.15, len(tests)) + bought, 2),
    })  # fmt: skip
    truth = pa.table({"test_id": test_ids, "p_fail": tests.p_fail, "p_prior": tests.p_prior,
                      "independent": pa.array(tests.origin != SUPPLIED)})  # fmt: skip
    return table, truth


def _findings(rng: np.random.Generator, tests: SampledTests, world: World) -> tuple[Integers, Integers]:
    """Hazard and severity codes of the failures; a laboratory's false finding is any hazard and never critical."""
    product = world.listings.product[tests.row]
    mistaken = tests.p_fail < 0.02
    any_hazard = choose(rng, np.cumsum(hazard_mix(), axis=1), world.products.category[product])
    hazard = np.where(mistaken, any_hazard, world.products.hazard[product])
    severity = world.products.severity[product]
    return hazard, np.where(mistaken & (severity == CRITICAL), 0, severity)


def _packages(rng: np.random.Generator, category: Integers) -> tuple[pa.Array, np.ndarray]:
    """A test package of the category for each test, and its fee in euros."""
    names = [list(c.packages) for c in categories()]
    fees = np.array([fee for c in categories() for fee in c.packages.values()])
    count = np.array([len(packages) for packages in names])
    code = (np.cumsum(count) - count)[category] + (rng.random(len(category)) * count[category]).astype(np.int64)
    return pa.array([name for packages in names for name in packages]).take(pa.array(code)), fees[code]
