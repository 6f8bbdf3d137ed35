"""The laws of the catalogue."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from features.definition import KEYS, Unit
from features.fitted_tables import UNTRAINED_RATES
from features.registry import BY_NAME, CATALOGUE, FEATURE_NAMES, Feature, Group
from features.registry_docs import README, with_feature_list
from tests.features.small_world import SmallWorld

EACH = pytest.mark.parametrize("feature", CATALOGUE, ids=FEATURE_NAMES)


def test_there_are_at_least_60_features_over_all_groups() -> None:
    """No group of evidence is left out."""
    assert len(CATALOGUE) >= 60
    assert {feature.group for feature in CATALOGUE} == set(get_args(Group)) - {"own features"}


def test_names_are_unique_and_look_alike() -> None:
    """A name says one thing once."""
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES) == len(BY_NAME)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]+", name) for name in FEATURE_NAMES)


@EACH
def test_a_feature_can_be_said(feature: Feature) -> None:
    """Its sentence takes one value or has levels that end with all values, and it has words for not knowing."""
    if isinstance(feature.sentence, str):
        assert feature.sentence.count("{value}") == 1
        sentences = [feature.sentence]
    else:
        bounds = [level.below for level in feature.sentence]
        assert bounds == sorted(set(bounds))
        sentences = [level.sentence for level in feature.sentence]
    for sentence in sentences:
        assert not re.search(r"[{}]", re.sub(r"\{(value|size)\}", "", sentence))
        assert sentence.endswith(".")
    assert feature.missing.endswith(".")
    assert "{" not in feature.missing + feature.meaning


@EACH
def test_a_shrunk_rate_tells_its_counts(feature: Feature) -> None:
    """A rate that is shrunk says so and has words for its counts; what it reads them from are features and a rate."""
    is_of_counts = not re.search("minus|newer ones weighing more", feature.meaning)
    assert ("shrunk" in feature.meaning and is_of_counts) == (feature.counts is not None)
    if feature.counts is not None:
        words = feature.counts
        named = {words.trials, words.hits, words.same_trials, words.at_most} - {""}
        assert named <= set(FEATURE_NAMES)
        assert words.prior in UNTRAINED_RATES
        assert words.none.endswith(".")


@EACH
def test_a_feature_belongs_somewhere(feature: Feature) -> None:
    """Its unit, entity and direction are ones the house knows, and its name starts with the entity."""
    assert feature.unit in get_args(Unit)
    assert feature.name.startswith(f"{feature.entity}_")
    assert feature.entity in KEYS
    assert feature.direction in (-1, 0, 1)


@pytest.mark.parametrize("forbidden", ["country", "strategy", "propensity", "package", "lab_id", "cost_eur"])
def test_the_compiled_query_never_names_what_must_stay_behind(world: SmallWorld, forbidden: str) -> None:
    """Country and the reasons for testing are not even read."""
    assert f'"{forbidden}"' not in world.sql


def test_the_catalogue_needs_neither_ibis_nor_pandas() -> None:
    """A service reads sentences without them."""
    heavy = "import features.registry, sys; print({'ibis', 'pandas', 'duckdb'} & set(sys.modules))"
    told = subprocess.run(
        [sys.executable, "-c", heavy],
        capture_output=True, text=True, check=True, cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert told.stdout.strip() == "set()"


def test_the_readme_lists_the_features_as_declared() -> None:
    """Run `python -m features.registry_docs` where this fails."""
    readme = README.read_text(encoding="utf-8")
    assert with_feature_list(readme) == readme
