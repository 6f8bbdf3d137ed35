"""The report of a replay, and the comparison behind it."""

from dataclasses import replace
from pathlib import Path

import pytest

from data.errors import UserError
from data.progress import SilentProgress
from training.simulation.comparison import ALWAYS, SimulationComparison, compare, select_strategies
from training.simulation.report import headline, write_report

COMPARISON = SimulationComparison("drifting", 4_000, (1, 2), 4, 15_000.0, ("epsilon-greedy 20 %",))


def test_a_comparison_becomes_a_page_that_needs_nothing_else(tmp_path: Path) -> None:
    runs = compare(COMPARISON, SilentProgress())
    assert {run.strategy for run in runs} == {*ALWAYS, "epsilon-greedy 20 %"}
    assert {run.seed for run in runs} == {1, 2}
    page = write_report(runs, tmp_path).read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert "http" not in page
    for sentence in ("2 simulated", "What exploration cost", "1,000 EUR more in a round", "never a prevalence"):
        assert sentence in page
    assert "times the failures that testing at random found" in headline(runs)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"budget_eur": 100.0}, "a replay needs 20"),
        ({"budget_eur": 1_000_000.0}, "are too many for 4,000 SKUs"),
        ({"rounds": 0}, "tells nothing"),
    ],
)
def test_a_comparison_that_cannot_be_is_refused(changes: dict[str, float], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        compare(replace(COMPARISON, **changes), SilentProgress())  # type: ignore[arg-type]


def test_an_unknown_strategy_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(UserError, match=r"no strategy 'luck'\. Name any of: plan, "):
        select_strategies(["luck"])
