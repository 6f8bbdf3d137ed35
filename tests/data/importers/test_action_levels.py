"""Promises of the action levels."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.importers.action_levels import ActionLevels, Finding, read_action_levels
from data.importers.nyc_metals import LEVELS_FILE

LEVELS = ActionLevels(
    {"ppm": "ppm", "MG/KG-DRY": "ppm"}, {("Spice", "Lead", "ppm"): 2.0, ("Spice", "Cadmium", "ppm"): 1.0}
)
FINDINGS = st.builds(
    Finding,
    st.sampled_from(["Lead", "Cadmium", "Chromium"]),
    st.sampled_from(["ppm", "MG/KG-DRY", "Other"]),
    st.none() | st.floats(0, 1e6),
)


@given(st.lists(FINDINGS), FINDINGS)
def test_another_finding_never_turns_a_failure_into_anything_else(findings: list[Finding], more: Finding) -> None:
    """Another finding never turns a failure into anything else."""
    if LEVELS.evaluate("Spice", findings).result == "fail":
        assert LEVELS.evaluate("Spice", [*findings, more]).result == "fail"


@given(st.lists(FINDINGS))
def test_the_order_of_the_findings_changes_nothing(findings: list[Finding]) -> None:
    """The order of the findings changes nothing."""
    assert LEVELS.evaluate("Spice", findings) == LEVELS.evaluate("Spice", findings[::-1])


def test_a_metal_at_its_level_passes_and_the_metal_furthest_above_is_the_hazard() -> None:
    """A metal at its level passes and the metal furthest above is the hazard."""
    assert LEVELS.evaluate("Spice", [Finding("Lead", "MG/KG-DRY", 2.0)]).result == "pass"
    verdict = LEVELS.evaluate("Spice", [Finding("Lead", "ppm", 4.0), Finding("Cadmium", "ppm", 3.0)])
    assert (verdict.result, verdict.hazard) == ("fail", "cadmium")


def test_every_level_in_the_file_states_its_source_and_is_stated_once() -> None:
    """Every level in the file states its source and is stated once."""
    rows = tomllib.loads(LEVELS_FILE.read_text(encoding="utf-8"))["levels"]
    assert all(row["source"] and row["basis"] in ("own", "borrowed") and row["level"] > 0 for row in rows)
    assert len(read_action_levels(LEVELS_FILE).levels) == len(rows)


@pytest.mark.parametrize(
    ("product_type", "metal", "level"),
    [
        ("Paint Supplies", "Lead", 90),
        ("Toys/Children's Products", "Lead", 100),
        ("Food-Candy", "Lead", 0.1),
        ("Cosmetics", "Lead", 10),
    ],
)
def test_levels_set_by_law_or_guidance_are_theirs(product_type: str, metal: str, level: float) -> None:
    """Levels set by law or guidance are theirs."""
    assert read_action_levels(LEVELS_FILE).levels[product_type, metal, "ppm"] == level
