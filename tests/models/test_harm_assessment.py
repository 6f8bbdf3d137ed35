"""What would fail: monotone in every input, read from the narrowest cell, unknown where nothing is known."""

from datetime import date

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features.fitted_tables import SCHEMAS, FittedTables
from models.harm_assessment import HarmAssessment, HarmAssessor
from models.hazard_shares import CELL, LEVELS_OF
from models.risk_levels import LEVELS, SEVERITIES, UNKNOWN, RiskLevelPolicy, risk_levels_in_force

POLICY = risk_levels_in_force(date(2026, 6, 30))
FEATURES = ("sku_age_grade_months", "sku_fire_electric_review_rate", "sku_choking_small_parts_review_rate")
HAZARDS = ("emc", "fire", "nickel", "shock", "small_parts")
EVIDENCE = {"fire": FEATURES[1], "shock": FEATURES[1], "small_parts": FEATURES[2]}
Failures = dict[tuple[str, str, str, str, str | None], int]

CHARGERS: Failures = {
    ("chargers", "DE", "s1", "fire", "critical"): 6, ("chargers", "DE", "s1", "emc", "minor"): 4,
    ("chargers", "FR", "s2", "shock", "major"): 8, ("toys", "DE", "s1", "small_parts", "major"): 5,
}  # fmt: skip


def assessor(
    failures: Failures, strength: float = 2.0, weight: float = 1.0, policy: RiskLevelPolicy = POLICY
) -> HarmAssessor:
    """An assessor of these failures, by category, market, supplier, hazard and severity."""
    rows = [dict(zip((*CELL, "hazard", "severity", "failures"), (*key, number), strict=True))
            for key, number in failures.items()]  # fmt: skip
    smoothing = [{"shares": shares, "level": level, "strength": strength if level != "all" else 1.0}
                 for shares, levels in LEVELS_OF.items() for level in levels]  # fmt: skip
    evidence = [{"hazard": hazard, "feature": feature, "usual": 0.01, "weight": weight}
                for hazard, feature in EVIDENCE.items()]  # fmt: skip
    tables = {"hazards": rows, "hazard_smoothing": smoothing, "hazard_evidence": evidence}
    return HarmAssessor(
        FittedTables({name: pa.Table.from_pylist(of, schema=SCHEMAS[name]) for name, of in tables.items()}),
        FEATURES, policy,
    )  # fmt: skip


def assess(
    of: HarmAssessor, cell: tuple[str | None, ...], p_fail: float = 0.2, features: tuple[float, ...] = (np.nan,) * 3
) -> HarmAssessment:
    """The assessment of one SKU."""
    return of.assess([cell], np.array([features]), np.array([p_fail]))


CELLS = st.tuples(
    st.sampled_from(("chargers", "toys")), st.sampled_from(("DE", "FR", "US")), st.sampled_from(("s1", "s9"))
)
RATES = st.floats(0.001, 0.9)
FAILED = st.dictionaries(
    st.tuples(
        st.sampled_from(("chargers", "toys")), st.sampled_from(("DE", "FR")), st.sampled_from(("s1", "s2")),
        st.sampled_from(HAZARDS), st.sampled_from(SEVERITIES),
    ),
    st.integers(1, 30), min_size=1, max_size=12,
)  # fmt: skip


@given(failures=FAILED, cell=CELLS, two=st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted), rate=RATES)
def test_a_higher_p_fail_never_lowers_the_level(
    failures: Failures, cell: tuple[str, ...], two: list[float], rate: float
) -> None:
    """And it changes neither hazard nor share nor weight."""
    of, features = assessor(failures), (24.0, rate, rate)
    low, high = (assess(of, cell, p_fail, features) for p_fail in two)
    assert low.risk_level[0] <= high.risk_level[0]
    assert (low.hazard[0], low.hazard_names.to_pylist()) == (high.hazard[0], high.hazard_names.to_pylist())


@given(failures=FAILED, cell=CELLS, p_fail=st.floats(0, 1), old=st.floats(36, 1200), young=st.floats(0, 35))
def test_a_product_for_young_children_is_never_gentler(
    failures: Failures, cell: tuple[str, ...], p_fail: float, old: float, young: float
) -> None:
    """Neither its level nor its weight is lower than for everybody else, or without an age."""
    of = assessor(failures)
    children, adults, unknown = (assess(of, cell, p_fail, (age, np.nan, np.nan)) for age in (young, old, np.nan))
    assert children.risk_level[0] >= adults.risk_level[0] == unknown.risk_level[0]
    assert children.hazard[0] == UNKNOWN or children.plan_weight[0] >= adults.plan_weight[0] == unknown.plan_weight[0]


@given(failures=FAILED, cell=CELLS, p_fail=st.floats(0, 1), hazard=st.sampled_from(HAZARDS))
def test_severer_findings_never_lower_the_level(
    failures: Failures, cell: tuple[str, ...], p_fail: float, hazard: str
) -> None:
    """Where every finding of a hazard were critical."""
    worse: Failures = {}
    for key, number in failures.items():
        harsh = (*key[:4], "critical" if key[3] == hazard else key[4])
        worse[harsh] = worse.get(harsh, 0) + number
    before, after = assess(assessor(failures), cell, p_fail), assess(assessor(worse), cell, p_fail)
    assert before.risk_level[0] <= after.risk_level[0]


