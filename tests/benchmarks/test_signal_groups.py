"""The benchmark of signal groups leaves out what it says."""

from benchmarks.signal_groups import TABLES_OF, columns_without
from features.registry import CATALOGUE, FEATURE_NAMES


def test_every_feature_is_of_a_group() -> None:
    """Without all groups nothing is left."""
    kept = [set(columns_without(group)) for group in TABLES_OF]
    assert not set.intersection(*kept)


def test_without_tests_no_feature_knows_a_test() -> None:
    """Neither one that reads tests nor one that training learned from them for a category."""
    left = [CATALOGUE[column] for column in columns_without("tests")]
    assert not any("lab_tests" in feature.source.needs or "fail_rate" in feature.name for feature in left)
    assert 0 < len(left) < len(FEATURE_NAMES)
