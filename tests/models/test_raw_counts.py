"""Raw counts come back from a shrunk rate exactly, or not at all."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.fitted_tables import Prior
from features.registry import BY_NAME, CATALOGUE
from models.raw_counts import MOST_TRIALS, PER, RawCounts, raw_counts

PRIORS = st.builds(Prior, st.floats(0.001, 0.6), st.floats(0.5, 300.0))
COUNTED = [feature.name for feature in CATALOGUE if feature.counts]


def shrunk(name: str, counts: RawCounts, prior: Prior) -> float:
    """The feature that the counts make."""
    rate = (float(counts.hits) + prior.mean * prior.strength) / (float(counts.trials) + prior.strength)
    return PER.get(BY_NAME[name].unit, 1.0) * rate


def counts_of(name: str, values: Mapping[str, float], prior: Prior) -> RawCounts | None:
    """The counts behind a feature of a row with `values`, the others unknown."""
    return raw_counts(BY_NAME[name], lambda each: values.get(each, float("nan")), lambda _: prior)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(COUNTED), trials=st.integers(0, 400), share=st.floats(0, 1), prior=PRIORS)
def test_counts_are_the_true_ones_or_none(name: str, trials: int, share: float, prior: Prior) -> None:
    """From the number of trials, from that of hits, or from the rate alone."""
    counts = RawCounts(round(share * trials), trials)
    words = BY_NAME[name].counts
    assert words is not None
    values = {name: shrunk(name, counts, prior), words.trials: float(trials), words.hits: float(counts.hits)}
    if words.same_trials:
        other = BY_NAME[words.same_trials].counts
        assert other is not None
        values |= {words.same_trials: shrunk(words.same_trials, RawCounts(0, trials), prior), other.hits: 0.0}
    told = counts_of(name, values, prior)
    assert told in (counts, None)
    if words.trials:
        assert told == counts


@pytest.mark.parametrize("name", ["supplier_hazard_review_rate_90", "category_fail_rate", "factory_fail_rate_365"])
def test_a_rate_alone_tells_its_counts_where_only_one_pair_makes_it(name: str) -> None:
    """A fitted prior is hardly ever a fraction of small whole numbers."""
    prior = Prior(0.193571113, 5.7123371)
    assert counts_of(name, {name: shrunk(name, RawCounts(3, 17), prior)}, prior) == (3, 17)


def test_nothing_is_told_that_could_be_otherwise() -> None:
    """A prior of round numbers makes the same rate of several pairs; more trials than are looked for make none."""
    name = "category_fail_rate"
    assert counts_of(name, {name: shrunk(name, RawCounts(1, 2), Prior(0.5, 2.0))}, Prior(0.5, 2.0)) is None
    many = RawCounts(7, MOST_TRIALS + 5)
    prior = Prior(0.193571113, 5.7123371)
    assert counts_of(name, {name: shrunk(name, many, prior)}, prior) is None


def test_a_row_that_contradicts_itself_tells_no_counts() -> None:
    """A rate that no whole number of failures makes, or more returns than sales."""
    prior = Prior(0.193571113, 5.7123371)
    assert counts_of("sku_fail_rate", {"sku_fail_rate": 0.5, "sku_tests": 3.0}, prior) is None
    rate = shrunk("sku_safety_return_rate_365", RawCounts(7, 6), prior)
    values = {"sku_safety_return_rate_365": rate, "sku_safety_returns_365": 7.0}
    assert counts_of("sku_safety_return_rate_365", values, prior) is None


def test_what_is_no_shrunk_rate_or_unknown_has_no_counts() -> None:
    """Counts are of rates that are known."""
    prior = Prior(0.2, 3.0)
    assert counts_of("sku_tests", {"sku_tests": 3.0}, prior) is None
    assert counts_of("sku_fail_rate", {"sku_tests": 3.0}, prior) is None
