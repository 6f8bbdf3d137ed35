"""The extractor: any input, offsets into the original, company that changes nothing, and time that is linear."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from features.review_text.classifier import FOLDER, read_model, write_model
from features.review_text.classifier_training import training_sentences
from features.review_text.extractor import (
    EXTRACTOR,
    SCHEMA,
    ExtractionResult,
    RecallAudit,
    ReviewBatch,
    clean_texts,
    exact_interval,
    extract_mentions,
    extractor_version,
    map_in_order,
    sampled_rows,
    signs_of_incident,
    version_of,
)
from features.review_text.hazards import HAZARDS
from features.review_text.lexicon import CUES, PHRASES
from features.review_text.normalization import WORDS


@given(st.integers(0, 2**40), st.integers(0, 2**32))
def test_a_row_is_sampled_whatever_stands_beside_it(row: int, seed: int) -> None:
    alone = sampled_rows(np.array([row]), seed)[0]
    assert sampled_rows(np.arange(row - 3, row + 3), seed)[3] == alone


def test_the_sample_has_its_share() -> None:
    assert sampled_rows(np.arange(400_000), seed=3).mean() == pytest.approx(0.0075, abs=0.0006)


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_interval_is_that_of_scipy(successes: int, failures: int) -> None:
    trials = successes + failures
    if trials:
        expected = binomtest(successes, trials).proportion_ci(method="exact")
        assert exact_interval(successes, trials) == pytest.approx((expected.low, expected.high))


@given(st.integers(0, 50), st.integers(1, 10_000), st.integers(1, 50))
def test_the_estimate_lies_in_its_interval(hits: int, without_hit: int, sampled: int) -> None:
    for with_signs in {0, sampled // 2, sampled}:
        estimate, low, high = RecallAudit(hits, without_hit, sampled, with_signs).miss_rate
        assert 0.0 <= low <= estimate <= high <= 1.0


def test_an_incident_is_known_by_its_signs_without_any_phrase() -> None:
    texts = pl.Series([
        "Luckily my daughter was not under it, we went to the hospital with her wrist.",
        "Lovely colour and my daughter likes it.",
    ])  # fmt: skip
    assert signs_of_incident(texts, ["en", None]).tolist() == [True, False]


TOLD = [text for text in training_sentences() if text.is_hazard]
ANY_TEXT = st.one_of(
    st.text(max_size=80),
    st.text(st.characters(categories=["Cs", "Mn", "So", "Cf", "Zs", "Lo"]), max_size=80),
    st.tuples(st.text(max_size=20), st.sampled_from(TOLD), st.text(max_size=20)).map(
        lambda parts: parts[0] + " " + parts[1].text + " " + parts[2]
    ),
)


def read_texts(texts: list[str | None], language: str | None = None, *, sampled: bool = False) -> ExtractionResult:
    rows = np.arange(len(texts), dtype=np.int64)
    spoken = pl.Series([language] * len(texts), dtype=pl.String)
    return extract_mentions(ReviewBatch(rows, clean_texts(texts), spoken, np.full(len(texts), sampled)))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ANY_TEXT, max_size=8))
def test_any_text_is_read_and_its_spans_point_into_the_original(texts: list[str]) -> None:
    reading = read_texts(list(texts), sampled=True)
    assert dict(reading.mentions.schema) == SCHEMA
    for mention in reading.mentions.iter_rows(named=True):
        assert 0 <= mention["start"] <= mention["phrase_start"] < mention["phrase_end"] <= mention["end"]
        assert mention["end"] <= len(texts[mention["row"]])
        assert mention["end"] - mention["start"] == len(mention["sentence"])
        assert 0.0 <= mention["probability"] <= 1.0
        assert 0 <= mention["severity"] <= 4


def test_the_span_cuts_the_sentence_and_the_phrase_out_of_the_original() -> None:
    text = "Nice &amp; cheap. My ＣＨＡＲＧＥＲ caught   FIRE last night!! Bad."  # noqa: RUF001 - full width
    found = read_texts([text], "en").mentions.filter(pl.col("hazard") == "fire_electric").row(0, named=True)
    assert text[found["start"] : found["end"]] == "My ＣＨＡＲＧＥＲ caught   FIRE last night!!"  # noqa: RUF001
    assert text[found["phrase_start"] : found["phrase_end"]] == "caught   FIRE"


@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from(TOLD), min_size=2, max_size=6), st.randoms())
def test_a_review_is_read_alike_whatever_stands_beside_it(texts, random) -> None:  # type: ignore[no-untyped-def]
    given_texts = [text.text for text in texts]
    before = read_texts(list(given_texts)).mentions
    order = list(range(len(texts)))
    random.shuffle(order)
    after = read_texts([given_texts[number] for number in order]).mentions
    back = after.with_columns(row=pl.Series([order[number] for number in after["row"]], dtype=pl.Int64))
    assert before.equals(back.sort("row", maintain_order=True))


def seconds_for(text: str) -> float:
    started = time.perf_counter()
    read_texts([text])
    return time.perf_counter() - started


@pytest.mark.parametrize(
    "piece",
    [
        "it caught fire ",
        "a",
        "\u0301",
        "&amp;",
        "<b",
        "aaa ",
        "1 2 3 ",
        "爆炸了",
        "no no no ",
        "a@b.c ",
        "!?",
        "\ufdfa",
    ],
)
def test_a_review_four_times_as_long_takes_no_more_than_about_four_times_as_long(piece: str) -> None:
    short = piece * (30_000 // len(piece))
    least = min(seconds_for(short) for _ in range(2))
    assert seconds_for(short * 4) < 10 * least + 0.5


def test_a_review_of_a_million_characters_without_an_end_of_sentence_is_read() -> None:
    text = "word " * 199_000 + "it exploded" + " word" * 1_000
    found = read_texts([text], "en").mentions
    assert found["hazard"].to_list() == ["fire_electric"]
    assert len(found["sentence"][0]) < 900


def test_a_lone_surrogate_and_a_missing_text_are_read() -> None:
    found = read_texts(["\ud800 it caught fire \udfff", None, ""], "en").mentions
    assert found["row"].unique().to_list() == [0]


def test_results_come_in_the_order_given() -> None:
    def wait(number: int) -> int:
        time.sleep(0.02 if number % 2 else 0.0)
        return number

    assert list(map_in_order(wait, range(9))) == list(range(9))


def test_the_version_names_the_extractor() -> None:
    assert extractor_version().startswith("x-")
    assert len(extractor_version()) == 14


def tables_like(folder: Path, change: tuple[str, str] = ("", "")) -> tuple[Path, ...]:
    """Copies of the extractor's tables under other names, with one piece of text exchanged."""
    copies = []
    for number, table in enumerate((HAZARDS, PHRASES, CUES, WORDS)):
        copies.append(folder / f"{number}.toml")
        copies[-1].write_text(table.read_text(encoding="utf-8").replace(*change, 1), encoding="utf-8")
    return tuple(copies)


