"""The stated numbers: shares that sum to one, hazards that are declared, sentences for every topic."""

import numpy as np
import pytest

from data.synthetic.vocabulary import LANGUAGES, MARKETS, TONE, categories, hazard_mix, hazards, phrases, topics


def test_shares_and_mixes_sum_to_one() -> None:
    """Of the catalogue, and of the hazards in each category as they are written in the file."""
    assert sum(category.share for category in categories()) == pytest.approx(1)
    assert np.allclose(hazard_mix().sum(axis=1), 1)
    for category in categories():
        assert sum(category.hazards.values()) == pytest.approx(1), category.name


def test_every_hazard_can_be_found_in_every_market_by_a_package_of_its_category() -> None:
    """And no package is said to find what the category does not have."""
    for category in categories():
        for market in MARKETS:
            found = {hazard for each in category.packages if market in each.markets for hazard in each.finds}
            assert found == set(category.hazards), (category.name, market)


def test_every_category_has_a_document_in_every_market() -> None:
    for category in categories():
        assert {market for each in category.documents for market in each.markets} >= set(MARKETS), category.name


def test_every_hazard_of_a_category_is_declared_and_every_declared_one_is_used() -> None:
    """No hazard is forgotten on either side."""
    assert {name for category in categories() for name in category.hazards} == {hazard.name for hazard in hazards()}


def test_serious_failures_are_some_of_the_technical_ones() -> None:
    """The outcomes are nested."""
    assert all(c.prevalence["serious"] < c.prevalence["technical"] < 1 for c in categories())


def test_every_language_has_words_for_every_tone_and_topic() -> None:
    """Two sentences at least; three where a second one follows the first."""
    known = phrases()
    assert known.count.shape == (len(LANGUAGES), len(TONE) + len(topics()))
    assert known.count.min() >= 2
    assert known.count[:, [TONE["praise"], TONE["neutral"], TONE["complaint"]]].min() >= 3
    assert known.count.sum() == len(known.sentences)
