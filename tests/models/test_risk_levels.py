"""Likelier or severer harm never lowers a risk level."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from data.policy import POLICY_FOLDER
from models.hazard_words import hazard_phrases
from models.risk_levels import HARM_LEVELS, LEVELS, SEVERITIES, RiskLevelPolicy, risk_levels_in_force

DAY = date(2026, 6, 30)
HOUSE = risk_levels_in_force(DAY)
PROBABILITY = st.floats(0.0, 1.0)


def rank_of(probability: float, level: int) -> int:
    """The risk level of a harm of this level that has this probability."""
    reached = np.where(np.arange(1, HARM_LEVELS + 1) <= level, probability, 0.0)
    return int(HOUSE.rank(reached[None, :])[0])


def edited(folder: Path, given: str, instead: str) -> RiskLevelPolicy:
    """The house's policy with one edit."""
    text = (POLICY_FOLDER / "risk_levels" / "2026-01-01.toml").read_text("utf-8")
    assert given in text
    (folder / "risk_levels").mkdir()
    (folder / "risk_levels" / "2026-01-01.toml").write_text(text.replace(given, instead, 1), "utf-8")
    return risk_levels_in_force(DAY, folder)


@given(two=st.lists(PROBABILITY, min_size=2, max_size=2).map(sorted), level=st.integers(1, HARM_LEVELS))
def test_a_likelier_harm_never_has_a_lower_level(two: list[float], level: int) -> None:
    """A likelier harm never has a lower level."""
    assert rank_of(two[0], level) <= rank_of(two[1], level)


@given(probability=PROBABILITY, level=st.integers(1, HARM_LEVELS - 1))
def test_a_severer_harm_never_has_a_lower_level(probability: float, level: int) -> None:
    """A severer harm never has a lower level."""
    assert rank_of(probability, level) <= rank_of(probability, level + 1)


@pytest.mark.parametrize(("probability", "level", "expected"), [
    (0.5, 1, "high"), (0.499, 1, "medium"), (0.1, 2, "serious"), (0.01, 1, "medium"), (0.001, 1, "low"),
    (0.001, 2, "high"), (0.0001, 2, "medium"), (0.0001, 3, "high"), (0.0001, 4, "serious"), (0.00001, 4, "high"),
    (0.000001, 4, "medium"), (0.0000009, 4, "low"), (0.0, 4, "low"),
])  # fmt: skip
def test_the_matrix_of_the_house_is_the_published_one(probability: float, level: int, expected: str) -> None:
    """Cells of the published matrix, their floors included."""
    assert LEVELS[rank_of(probability, level)] == expected


@pytest.mark.parametrize("hazard", [*HOUSE.hazards, "of no list"])
def test_the_young_are_never_spared(hazard: str) -> None:
    """Neither harm level nor probability is lower for young children, and a worse finding never reaches less."""
    everybody, young = HOUSE.harm_of(hazard, young=False), HOUSE.harm_of(hazard, young=True)
    assert young.harm_level >= everybody.harm_level
    assert young.injury_probability >= everybody.injury_probability
    assert (HOUSE.levels_reached(hazard, young=True) >= HOUSE.levels_reached(hazard, young=False)).all()
    assert (np.diff(HOUSE.levels_reached(hazard, young=False)) >= 0).all()
    assert len(HOUSE.levels_reached(hazard, young=False)) == len(SEVERITIES)


def test_the_hazards_of_the_policy_have_words() -> None:
    """A hazard of the policy is one that people read of by a phrase."""
    assert set(HOUSE.hazards) <= {*hazard_phrases(), "arsenic", "mercury"}


@pytest.mark.parametrize(("given", "instead", "message"), [
    ('levels = ["low", "high", "serious", "serious"]', 'levels = ["low", "high", "medium", "serious"]',
     "levels may not fall where harm is likelier or severer"),
    ("at_least = 0.1", "at_least = 0.6", "at_least must fall and end at 0"),
    ("at_least = 0.0\n", "at_least = 0.0000001\n", "at_least must fall and end at 0"),
    ("minor = 2", "minor = 4", "a worse severity may not lead to a lower harm level"),
    ("level_2 = 1.5", "level_2 = 2.5", "a worse harm may not weigh less"),
    ("young = { harm_level = 4, injury_probability = 0.0001 }", "young = { harm_level = 1, injury_probability = 0.1 }",
     "young may not be gentler"),
])  # fmt: skip
def test_a_policy_that_spares_the_worse_is_refused(tmp_path: Path, given: str, instead: str, message: str) -> None:
    """Each rule names what is wrong."""
    with pytest.raises(UserError, match=message):
        edited(tmp_path, given, instead)
