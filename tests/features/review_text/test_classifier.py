"""The linear model: what it adds is bounded, it is written and read alike, and clicks teach it."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.errors import UserError
from features.review_text.classifier import BOUND, LinearModel, read_model, rule_margin, write_model
from features.review_text.classifier_training import (
    LabelledText,
    calibrate,
    find_labelled_mentions,
    fit_classifier,
    read_quote_labels,
    refit_classifier,
    training_sentences,
)
from features.review_text.mentions import find_mentions

TEXTS = [text for text in training_sentences() if text.language in ("en", "zh")][::3]


@pytest.fixture(scope="module")
def model() -> LinearModel:
    return fit_classifier(TEXTS)


def test_the_model_moves_the_cues_log_odds_by_no_more_than_its_bound(model: LinearModel) -> None:
    forms, mentions = find_labelled_mentions(TEXTS)
    by_hand = np.array([rule_margin(mention) for mention in mentions])
    assert np.abs(model.margins(forms, mentions) - by_hand).max() <= BOUND + 1e-9


def test_a_model_read_back_weighs_alike(model: LinearModel, tmp_path: Path) -> None:
    write_model(model, tmp_path)
    forms, mentions = find_labelled_mentions(TEXTS[:50])
    assert np.array_equal(read_model(tmp_path).probabilities(forms, mentions), model.probabilities(forms, mentions))


def test_learning_twice_gives_the_same_weights(model: LinearModel) -> None:
    assert np.array_equal(fit_classifier(TEXTS).weights, model.weights)


def test_the_model_kept_is_what_the_rehearsed_texts_teach(tmp_path: Path) -> None:
    refit_classifier(tmp_path)
    np.testing.assert_allclose(read_model(tmp_path).weights, read_model().weights, atol=1e-3)


def test_clicks_teach_the_model(model: LinearModel) -> None:
    text = "the zorblax part melted during the frobnication"
    clicks = [LabelledText(text, "en", False, "click")] * 3
    forms, mentions = find_mentions(pl.Series([text]), ["en"])
    assert fit_classifier(TEXTS, clicks).margins(forms, mentions).max() < model.margins(forms, mentions).max()


def exported(path: Path, **changed: str) -> Path:
    """Verdicts as officers' clicks are exported: the same sentence clicked twice, and another one."""
    row = {"review_id": "V1", "hazard": "fire_electric", "verdict": "hazard", "sentence": "It melted.",
           "language": "en", "decided_at": "2026-07-01"}  # fmt: skip
    rows = [row, {**row, "verdict": "no_hazard"}, {**row, "review_id": "V2", "verdict": "other_product", **changed}]
    pl.DataFrame(rows).write_parquet(path)
    return path


def test_the_newest_verdict_of_a_sentence_counts_for_its_hazard_alone(tmp_path: Path) -> None:
    clicks = read_quote_labels(exported(tmp_path / "clicks.parquet"))
    assert [(click.is_hazard, click.hazard) for click in clicks] == [(False, "fire_electric")] * 2
    with pytest.raises(UserError, match="holds the verdict 'maybe'; known are hazard, no_hazard, other_product"):
        read_quote_labels(exported(tmp_path / "odd.parquet", verdict="maybe"))
    pl.DataFrame({"sentence": ["It melted."]}).write_parquet(tmp_path / "short.parquet")
    with pytest.raises(UserError, match="lacks review_id, hazard, verdict, language, decided_at"):
        read_quote_labels(tmp_path / "short.parquet")


def test_clicks_on_a_hazard_teach_nothing_of_another(model: LinearModel) -> None:
    """The sentence holds a burn and a cut; only what was said of the burn is a label."""
    text = "i burned my hand and cut my finger"
    forms, mentions = find_labelled_mentions([LabelledText(text, "en", True, "told")])
    assert {mention.hazard for mention in mentions} >= {"burn", "sharp_cut"}
    of_burn = [LabelledText(text, "en", False, "click", "burn")]
    taught, other = (
        fit_classifier(TEXTS, of_burn),
        fit_classifier(TEXTS, [LabelledText(text, "en", False, "click", "fall_collapse")]),
    )
    np.testing.assert_allclose(other.weights, model.weights, atol=1e-6)
    assert taught.margins(forms, mentions).sum() < model.margins(forms, mentions).sum()


def test_calibrated_probabilities_have_the_mean_of_the_truth(model: LinearModel) -> None:
    rng = np.random.default_rng(0)
    margins = rng.normal(size=2_000)
    truth = rng.random(2_000) < 1 / (1 + np.exp(-(0.7 * margins - 1)))
    fitted = calibrate(model, margins, truth)
    assert fitted.slope == pytest.approx(0.7, abs=0.15)
    assert fitted.offset == pytest.approx(-1, abs=0.15)
