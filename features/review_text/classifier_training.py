"""Training of the linear model: on sentences of known truth, and on officers' labels of quotes where given."""

import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.errors import UserError
from data.synthetic.vocabulary import TONES, topics
from data.synthetic.vocabulary import phrases as marketplace_phrases
from features.review_text.classifier import BUCKETS, FOLDER, LinearModel, read_model, words_around, write_model
from features.review_text.mentions import Mention, find_mentions
from features.review_text.normalization import LANGUAGES, NormalForm, language_of

SENTENCES_FILE: Final = Path(__file__).resolve().parent / "training_sentences.toml"
WORDS_WITHOUT_HARM: Final = ("negation", "figurative", "hypothetical", "elsewhere", "praise", "neutral", "complaint")
# Sentences about these topics of the marketplace speak of no hazard that the phrases know.
WITHOUT_HAZARD: Final = ("performance", "noise")


@dataclass(frozen=True)
class LabelledText:
    """Training example: text, language, and whether its mentions are hazards of the product; `family` is its kind.

    Officers' labels of quotes take the same form; theirs is about `hazard` alone.
    """

    text: str
    language: str
    is_hazard: bool
    family: str
    hazard: str | None = None


def training_sentences() -> list[LabelledText]:
    """Every sentence of the marketplace, and each of its words of harm in every frame of `training_sentences.toml`."""
    frames = tomllib.loads(SENTENCES_FILE.read_text(encoding="utf-8"))
    texts = []
    for number, language in enumerate(LANGUAGES):
        for tone in WORDS_WITHOUT_HARM:
            texts += [LabelledText(text, language, False, tone) for text in _sentences(number, TONES.index(tone))]
        harms = [
            harm.rstrip(".。")
            for topic, name in enumerate(topics()) if name not in WITHOUT_HAZARD
            for harm in _sentences(number, len(TONES) + topic)
        ]  # fmt: skip
        for family, is_hazard in (("told", True), ("other", False)):
            texts += [
                LabelledText(frame.format(harm=harm[0].lower() + harm[1:]), language, is_hazard, family)
                for frame in frames[language][family] for harm in harms
            ]  # fmt: skip
        texts += [LabelledText(text, language, False, "harmless") for text in frames[language]["harmless"]]
    return texts


def _sentences(language: int, kind: int) -> list[str]:
    known = marketplace_phrases()
    start, count = int(known.start[language, kind]), int(known.count[language, kind])
    return [str(text) for text in known.sentences[start : start + count].to_pylist()]


REGULARISATION = 1.0
IS_HAZARD, NO_HAZARD = "hazard", ("no_hazard", "other_product")
LABEL_COLUMNS = ("review_id", "hazard", "verdict", "sentence", "language", "decided_at")


def fit_classifier(
    texts: Sequence[LabelledText], labels: Sequence[LabelledText] = (), label_weight: float = 5.0
) -> LinearModel:
    """The model fitted on all mentions in `texts` and `labels`, a label counting `label_weight` times; not calibrated.

    The two classes of each language weigh alike, so that the base rate of no language affects another.
    """
    from sklearn.linear_model import LogisticRegression

    labelled = [*texts, *labels]
    forms, mentions = find_labelled_mentions(labelled)
    mentions = [mention for mention in mentions if labelled[mention.text].hazard in (None, mention.hazard)]
    truth = np.array([labelled[mention.text].is_hazard for mention in mentions])
    weight = np.where([mention.text >= len(texts) for mention in mentions], label_weight, 1.0)
    for language in {mention.language for mention in mentions}:
        for side in (True, False):
            mine = (truth == side) & np.array([mention.language == language for mention in mentions])
            weight[mine] *= 1.0 / max(weight[mine].sum(), 1.0)
    weight *= len(mentions) / weight.sum()
    fitted = LogisticRegression(C=REGULARISATION, max_iter=1_000)
    fitted.fit(words_around(forms, mentions), truth, sample_weight=weight)
    weights = np.asarray(fitted.coef_[0], dtype=np.float32)
    assert weights.shape == (BUCKETS,)
    return LinearModel(weights, float(fitted.intercept_[0]), slope=1.0, offset=0.0)


def refit_classifier(folder: Path = FOLDER, labels: Path | None = None) -> None:
    """Fit on the training sentences, and the file `labels`, and write the model to `folder`; its calibration stays."""
    model, examples = read_model(), read_quote_labels(labels) if labels else ()
    write_model(replace(fit_classifier(training_sentences(), examples), slope=model.slope, offset=model.offset), folder)


def read_quote_labels(path: Path) -> list[LabelledText]:
    """Officers' labels of quotes, as `touchstone verdicts` exports them: whether a quote is of a hazard of its product.

    Raises UserError where columns are missing or a verdict is none that is known.
    """
    rows = pl.read_parquet(path)
    if missing := [name for name in LABEL_COLUMNS if name not in rows.columns]:
        raise UserError(f"{path} lacks {', '.join(missing)}. Export it with `touchstone verdicts`.")
    labels = rows.unique(["review_id", "hazard", "sentence"], keep="last", maintain_order=True)
    if unknown := sorted(set(labels["verdict"].to_list()) - {IS_HAZARD, *NO_HAZARD}):
        raise UserError(f"{path} holds the verdict {unknown[0]!r}; known are {IS_HAZARD}, {', '.join(NO_HAZARD)}.")
    return [
        LabelledText(row["sentence"], row["language"] or language_of(row["sentence"].lower()) or "en",
                     row["verdict"] == IS_HAZARD, "click", row["hazard"])
        for row in labels.iter_rows(named=True)
    ]  # fmt: skip


def calibrate(model: LinearModel, margins: NDArray[np.float64], truth: NDArray[np.bool_]) -> LinearModel:
    """The model with the slope and offset that make its margins the log-odds of `truth` (Platt 1999)."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e6).fit(margins[:, None], truth)
    return replace(model, slope=float(fitted.coef_[0, 0]), offset=float(fitted.intercept_[0]))


def find_labelled_mentions(labelled: Sequence[LabelledText]) -> tuple[list[NormalForm], list[Mention]]:
    """The mentions that the phrases find in these texts."""
    texts = pl.Series([example.text for example in labelled], dtype=pl.String)
    return find_mentions(texts, [example.language for example in labelled])


if __name__ == "__main__":
    refit_classifier(labels=Path(sys.argv[1]) if sys.argv[1:] else None)