@given(failures=FAILED, hazard=st.sampled_from(HAZARDS), more=st.floats(1.0, 5.0), young=st.integers(0, 1))
def test_a_higher_share_never_lowers_any_harm(failures: Failures, hazard: str, more: float, young: int) -> None:
    """The shares of the other hazards as they were."""
    of = assessor(failures)
    assert of._shares is not None
    shares, cells = of._shares.shares, np.arange(len(of._shares.shares))
    larger = np.where(np.array(of._shares.hazards) == hazard, np.minimum(shares * more, 1.0), shares)
    before, after = (of._outcomes(each, cells, np.full(len(cells), young)).harm for each in (shares, larger))
    assert (before <= after).all()


@given(failures=FAILED, two=st.lists(RATES, min_size=2, max_size=2).map(sorted))
def test_more_mentions_never_lower_the_share_of_their_hazard(failures: Failures, two: list[float]) -> None:
    """Shares still sum to 1."""
    shares = assessor(failures)._shares
    assert shares is not None
    rows = shares.shares[[0, 0]]
    tilted = shares.evidence.tilt(rows, np.column_stack([two, [np.nan, np.nan]]))
    np.testing.assert_allclose(tilted.sum(axis=1), 1.0)
    of_fire = [number for number, hazard in enumerate(shares.hazards) if hazard in ("fire", "shock")]
    assert tilted[0, of_fire].sum() <= tilted[1, of_fire].sum() + 1e-12


@given(failures=FAILED, cells=st.lists(CELLS, min_size=1, max_size=12), seed=st.integers(0, 99))
def test_a_sku_is_assessed_the_same_alone_and_in_company(
    failures: Failures, cells: list[tuple[str, ...]], seed: int
) -> None:
    """The same bits."""
    draw, of = np.random.default_rng(seed), assessor(failures)
    matrix = np.column_stack([draw.choice([6.0, 60.0, np.nan], len(cells)), draw.random((len(cells), 2)) * 0.03])
    together = of.assess(cells, matrix, np.full(len(cells), 0.3))
    for row, cell in enumerate(cells):
        alone = of.assess([cell], matrix[[row]], np.array([0.3]))
        for name in ("hazard", "hazard_share", "risk_level", "plan_weight"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(together, name)[row])


def test_an_assessment_by_hand() -> None:
    """Six fires among ten failures of the cell: critical, so level 4 at 0.2 x share x 1 in 1,000."""
    of = assessor(CHARGERS, strength=1e-9)
    found = assess(of, ("chargers", "DE", "s1"), p_fail=0.2)
    assert found.hazard_names.to_pylist() == ["fire"]
    np.testing.assert_allclose(found.hazard_share, 0.6, atol=1e-6)
    assert found.risk_level_names.to_pylist() == ["serious"]  # 0.00012 at level 4
    assert assess(of, ("chargers", "DE", "s1"), p_fail=0.16).risk_level_names.to_pylist() == ["high"]  # 0.000096
    np.testing.assert_allclose(found.plan_weight, 0.6 * 3.0 + 0.4 * 1.0, atol=1e-6)


def test_small_parts_are_serious_for_the_young_only() -> None:
    """The level of the hazard for children under three, and none for a product without an age."""
    of = assessor(CHARGERS, strength=1e-9)
    toy = ("toys", "DE", "s1")
    assert assess(of, toy, 0.5, (18.0, np.nan, np.nan)).risk_level_names.to_pylist() == ["high"]
    assert assess(of, toy, 0.5, (36.0, np.nan, np.nan)).risk_level_names.to_pylist() == ["low"]
    assert LEVELS[0] == "low"


def test_nothing_is_known_where_no_failure_is() -> None:
    """Without hazards, without the category, without a category: null, and no level."""
    for of, cell in (
        (assessor({}), ("chargers", "DE", "s1")), (assessor(CHARGERS), ("lamps", "DE", "s1")),
        (assessor(CHARGERS), (None, "DE", "s1")),
    ):  # fmt: skip
        found = assess(of, cell, p_fail=0.9)
        assert found.hazard_names.to_pylist() == found.risk_level_names.to_pylist() == [None]
        assert np.isnan(found.hazard_share[0])
        assert np.isnan(found.plan_weight[0])


def test_a_failure_of_unknown_severity_counts_as_critical() -> None:
    """Where no failed test states its severity."""
    stated: Failures = {("chargers", "DE", "s1", "fire", "critical"): 3}
    unstated: Failures = {("chargers", "DE", "s1", "fire", None): 3}
    cell = ("chargers", "DE", "s1")
    assert assess(assessor(stated), cell).risk_level[0] == assess(assessor(unstated), cell).risk_level[0]
