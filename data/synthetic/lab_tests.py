"""The laboratory tests of the sample marketplace as contract tables, and what was true when they were drawn."""

import hashlib
import itertools
from dataclasses import fields
from functools import lru_cache

import numpy as np
import pyarrow as pa

from data.synthetic.ground_truth import ORIGINS, World
from data.synthetic.lab_testing_history import STRATEGIES, SUPPLIED, SampledTests
from data.synthetic.listings import CRITICAL
from data.synthetic.randomness import Floats, Integers, choose, identifiers, random_stream
from data.synthetic.vocabulary import MARKETS, categories, hazard_mix, hazards

LABS = 12
SHIPPING_EUR = 4.0
ANY_HAZARD = -1
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
    failed = tests.failed & ~tests.inconclusive
    bought = np.where(tests.origin == 0, world.products.price_eur[product] + SHIPPING_EUR, 0.0)
    result = np.where(tests.inconclusive, 2, np.where(tests.failed, 1, 0))
    test_ids = identifiers("T", np.arange(len(tests)), world.seed)
    hazard, severity = _findings(rng, tests, world)
    package, fee = _packages(rng, tests, world, np.where(failed, hazard, ANY_HAZARD))
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
        **_report_columns(test_ids),
    })  # fmt: skip
    truth = pa.table({"test_id": test_ids, "p_fail": tests.p_fail, "p_prior": tests.p_prior,
                      "independent": pa.array(tests.origin != SUPPLIED)})  # fmt: skip
    return table, truth


def _report_columns(test_ids: pa.Array) -> dict[str, pa.Array]:
    """Each report is final and numbered like its test; accreditation, standard and clause are not stated."""
    numbers = [f"R{test_id[1:]}" for test_id in test_ids.to_pylist()]
    return {
        "version": pa.repeat(pa.scalar(1, pa.int64()), len(numbers)),
        "status": pa.repeat(pa.scalar("final"), len(numbers)),
        "report_number": pa.array(numbers, pa.string()),
        "report_digest": pa.array([hashlib.sha256(number.encode()).hexdigest() for number in numbers], pa.string()),
        **{name: pa.nulls(len(numbers), pa.string()) for name in ("accreditation", "standard", "clause")},
    }


def _findings(rng: np.random.Generator, tests: SampledTests, world: World) -> tuple[Integers, Integers]:
    """Hazard and severity codes of the failures; a laboratory's false finding is any hazard and never critical."""
    product = world.listings.product[tests.row]
    mistaken = tests.p_fail < 0.02
    any_hazard = choose(rng, np.cumsum(hazard_mix(), axis=1), world.products.category[product])
    hazard = np.where(mistaken, any_hazard, world.products.hazard[product])
    severity = world.products.severity[product]
    return hazard, np.where(mistaken & (severity == CRITICAL), 0, severity)


def _packages(
    rng: np.random.Generator, tests: SampledTests, world: World, hazard: Integers
) -> tuple[pa.Array, np.ndarray]:
    """A test package for each test, and its fee in euros.

    One of the category for the market, each as likely; where the test found a `hazard` (a code, or ANY_HAZARD), one of
    those that can find it.
    """
    every = [package for category in categories() for package in category.packages]
    category = world.products.category[world.listings.product[tests.row]]
    hazards_and_any = len(hazards()) + 1
    cell = (category * len(MARKETS) + world.listings.market[tests.row]) * hazards_and_any + hazard % hazards_and_any
    count = np.array([len(category.packages) for category in categories()])
    code = (np.cumsum(count) - count)[category] + choose(rng, _package_chances(), cell)
    name = pa.array([package.name for package in every]).take(pa.array(code))
    return name, np.array([package.fee_eur for package in every])[code]


@lru_cache(maxsize=1)
def _package_chances() -> Floats:
    """Cumulative chances of a category's packages, a row per category, market and hazard; ANY_HAZARD is the last."""
    names = [hazard.name for hazard in hazards()]
    most = max(len(category.packages) for category in categories())
    chances = np.zeros((len(categories()), len(MARKETS), len(names) + 1, most))
    for (row, category), (column, market) in itertools.product(enumerate(categories()), enumerate(MARKETS)):
        for position, package in enumerate(category.packages):
            if market in package.markets:
                chances[row, column, :, position] = [*(name in package.finds for name in names), True]
    total = chances.sum(axis=3, keepdims=True)
    return np.cumsum(chances / np.maximum(total, 1), axis=3).reshape(-1, most)
