"""The first stage: nothing that the second stage would find is passed over."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.review_text.classifier_training import training_sentences
from features.review_text.lexicon import phrases
from features.review_text.matching import anchors, candidates


def test_every_phrase_holds_an_anchor() -> None:
    flat = pl.Series([f" {phrase.pattern.strip()} " for phrase in phrases()])
    assert flat.str.contains_any(list(anchors())).all()


def test_no_anchor_holds_another_so_that_the_automaton_stays_small() -> None:
    assert len(anchors()) < 5_000


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([p.pattern for p in phrases()]), st.text(max_size=40), st.sampled_from([" ", ". ", "\n", "<br />"])
)
def test_a_phrase_makes_a_candidate_of_whatever_it_stands_in(pattern: str, around: str, between: str) -> None:
    text = around.encode("utf-8", "replace").decode() + between + pattern.strip() + between + "x"
    assert candidates(pl.Series([text]))[0]


def test_candidates_are_few_among_ordinary_sentences() -> None:
    praise = [text.text for text in training_sentences() if text.family in ("praise", "neutral")]
    assert candidates(pl.Series(praise)).sum() < 0.1 * len(praise)


def test_missing_text_is_no_candidate() -> None:
    assert candidates(pl.Series([None, ""], dtype=pl.String)).to_list() == [False, False]
