"""The learned part of the second stage: a linear model over the hashed words around a phrase.

Words and pairs of neighbouring words are hashed into 16,384 buckets (scikit-learn's HashingVectorizer), so that no
vocabulary is kept; a logistic regression weighs them. Hand-kept cues come first: the model adds at most `BOUND` to
their log-odds. Two numbers then make a probability of the sum (Platt scaling). The slope comes from 120 mentions of the
tuning half that were read and labelled, half of them from incident narratives; the level from all 83 mentions of safety
hazards in ordinary review sentences of the tuning half, of which four or five were true. So a probability speaks
of an ordinary stream of reviews; of a product that does harm, more mentions are true.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from features.review_text.lexicon import Strength, cues
from features.review_text.mentions import Mention
from features.review_text.normalization import NormalForm

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import HashingVectorizer

FOLDER: Final = Path(__file__).resolve().parent / "model"
BUCKETS: Final = 2**14
BOUND: Final = 1.5
COUNTS_FROM: Final = 0.14
"""The probability from which a mention counts: two thirds of incident narratives have one, and of a thousand ordinary
sentences three at most."""
STRENGTH_LOG_ODDS: Final[dict[Strength, float]] = {"harm": 2.0, "strong": 1.0, "weak": -1.2}
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LinearModel:
    """Weights per bucket and their intercept; `slope` and `offset` turn a margin into calibrated log-odds."""

    weights: NDArray[np.float32]
    intercept: float
    slope: float
    offset: float

    def margins(self, forms: Sequence[NormalForm], mentions: Sequence[Mention]) -> Floats:
        """Log-odds before calibration: of the phrase's strength, its cues, and the words around it."""
        by_hand = np.array([rule_margin(mention) for mention in mentions], dtype=np.float64)
        if not mentions:
            return by_hand
        learned = words_around(forms, mentions) @ self.weights.astype(np.float64) + self.intercept
        return np.asarray(by_hand + np.clip(learned, -BOUND, BOUND))

    def probabilities(self, forms: Sequence[NormalForm], mentions: Sequence[Mention]) -> Floats:
        """The calibrated probability that each mention speaks of a hazard of the reviewed product."""
        log_odds = self.slope * self.margins(forms, mentions) + self.offset
        return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))


def rule_margin(mention: Mention) -> float:
    """The log-odds that the phrase's strength and the cues around it give."""
    # Sorted, so that the sum does not depend on the order of a set.
    return STRENGTH_LOG_ODDS[mention.strength] + sum(cues()[name].shift for name in sorted(mention.cues))


def words_around(forms: Sequence[NormalForm], mentions: Sequence[Mention]) -> Any:
    """A sparse matrix, mentions by buckets: the sentence with its phrase replaced by the name of the hazard."""
    return _vectorizer().transform([_document(forms[mention.text].text, mention) for mention in mentions])


@cache
def read_model(folder: Path = FOLDER) -> LinearModel:
    """The model that `write_model` wrote."""
    record = json.loads((folder / "linear.json").read_text(encoding="utf-8"))
    stored = np.load(folder / "linear.npz", allow_pickle=False)
    weights = np.zeros(BUCKETS, dtype=np.float32)
    weights[stored["bucket"]] = stored["weight"]
    return LinearModel(weights, record["intercept"], record["slope"], record["offset"])


def write_model(model: LinearModel, folder: Path = FOLDER) -> None:
    """Write `linear.json` and the weights that are not zero, `linear.npz`."""
    folder.mkdir(parents=True, exist_ok=True)
    bucket = np.flatnonzero(model.weights)
    np.savez_compressed(
        folder / "linear.npz", bucket=bucket.astype(np.uint16), weight=model.weights[bucket].astype(np.float32)
    )
    record = {"intercept": model.intercept, "slope": model.slope, "offset": model.offset}
    (folder / "linear.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def model_digest(folder: Path = FOLDER) -> str:
    """A digest of the model's numbers."""
    model = read_model(folder)
    numbers = repr((model.intercept, model.slope, model.offset)).encode() + model.weights.tobytes()
    return hashlib.sha256(numbers).hexdigest()


def _document(text: str, mention: Mention) -> str:
    (begin, end), (first, last) = mention.sentence, mention.phrase
    words = f"{text[begin:first]} hazard_{mention.hazard} {text[last:end]}"
    return words if words.isascii() else _CJK.sub(lambda letter: f" {letter.group()} ", words)


@cache
def _vectorizer() -> "HashingVectorizer":
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        n_features=BUCKETS, ngram_range=(1, 2), token_pattern=r"\w+",  # noqa: S106 - no password
        lowercase=False, alternate_sign=False, binary=True, norm="l2",
    )  # fmt: skip
