"""The pages say the same in every language of letters, and every state has its words."""

import pytest

from data.contract import DOCUMENT_KINDS
from serving.decisions.appeals import OUTCOMES
from serving.letters.restriction_letters import MEASURES
from serving.letters.words import placeholders
from serving.seller.corrective_actions import FOLLOWING
from serving.seller.counter_samples import ASKED, DECLINED, GRANTED
from serving.seller.words import FOLDER, seller_words
from tests.serving.letters.cases import LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_keys_with_the_same_placeholders(language: str) -> None:
    english, other = seller_words("en").templates, seller_words(language).templates
    assert set(english) == set(other)
    assert not [key for key in english if placeholders(english[key]) != placeholders(other[key])]
    assert all(other.values())


def test_every_state_kind_outcome_and_measure_has_words() -> None:
    words = seller_words("en")
    needed = [
        *(f"plan.{part}_{state}" for state in FOLLOWING for part in ("state", "badge")),
        *(f"documents.kind_{kind}" for kind in (*DOCUMENT_KINDS, "other")),
        *(f"appeals.outcome_{outcome}" for outcome in OUTCOMES), *(f"appeals.what_{each}" for each in MEASURES),
        *(f"counter_sample.{part}_{state}" for state in (ASKED, GRANTED, DECLINED) for part in ("state", "badge")),
    ]  # fmt: skip
    assert not [key for key in needed if not words.has(key)]


def test_no_word_of_a_letter_is_changed_here() -> None:
    """The groups of the pages are others than those of letters."""
    from serving.letters.words import words_of

    assert all(seller_words(path.stem).templates.items() >= words_of(path.stem).templates.items()
               for path in FOLDER.glob("*.toml"))  # fmt: skip
