"""Features of the laboratory tests of a supplier, a factory, a SKU and a title."""

from typing import TYPE_CHECKING, Final

from data.lake.report_versions import AMENDED_ON, has_result, with_amended_on
from data.lake.surrogate_keys import sku_key_columns
from features.definition import (
    KEYS,
    Entity,
    EventSource,
    Feature,
    count,
    days_since_last,
    share,
    smoothed,
    total,
    within,
)
from features.fitted_tables import FittedTables
from features.groups.titles import title_key
from features.wording import CountWords, Level

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables


def entity_keys(tables: "Tables") -> "ir.Table":
    """The SKUs with the keys of every entity they belong to."""
    skus = tables["skus"]
    return skus.select(*sku_key_columns(skus), "supplier_id", "factory_id", "category", title_key=title_key(skus.title))


def clear_tests(tables: "Tables") -> "ir.Table":
    """Tests with a clear result: `independent` and `given` (supplier-provided) tests, `failed`, `severity`.

    Every version of a report is a row; `amended_on` says until when it was the one that was known.
    Why, by whom and with which package a test was ordered stays behind: that would leak the officer's suspicion.
    """
    every = tables["lab_tests"]
    facts = ("test_id", "version", "happened_on", "known_on", "result", "status", "origin", "severity")
    tests = with_amended_on(every.select(*sku_key_columns(every), *facts))
    tests = tests.filter(tests.result.isin(["pass", "fail"]) & has_result(tests))
    given = tests.origin == "supplier_provided"
    return tests.select(
        *sku_key_columns(tests), "happened_on", "known_on", AMENDED_ON, "severity",
        given=given, independent=~given, failed=tests.result == "fail",
    )  # fmt: skip


def _tests_of(entity: Entity) -> EventSource:
    return EventSource(f"tests of the {entity}", ("lab_tests",), KEYS[entity], clear_tests)


TESTS_OF: dict[Entity, EventSource] = {entity: _tests_of(entity) for entity in KEYS}


GROUP: Final = "supplier history"
SEVERITY_POINTS = {"minor": 1, "major": 5, "critical": 25}
WHOSE: dict[Entity, str] = {
    "supplier": "this supplier's products", "factory": "products of this factory", "sku": "this product",
    "title": "products of all sellers with this title",
}  # fmt: skip
FAILED_TESTS, TESTS = "failed tests", "tests"
"""What features are about."""


def failed_of_tests(whose: str, prior: str, trials: str = "", did: str = "failed") -> CountWords:
    """The words for failed independent tests of `whose` products."""
    return CountWords(
        f"independent test[s] of {whose}", did, f"No independent test of {whose} is known.", prior, trials
    )


def _failed(seen: "ir.Table") -> "ir.BooleanValue":
    return seen.independent & seen.failed


def _fail_rate(entity: Entity, window_days: int | None) -> Feature:
    def rate(seen: "ir.Table", reference: FittedTables) -> "ir.Value":
        counted = seen.independent & within(seen, window_days) if window_days else seen.independent
        return smoothed(count(counted & seen.failed), count(counted), reference.prior(f"{entity}_fail"))

    when = f"in the last {window_days} days" if window_days else "so far"
    return Feature(
        name=f"{entity}_fail_rate_{window_days}" if window_days else f"{entity}_fail_rate",
        meaning=f"share of independent tests of {WHOSE[entity]} that failed {when}, shrunk to the usual share",
        unit="share", group=GROUP, entity=entity, direction=1,
        sentence=f"We estimate that {{value}} of independent tests of {WHOSE[entity]} fail{judging_by(window_days)}.",
        missing=f"No independent test of {WHOSE[entity]} can be looked up.",
        source=TESTS_OF[entity], value=rate,
        counts=_counts_of_fail_rate(entity, window_days), about=FAILED_TESTS,
    )  # fmt: skip


NEWEST, MEMORY_DAYS = 1_024, 730
"""The weight of a test of today; one of `MEMORY_DAYS` ago weighs a quarter of it (chosen on NYC's and made-up tests).

A power of two, so that no engine rounds when it divides by it.
"""


