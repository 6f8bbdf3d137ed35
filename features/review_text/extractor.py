"""The extractor: reviews in, mentions of hazards out, in two stages."""

import hashlib
import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.review_text.classifier import FOLDER, model_digest, read_model
from features.review_text.hazards import HAZARDS, hazards
from features.review_text.lexicon import CUES, PHRASES, cue_patterns
from features.review_text.matching import candidates, search
from features.review_text.mentions import find_mentions
from features.review_text.normalization import (
    WORDS,
    flatten,
    known_language,
    language_of,
    normal_forms,
    without_surrogates,
)
from features.review_text.redaction import redact

SAMPLED_SHARE: Final = 0.0075
# A doctor, a danger to life: two signs each; suddenly, my daughter, had to unplug: one each.
SIGNS: Final = {"incident": 1, "medical": 2, "life": 2}
LEAST_SIGNS: Final = 3


@dataclass(frozen=True)
class RecallAudit:
    """Audit of the phrases' recall by signs of an incident: two ways to find the same reviews (capture-recapture).

    `hits_with_signs` reviews have a mention and the signs; `sampled` of the `without_hit` reviews were read again,
    `sampled_with_signs` of these have the signs. The two ways agree more often than chance on blatant cases, so the
    miss rate is rather too low than too high.
    """

    hits_with_signs: int
    without_hit: int
    sampled: int
    sampled_with_signs: int

    @property
    def miss_rate(self) -> tuple[float, float, float]:
        """Of all reviews with the signs the share without a hit: estimate, and its exact 95 % interval."""
        low, high = exact_interval(self.sampled_with_signs, self.sampled)
        estimate = self.sampled_with_signs / self.sampled if self.sampled else 0.0
        return self._of_all(estimate), self._of_all(low), self._of_all(high)

    def __add__(self, other: "RecallAudit") -> "RecallAudit":
        """Both together, where no review is in both."""
        return RecallAudit(
            self.hits_with_signs + other.hits_with_signs, self.without_hit + other.without_hit,
            self.sampled + other.sampled, self.sampled_with_signs + other.sampled_with_signs,
        )  # fmt: skip

    def _of_all(self, share: float) -> float:
        missed = share * self.without_hit
        return missed / (missed + self.hits_with_signs) if missed + self.hits_with_signs else 0.0


def sampled_rows(rows: NDArray[np.int64], seed: int, share: float = SAMPLED_SHARE) -> NDArray[np.bool_]:
    """Whether each row number is in the sample; the same number always is, whatever else is read.

    The finaliser of SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195) spreads the numbers evenly.
    """
    mixed = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return np.asarray(mixed < np.uint64(int(share * 2**64)))


def signs_of_incident(texts: pl.Series, languages: Sequence[str | None]) -> NDArray[np.bool_]:
    """Whether each text has at least three signs of an incident, none of which names a hazard."""
    forms = normal_forms(texts)
    patterns = tuple(_signs())
    matches = search(flatten(pl.Series([form.text for form in forms], dtype=pl.String)), patterns)
    signs = np.zeros(len(forms), dtype=np.int64)
    for text, number in sorted(set(zip(matches.text.tolist(), matches.pattern.tolist(), strict=True))):
        language = known_language(languages[text]) or language_of(forms[text].text)
        signs[text] += _signs()[patterns[number]].get(language or "", 0)
    return np.asarray(signs >= LEAST_SIGNS)


def exact_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """The interval of a share by Clopper and Pearson (1934, doi:10.1093/biomet/26.4.404)."""
    from scipy.stats import beta

    if not trials:
        return 0.0, 1.0
    tail = (1.0 - level) / 2.0
    low = float(beta.ppf(tail, successes, trials - successes + 1)) if successes else 0.0
    high = float(beta.ppf(1.0 - tail, successes + 1, trials - successes)) if successes < trials else 1.0
    return low, high


@cache
def _signs() -> dict[str, dict[str, int]]:
    """The weight of each sign by pattern and language."""
    weighed = {
        pattern: {language: max(SIGNS.get(name, 0) for name in names) for language, names in by_language.items()}
        for pattern, by_language in cue_patterns().items()
    }
    return {pattern: weights for pattern, weights in weighed.items() if any(weights.values())}


WORKERS: Final = 2
SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "row": pl.Int64, "language": pl.String, "hazard": pl.String, "severity": pl.Int8, "probability": pl.Float64,
    "sentence": pl.String, "start": pl.Int64, "end": pl.Int64, "phrase_start": pl.Int64, "phrase_end": pl.Int64,
    "cues": pl.List(pl.String),
}  # fmt: skip
EXTRACTOR: Final = 1
"""The number of the code that reads: raise it where a change makes it read a review differently."""
Read = TypeVar("Read")
Given = TypeVar("Given")


@dataclass(frozen=True)
class ReviewBatch:
    """Reviews to read: `row` names each, `sampled` those that are read again where the phrases find nothing."""

    row: NDArray[np.int64]
    text: pl.Series
    language: pl.Series
    sampled: NDArray[np.bool_]


