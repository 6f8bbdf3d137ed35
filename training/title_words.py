"""What the words of a title say about failing: a linear model on the words, learned from labelled titles."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

from features.reference import SCHEMAS
from features.titles import MILLION
from training.metrics import Floats, Truths
from training.recipe_sections import TitleRecipe


def fit_title_words(titles: Sequence[str | None], failed: Truths, recipe: TitleRecipe) -> pa.Table:
    """The learned `title_words` (word, weight in log-odds) from title keys and what happened to them.

    Ridge logistic regression on the title's distinct words, each as 1 / sqrt(number of words), so that the sum of a
    title's weights over that root is its signal, the way the feature computes it. Weights are whole millionths.
    Words in fewer than `fewest_titles` different titles are not learned; without a word, or with one class, the
    table is empty.
    """
    words = [_words(title) for title in titles]
    vocabulary = _vocabulary(titles, recipe)
    if not vocabulary or len(np.unique(failed)) < 2:
        return SCHEMAS["title_words"].empty_table()
    model = LogisticRegression(C=1 / recipe.ridge, max_iter=1000)
    model.fit(_design(words, vocabulary), failed)
    weights = np.round(model.coef_[0] * MILLION) / MILLION
    return pa.table({"word": list(vocabulary), "weight": weights}, schema=SCHEMAS["title_words"])


def title_signals(titles: Sequence[str | None], learned: pa.Table) -> Floats:
    """The signal of each title key under the `learned` words, as the feature `title_signal`; NaN without a word."""
    weights = dict(zip(learned["word"].to_pylist(), learned["weight"].to_pylist(), strict=True))
    return np.asarray([_signal(_words(title), weights) for title in titles], dtype=np.float64)


def out_of_fold_signals(labels: pd.DataFrame, parts: "np.typing.NDArray[np.int64]", recipe: TitleRecipe) -> Floats:
    """The signal of each labelled row (title_key, failed) under words learned from neither its part nor its title.

    `parts` (n) numbers the part that each row's group belongs to.
    """
    titles, failed = labels["title_key"], labels["failed"].to_numpy()
    signals = np.full(len(labels), np.nan)
    for part in np.unique(parts):
        own = parts == part
        others = ~own & ~titles.isin(titles[own].dropna()).to_numpy()
        learned = fit_title_words(texts_of(titles[others]), failed[others], recipe)
        signals[own] = title_signals(texts_of(titles[own]), learned)
    return signals


def texts_of(titles: "pd.Series[str]") -> list[str | None]:
    """Title keys as texts, None where there is none."""
    return [title if isinstance(title, str) else None for title in titles]


def _words(title: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(title.split(" "))) if isinstance(title, str) else ()


def _signal(words: Sequence[str], weights: dict[str, float]) -> float:
    known = [weights[word] for word in words if word in weights]
    if not known:
        return float("nan")
    return float(sum(round(weight * MILLION) for weight in known) / MILLION / np.sqrt(len(words)))


def _vocabulary(titles: Sequence[str | None], recipe: TitleRecipe) -> dict[str, int]:
    spread = Counter(word for title in {title for title in titles if isinstance(title, str)} for word in _words(title))
    kept = sorted((-count, word) for word, count in spread.items() if count >= recipe.fewest_titles)
    return {word: column for column, word in enumerate(sorted(word for _, word in kept[: recipe.most_words]))}


def _design(words: Sequence[Sequence[str]], vocabulary: dict[str, int]) -> csr_array:
    entries = [
        (row, vocabulary[word], 1 / np.sqrt(len(each)))
        for row, each in enumerate(words)
        for word in each
        if word in vocabulary
    ]
    rows, columns, values = zip(*entries, strict=True)
    return csr_array((values, (rows, columns)), shape=(len(words), len(vocabulary)))
