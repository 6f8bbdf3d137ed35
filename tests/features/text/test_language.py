"""Language: from the table, else from script and common words."""

import pytest

from features.text.language import known_language, language_of
from features.text.rehearsal import rehearsed_texts


def test_the_marketplaces_sentences_are_known_by_their_words() -> None:
    texts = [text for text in rehearsed_texts() if text.family in ("told", "praise", "complaint")]
    right = sum(language_of(text.text.lower()) == text.language for text in texts)
    assert right > 0.95 * len(texts)


@pytest.mark.parametrize(
    ("given", "known"), [("DE", "de"), ("de-AT", "de"), (" en_US", "en"), ("it", None), (None, None)]
)
def test_the_tables_language_is_taken_where_it_has_phrases(given: str | None, known: str | None) -> None:
    assert known_language(given) == known


@pytest.mark.parametrize("text", ["", "12345", "!!!", "\u0e01\u0e02"])
def test_text_that_tells_nothing_has_no_language(text: str) -> None:
    assert language_of(text) is None
