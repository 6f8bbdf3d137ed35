"""More risk never means a gentler band, and no score removes a product."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UserError
from models.risk_bands import ACTIONS, TESTING, Band, RiskBands, bands_in_force, floor_for_testing

FLOORS = st.lists(st.floats(0.001, 0.999), max_size=5, unique=True).map(lambda floors: (0.0, *sorted(floors)))
PROBABILITIES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40)


@st.composite
def any_bands(draw: st.DrawFn) -> RiskBands:
    """Any bands that are allowed."""
    floors = draw(FLOORS)
    actions = sorted((draw(st.sampled_from(ACTIONS)) for _ in floors), key=ACTIONS.index)
    told = zip(floors, actions, strict=True)
    return RiskBands(band=tuple(Band(name=f"band {floor}", floor=floor, action=action) for floor, action in told))


def written(folder: Path, day: str, *bands: str) -> Path:
    """A policy folder with one file of these `[[band]]` tables."""
    (folder / "bands").mkdir(exist_ok=True)
    (folder / "bands" / f"{day}.toml").write_text("".join(f"[[band]]\n{band}\n" for band in bands), encoding="utf-8")
    return folder


LOW = 'name = "low"\nfloor = 0.0\naction = "none"'
HIGH = 'name = "high"\nfloor = 0.3\naction = "test"'


@settings(deadline=None)
@given(bands=any_bands(), probabilities=PROBABILITIES)
def test_more_risk_never_means_a_gentler_band_or_action(bands: RiskBands, probabilities: list[float]) -> None:
    """More risk never means a gentler band or action."""
    rising = np.sort(probabilities)
    assert (np.diff(bands.rank(rising)) >= 0).all()
    assert (np.diff([ACTIONS.index(action) for action in bands.action(rising)]) >= 0).all()


@settings(deadline=None)
@given(bands=any_bands(), probabilities=PROBABILITIES)
def test_a_probability_is_at_or_above_its_floor_and_below_the_next(
    bands: RiskBands, probabilities: list[float]
) -> None:
    """A probability is at or above its floor and below the next."""
    for p, name in zip(probabilities, bands.band(probabilities), strict=True):
        place = bands.names.index(name)
        assert bands.floors[place] <= p
        assert place == len(bands.floors) - 1 or p < bands.floors[place + 1]


def test_the_policy_of_the_house_has_four_bands_and_asks_for_more_with_more_risk() -> None:
    """The policy of the house has four bands and asks for more with more risk."""
    bands = bands_in_force(date(2026, 6, 30))
    assert bands.names == ("low", "moderate", "high", "very high")
    assert bands.actions == ACTIONS
    assert list(bands.band([0.0, 0.0999, 0.1, 0.25, 0.5, 1.0])) == [
        "low", "low", "moderate", "high", "very high", "very high",
    ]  # fmt: skip
    assert bands.version.startswith("2026-01-01-")


def test_no_probabilities_get_no_bands() -> None:
    """No probabilities get no bands."""
    assert len(bands_in_force(date(2026, 6, 30)).band([])) == 0


def test_the_newest_policy_that_is_not_after_the_day_is_in_force(tmp_path: Path) -> None:
    """The newest policy that is not after the day is in force."""
    written(tmp_path, "2026-01-01", LOW)
    written(tmp_path, "2026-05-01", LOW, HIGH)
    assert bands_in_force(date(2026, 4, 30), tmp_path).names == ("low",)
    assert bands_in_force(date(2026, 5, 1), tmp_path).names == ("low", "high")


@pytest.mark.parametrize("action", ["remove", "pause", "suspend", "None", ""])
def test_a_score_alone_never_removes_or_pauses(tmp_path: Path, action: str) -> None:
    """A score alone never removes or pauses."""
    written(tmp_path, "2026-01-01", LOW, f'name = "high"\nfloor = 0.3\naction = "{action}"')
    with pytest.raises(UserError, match=rf"band\[1\]\.action is '{action}'; it must be one of 'none', 'request_doc"):
        bands_in_force(date(2026, 2, 1), tmp_path)


@pytest.mark.parametrize("floors", [(0.1, 0.5), (0.0, 0.0), (0.0, 0.5, 0.4)])
def test_floors_that_do_not_start_at_0_and_rise_are_refused(tmp_path: Path, floors: tuple[float, ...]) -> None:
    """Floors that do not start at 0 and rise are refused."""
    tables = [f'name = "band {place}"\nfloor = {floor}\naction = "none"' for place, floor in enumerate(floors)]
    written(tmp_path, "2026-01-01", *tables)
    with pytest.raises(UserError, match=r"bands/2026-01-01.toml: band floors must start at 0 and rise, got"):
        bands_in_force(date(2026, 2, 1), tmp_path)


@pytest.mark.parametrize("floor", [1.0, -0.1, float("nan")])
def test_a_floor_that_no_probability_passes_is_refused(tmp_path: Path, floor: float) -> None:
    """A floor of 1 and above, or below 0, is refused."""
    written(tmp_path, "2026-01-01", LOW, HIGH.replace("0.3", str(floor)))
    with pytest.raises(UserError, match=rf"band\[1\]\.floor is {floor}; it must be a number of at least 0 and below 1"):
        bands_in_force(date(2026, 2, 1), tmp_path)


def test_a_gentler_action_for_more_risk_is_refused(tmp_path: Path) -> None:
    """A gentler action for more risk is refused."""
    written(tmp_path, "2026-01-01", LOW.replace("none", "test"), HIGH.replace('"test"', '"none"'))
    with pytest.raises(UserError, match="more risk may not ask for a gentler action"):
        bands_in_force(date(2026, 2, 1), tmp_path)


def test_two_bands_of_one_name_are_refused(tmp_path: Path) -> None:
    """Two bands of one name are refused."""
    written(tmp_path, "2026-01-01", LOW, HIGH.replace("high", "low"))
    with pytest.raises(UserError, match="each band needs a name of its own"):
        bands_in_force(date(2026, 2, 1), tmp_path)


def test_a_policy_without_bands_is_refused(tmp_path: Path) -> None:
    """A policy without bands is refused."""
    written(tmp_path, "2026-01-01")
    with pytest.raises(UserError, match="band is missing; it must be a list of at least 1, each a table with"):
        bands_in_force(date(2026, 2, 1), tmp_path)


@pytest.mark.parametrize("p_fail", [-0.01, 1.01, float("nan")])
def test_what_is_no_probability_gets_no_band(p_fail: float) -> None:
    """What is no probability gets no band."""
    with pytest.raises(UserError, match="A probability is between 0 and 1, got"):
        bands_in_force(date(2026, 6, 30)).band([0.5, p_fail])


def test_exactly_from_the_testing_floor_on_a_band_asks_for_a_test() -> None:
    """Exactly from the testing floor on a band asks for a test."""
    day = date(2026, 6, 30)
    floor = floor_for_testing(day)
    below, at = bands_in_force(day).action([np.nextafter(floor, 0), floor])
    assert below not in TESTING
    assert at in TESTING


def test_without_a_band_that_asks_for_a_test_the_floor_is_one(tmp_path: Path) -> None:
    """Without a band that asks for a test the floor is one."""
    written(tmp_path, "2026-01-01", LOW, HIGH.replace('"test"', '"request_documents"'))
    assert floor_for_testing(date(2026, 2, 1), tmp_path) == 1.0
