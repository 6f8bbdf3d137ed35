"""Every hazard has words that people read."""

import pytest

from data.synthetic.vocabulary import hazards as sample_hazards
from features.review_text.hazards import hazards as review_hazards
from models.hazard_words import hazard_phrase, hazard_phrases


@pytest.mark.parametrize("code", sorted({*(each.name for each in sample_hazards()), *review_hazards()}))
def test_every_hazard_of_tests_and_reviews_has_words(code: str) -> None:
    """No page shows a code where a hazard of the sample marketplace or of the reviews stands."""
    assert code in hazard_phrases()


@pytest.mark.parametrize("phrase", hazard_phrases().values())
def test_a_phrase_completes_a_sentence(phrase: str) -> None:
    """No code, no full stop, no capital at its start."""
    assert "_" not in phrase
    assert not phrase.endswith(".")
    assert phrase[0].islower()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("irritant", "skin irritation hazard"),
        ("no_protection", "gives no protection"),
        ("battery_access", "battery can be reached by a child"),
        ("fire", "fire hazard"),
        ("laser_beam", "laser beam"),
    ],
)
def test_a_hazard_is_said_in_words(code: str, words: str) -> None:
    """A code that is not listed is said in its own words."""
    assert hazard_phrase(code) == words