@dataclass(frozen=True)
class ExtractionResult:
    """Result of both stages over a batch.

    `mentions` has the columns of `SCHEMA`: `text[start:end]` is the sentence (kept with addresses and phone numbers
    masked), `text[phrase_start:phrase_end]` the phrase. `normal` holds the normal form of the texts that have
    mentions, by position in the batch; `signs` of the sampled texts without a hit whether they tell of an incident,
    by position; `blind_spot` counts both.
    """

    mentions: pl.DataFrame
    normal: dict[int, str]
    signs: dict[int, bool]
    recall_audit: RecallAudit


def extract_mentions(batch: ReviewBatch) -> ExtractionResult:
    """Both stages over one batch: each review is read alone, whatever else is in the batch."""
    text = clean_texts(batch.text)
    is_candidate = candidates(text).to_numpy()
    chosen = np.flatnonzero(is_candidate)
    language = batch.language.gather(chosen).to_list()
    forms, mentions = find_mentions(text.gather(chosen), language)
    probability = read_model().probabilities(forms, mentions)
    positions = [int(chosen[mention.text]) for mention in mentions]
    spans = [forms[m.text].original_span(*m.sentence) for m in mentions]
    phrase_spans = [forms[m.text].original_span(*m.phrase) for m in mentions]
    originals = text.gather(positions).to_list()
    table = pl.DataFrame(
        {
            "row": batch.row[positions],
            "language": [m.language for m in mentions],
            "hazard": [m.hazard for m in mentions],
            "severity": [m.severity for m in mentions],
            "probability": probability.round(6),
            "sentence": [redact(original[a:b]) for original, (a, b) in zip(originals, spans, strict=True)],
            "start": [a for a, _ in spans],
            "end": [b for _, b in spans],
            "phrase_start": [a for a, _ in phrase_spans],
            "phrase_end": [b for _, b in phrase_spans],
            "cues": [sorted(m.cues) for m in mentions],
        },
        schema=SCHEMA,
    )
    hit = np.zeros(len(text), dtype=bool)
    hit[positions] = True
    normal = {int(chosen[number]): forms[number].text for number in dict.fromkeys(m.text for m in mentions)}
    reread = np.flatnonzero(batch.sampled & ~hit)
    signs = signs_of_incident(text.gather(reread), batch.language.gather(reread).to_list())
    safety = np.array([hazards()[mention.hazard].safety for mention in mentions], dtype=bool)
    harmful = np.unique(np.array(positions, dtype=np.int64)[safety])
    with_signs = signs_of_incident(text.gather(harmful), batch.language.gather(harmful).to_list())
    spot = RecallAudit(int(with_signs.sum()), int((~hit).sum()), len(signs), int(signs.sum()))
    return ExtractionResult(table, normal, dict(zip(reread.tolist(), signs.tolist(), strict=True)), spot)


def clean_texts(texts: "pl.Series | Iterable[str | None]") -> pl.Series:
    """Texts as UTF-8 holds them: missing is empty, a lone surrogate is U+FFFD."""
    if isinstance(texts, pl.Series):
        return texts.cast(pl.String).fill_null("")
    return pl.Series([without_surrogates(text or "") for text in texts], dtype=pl.String)


def map_in_order(work: Callable[[Given], Read], given: Iterable[Given], workers: int = WORKERS) -> Iterator[Read]:
    """The results of `work` in the order given, by threads that stay at most `workers` ahead.

    Polars searches outside Python's lock, so one batch is searched while the next one's sentences are weighed.
    """
    source = iter(given)
    with ThreadPoolExecutor(workers) as pool:
        waiting: list[Future[Read]] = [pool.submit(work, item) for item in islice(source, workers)]
        while waiting:
            result = waiting.pop(0).result()
            waiting += [pool.submit(work, item) for item in islice(source, 1)]
            yield result


@cache
def extractor_version() -> str:
    """`x-` and 12 hex digits that change with EXTRACTOR, the phrases, the cues, the words or the learned weights."""
    return version_of(EXTRACTOR, (HAZARDS, PHRASES, CUES, WORDS), FOLDER)


def version_of(number: int, tables: Sequence[Path], model: Path) -> str:
    """The version of an extractor with that number, these tables (TOML) and the learned model in the folder `model`.

    Of the tables what is said counts, not their names, comments or the `meaning` of a topic.
    """
    said = [tomllib.loads(table.read_text(encoding="utf-8")) for table in tables]
    read = [{name: _without_meaning(topic) for name, topic in table.items()} for table in said]
    return f"x-{hashlib.sha256(json.dumps([number, read, model_digest(model)]).encode()).hexdigest()[:12]}"


def _without_meaning(topic: object) -> object:
    return {key: value for key, value in topic.items() if key != "meaning"} if isinstance(topic, dict) else topic
