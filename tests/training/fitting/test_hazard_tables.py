"""What training learns of hazards: counts that sum, cells as different as they are, mentions as telling as they are."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.fitted_tables import FittedTables
from features.review_text.hazards import hazards as topics
from models.hazard_shares import LEVELS_OF, read_hazard_shares
from models.hazard_words import hazard_phrases
from tests.training.fitting.test_model import training_set_of
from tests.training.worlds import market_frames
from training.fitting.hazard_tables import fit_hazard_tables, hazard_topics

FIRE, CHOKING = "sku_fire_electric_review_rate", "sku_choking_small_parts_review_rate"
REFERENCE = FittedTables.untrained()
USUAL = REFERENCE.prior("hazard_review").mean


def failures(hazard: NDArray[np.str_], supplier: NDArray[np.int64]) -> pd.DataFrame:
    """Failed labels of two categories."""
    count = len(hazard)
    return pd.DataFrame({
        "failed": True, "category": np.where(np.arange(count) % 2, "toys", "lamps"), "market": "DE",
        "supplier_id": [f"s{number}" for number in supplier], "hazard": hazard,
        "severity": [None if row % 3 else "major" for row in range(count)],
    })  # fmt: skip


def no_mentions(count: int) -> pd.DataFrame:
    """Rates as usual."""
    return pd.DataFrame({FIRE: np.full(count, USUAL), CHOKING: np.full(count, USUAL)})


def strengths_of(tables: dict[str, object]) -> dict[tuple[str, str], float]:
    """The fitted strengths by kind and level."""
    rows = tables["hazard_smoothing"].to_pylist()  # type: ignore[attr-defined]
    return {(row["shares"], row["level"]): row["strength"] for row in rows}


def test_every_failure_with_a_hazard_is_counted_once() -> None:
    """Passes, failures without a hazard and those without a category are not."""
    draw = np.random.default_rng(1)
    labels = failures(draw.choice(["fire", "cut", "fall"], 90), draw.integers(0, 9, 90))
    labels.loc[:9, "failed"], labels.loc[10:14, "hazard"], labels.loc[15:16, "category"] = False, None, None
    tables = fit_hazard_tables(labels, no_mentions(90), np.arange(90) % 5, REFERENCE)
    assert sum(tables["hazards"]["failures"].to_pylist()) == 73
    assert set(strengths_of(dict(tables))) == {(kind, level) for kind, levels in LEVELS_OF.items() for level in levels}
    assert set(tables["hazard_evidence"]["feature"].to_pylist()) == {FIRE}
    assert tables["hazard_evidence"]["weight"].to_pylist() == [0.0]


def test_suppliers_that_differ_are_believed_more_than_suppliers_that_do_not() -> None:
    """The level around is worth little where each supplier fails by its own hazard, much where chance decides."""
    draw = np.random.default_rng(2)
    supplier = np.arange(400) % 20
    names = np.array(["fire", "cut", "fall", "noise"])
    parts = supplier % 5
    own = fit_hazard_tables(failures(names[supplier % 4], supplier), no_mentions(400), parts, REFERENCE)
    alike = fit_hazard_tables(failures(draw.choice(names, 400), supplier), no_mentions(400), parts, REFERENCE)
    level = ("hazards", "supplier_id")
    assert strengths_of(dict(own))[level] < 2
    assert strengths_of(dict(alike))[level] > 64


def test_mentions_weigh_what_they_tell() -> None:
    """Reviews that name the hazard of the failure get a weight, reviews that name either at random get almost none."""
    draw = np.random.default_rng(3)
    hazard = draw.choice(["fire", "small_parts"], 300)
    labels, parts = failures(hazard, np.arange(300) % 60), np.arange(300) % 60 % 5
    for honest, least, most in ((True, 0.8, 3.0), (False, 0.0, 0.2)):
        told = hazard if honest else draw.permutation(hazard)
        seen = draw.random(300) < 0.5
        rates = pd.DataFrame({FIRE: np.where(seen & (told == "fire"), 0.05, 0.008),
                              CHOKING: np.where(seen & (told == "small_parts"), 0.05, 0.008)})  # fmt: skip
        tables = fit_hazard_tables(labels, rates, parts, REFERENCE)
        (weight,) = set(tables["hazard_evidence"]["weight"].to_pylist())
        assert least <= weight <= most


def test_without_hazards_the_tables_are_empty_and_nothing_is_known() -> None:
    """A marketplace whose laboratories name no hazard trains all the same."""
    reference = training_set_of(market_frames()).reference
    assert [len(reference[name]) for name in ("hazards", "hazard_smoothing", "hazard_evidence")] == [0, 0, 0]
    assert read_hazard_shares(reference, (FIRE,)) is None


def test_only_failures_before_the_calibration_day_teach() -> None:
    """Hazards of later failures are in no table."""
    frames = market_frames()
    tests = frames["lab_tests"]
    middle = sorted(tests["happened_on"])[len(tests) // 2]
    tests["hazard"] = ["fire" if day < middle else "cut" for day in tests["happened_on"]]
    training_set = training_set_of(frames)
    learned = training_set.labels.iloc[training_set.split.train]
    expected = learned[learned["failed"]]["hazard"].value_counts().to_dict()
    counted = training_set.reference["hazards"].to_pandas().groupby("hazard")["failures"].sum().to_dict()
    assert counted == expected
    later = training_set.labels.iloc[training_set.split.test]
    assert later[later["failed"]]["hazard"].eq("cut").all()


def test_each_topic_of_a_hazard_is_one_that_reviews_are_read_for() -> None:
    """And each hazard is one that people read of by a phrase."""
    assert set(hazard_topics().values()) <= set(topics())
    assert set(hazard_topics()) <= set(hazard_phrases())