def newness(seen: "ir.Table") -> "ir.IntegerValue":
    """Weight of each test by its age: a whole number, so that sums are the same on every engine."""
    age_days = seen.age_days + MEMORY_DAYS
    return (NEWEST * MEMORY_DAYS**2 // (age_days * age_days)).cast("int64")


def _recent_fail_rate(entity: Entity) -> Feature:
    def rate(seen: "ir.Table", reference: FittedTables) -> "ir.Value":
        weight = newness(seen)
        fails, tests = (total(weight, counted).cast("float64") for counted in (_failed(seen), seen.independent))
        return smoothed(fails / NEWEST, tests / NEWEST, reference.prior(f"{entity}_fail"))

    return Feature(
        name=f"{entity}_fail_rate_recent",
        meaning=f"share of independent tests of {WHOSE[entity]} that failed, newer ones weighing more (one of two "
        "years ago a quarter of today's), shrunk to the usual share",
        unit="share", group=GROUP, entity=entity, direction=1,
        sentence=f"We estimate that {{value}} of independent tests of {WHOSE[entity]} fail, judging mostly by the "
        "newest tests.",
        missing=f"No independent test of {WHOSE[entity]} can be looked up.",
        source=TESTS_OF[entity], value=rate, about=FAILED_TESTS,
    )  # fmt: skip


def judging_by(window_days: int | None) -> str:
    """The end of a sentence about a rate of the tests of a window, None = all."""
    return f", judging by the last {window_days} days" if window_days else ""


def _counts_of_fail_rate(entity: Entity, window_days: int | None) -> CountWords:
    prior = f"{entity}_fail"
    if window_days is None:
        words = failed_of_tests(WHOSE[entity], prior, f"{entity}_tests")
        if entity != "sku":
            return words
        return words._replace(
            only_hit="Its only independent test failed.", only_miss="Its only independent test passed."
        )
    when = f"in the last {window_days} days"
    words = failed_of_tests(f"{WHOSE[entity]} {when}", prior)
    counted = f"{entity}_fails_{window_days}"
    return words._replace(at_most="factory_tests") if counted == "factory_fails_365" else words._replace(hits=counted)


def _fails(entity: Entity, window_days: int) -> Feature:
    return Feature(
        name=f"{entity}_fails_{window_days}",
        meaning=f"independent tests of {WHOSE[entity]} that failed in the last {window_days} days",
        unit="count", group=GROUP, entity=entity, direction=1,
        sentence=f"{{value}} independent test[s] of {WHOSE[entity]} failed in the last {window_days} days.",
        missing=f"Failed tests of {WHOSE[entity]} cannot be looked up.",
        source=TESTS_OF[entity], value=lambda seen, _: count(_failed(seen) & within(seen, window_days)),
        about=FAILED_TESTS,
    )  # fmt: skip


def _tests(entity: Entity) -> Feature:
    return Feature(
        name=f"{entity}_tests",
        meaning=f"independent tests of {WHOSE[entity]} whose result is known",
        unit="count", group=GROUP, entity=entity, direction=0,
        sentence=f"{{value}} independent test[s] of {WHOSE[entity]} [is|are] known.",
        missing=f"Tests of {WHOSE[entity]} cannot be looked up.",
        source=TESTS_OF[entity], value=lambda seen, _: count(seen.independent), about=TESTS,
    )  # fmt: skip


def _days_since_fail(entity: Entity) -> Feature:
    return Feature(
        name=f"{entity}_days_since_fail",
        meaning=f"days since a sample of {WHOSE[entity]} was drawn that failed an independent test",
        unit="days", group=GROUP, entity=entity, direction=0,
        sentence=f"The last failed independent test of {WHOSE[entity]} was {{value}} ago.",
        missing=f"No failed independent test of {WHOSE[entity]} is known.",
        source=TESTS_OF[entity], value=lambda seen, _: days_since_last(seen, _failed(seen)),
        sense=-1, about=FAILED_TESTS,
    )  # fmt: skip


def _days_since_test(entity: Entity) -> Feature:
    return Feature(
        name=f"{entity}_days_since_test",
        meaning=f"days since a sample of {WHOSE[entity]} was drawn for an independent test",
        unit="days", group=GROUP, entity=entity, direction=0,
        sentence=f"The last independent test of {WHOSE[entity]} was {{value}} ago.",
        missing=f"No independent test of {WHOSE[entity]} is known yet.",
        source=TESTS_OF[entity], value=lambda seen, _: days_since_last(seen, seen.independent), about=TESTS,
    )  # fmt: skip


def _critical_rate(entity: Entity) -> Feature:
    def rate(seen: "ir.Table", reference: FittedTables) -> "ir.Value":
        critical = _failed(seen) & (seen.severity == "critical")
        return smoothed(count(critical), count(seen.independent), reference.prior("critical_fail"))

    return Feature(
        name=f"{entity}_critical_rate",
        meaning=f"share of independent tests of {WHOSE[entity]} with a critical failure, shrunk to the usual share",
        unit="share", group=GROUP, entity=entity, direction=1,
        sentence=f"We estimate that {{value}} of independent tests of {WHOSE[entity]} fail critically.",
        missing=f"No independent test of {WHOSE[entity]} can be looked up.",
        source=TESTS_OF[entity], value=rate,
        counts=failed_of_tests(WHOSE[entity], "critical_fail", f"{entity}_tests", "failed critically"),
        about=FAILED_TESTS,
    )  # fmt: skip


def _severity_points(seen: "ir.Table", _: FittedTables) -> "ir.Value":
    recent = seen.independent & within(seen, 365)
    points = total(seen.severity.cases(*SEVERITY_POINTS.items(), else_=0), recent & seen.failed)
    return share(points, count(recent))


def _golden_gap(seen: "ir.Table", reference: FittedTables) -> "ir.Value":
    given_passes = smoothed(count(seen.given & ~seen.failed), count(seen.given), reference.prior("golden_pass"))
    fails = smoothed(count(_failed(seen)), count(seen.independent), reference.prior("supplier_fail"))
    return given_passes - (1 - fails)


_SEVERITY = Feature(
    name="supplier_severity_365",
    meaning="mean severity of this supplier's independent tests in the last year "
    "(pass 0, minor 1, major 5, critical 25)",
    unit="points", group=GROUP, entity="supplier", direction=1,
    sentence=(
        Level(
            float("inf"), "Failures of this supplier's products in the last year were graded {value} a test on average "
            "(minor 1, major 5, critical 25).", "Failures of this supplier graded {value} a test (critical 25)",
        ),
    ),
    missing="No independent test of this supplier is known in the last year.",
    source=TESTS_OF["supplier"], value=_severity_points, about=FAILED_TESTS,
)  # fmt: skip
_GOLDEN_GAP = Feature(
    name="supplier_golden_gap",
    meaning="pass rate of samples this supplier handed in minus pass rate of independent samples, both shrunk",
    unit="share points", group=GROUP, entity="supplier", direction=1,
    sentence=(
        Level(-0.005, "Samples that this supplier handed in pass less often than those we drew, by {size}."),
        Level(0.005, "Samples that this supplier handed in pass as often as those we drew."),
        Level(float("inf"), "Samples that this supplier handed in pass more often than those we drew, by {size}."),
    ),
    missing="Samples handed in by this supplier cannot be compared with independent ones.",
    source=TESTS_OF["supplier"], value=_golden_gap, is_internal=True,
)  # fmt: skip
_GIVEN_FAILS = Feature(
    name="supplier_given_fails",
    meaning="samples this supplier handed in itself that failed all the same",
    unit="count", group=GROUP, entity="supplier", direction=1,
    sentence="{value} sample[s] that this supplier handed in itself failed.",
    missing="Samples handed in by this supplier cannot be looked up.",
    source=TESTS_OF["supplier"], value=lambda seen, _: count(seen.given & seen.failed),
)  # fmt: skip

FEATURES: tuple[Feature, ...] = (
    _fail_rate("supplier", None), _fail_rate("supplier", 365), _fail_rate("supplier", 90),
    _recent_fail_rate("supplier"),
    _fails("supplier", 365), _fails("supplier", 90), _fails("supplier", 30), _tests("supplier"),
    _days_since_fail("supplier"), _days_since_test("supplier"), _critical_rate("supplier"),
    _SEVERITY, _GOLDEN_GAP, _GIVEN_FAILS,
    _fail_rate("factory", None), _fail_rate("factory", 365), _fails("factory", 90), _tests("factory"),
    _days_since_fail("factory"), _critical_rate("factory"),
    _fail_rate("sku", None), _recent_fail_rate("sku"), _fails("sku", 365), _tests("sku"), _days_since_fail("sku"),
    _days_since_test("sku"),
    _fail_rate("title", None), _fails("title", 365), _tests("title"),
)  # fmt: skip