@pytest.mark.parametrize("change", [("", ""), ("# The", "# These are the"), ("a burn or a scald", "burns"),
                                    ("ends the reach of a negation", "stops it")])  # fmt: skip
def test_names_comments_and_meanings_leave_the_version_as_it_is(tmp_path: Path, change: tuple[str, str]) -> None:
    """No review needs to be read again for them."""
    assert version_of(EXTRACTOR, tables_like(tmp_path, change), FOLDER) == extractor_version()


@pytest.mark.parametrize("change", [("electrocuted", "electrified"), ("shift = 0.0", "shift = 0.5"),
                                    ("safety = true", "safety = false"), ("the and to", "the to")])  # fmt: skip
def test_phrases_cues_and_words_change_the_version(tmp_path: Path, change: tuple[str, str]) -> None:
    """They decide what is found."""
    assert version_of(EXTRACTOR, tables_like(tmp_path, change), FOLDER) != extractor_version()


def test_the_number_and_the_model_change_the_version(tmp_path: Path) -> None:
    """Code that reads otherwise raises the number; learned weights count by themselves."""
    tables = tables_like(tmp_path)
    write_model(replace(read_model(), offset=read_model().offset + 0.1), tmp_path / "model")
    versions = {version_of(EXTRACTOR, tables, FOLDER), version_of(EXTRACTOR + 1, tables, FOLDER),
                version_of(EXTRACTOR, tables, tmp_path / "model")}  # fmt: skip
    assert len(versions) == 3
    write_model(read_model(), tmp_path / "copy")
    assert version_of(EXTRACTOR, tables, tmp_path / "copy") == extractor_version()
