"""The extractor: reviews in, mentions of hazards out, in two stages."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.text.blind_spot import BlindSpot, signs_of_incident
from features.text.candidates import candidates
from features.text.evidence import find_mentions
from features.text.hazards import hazards
from features.text.linear import read_model
from features.text.masking import masked
from features.text.normal_form import without_surrogates

WORKERS: Final = 2
SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "row": pl.Int64, "language": pl.String, "hazard": pl.String, "severity": pl.Int8, "probability": pl.Float64,
    "sentence": pl.String, "start": pl.Int64, "end": pl.Int64, "phrase_start": pl.Int64, "phrase_end": pl.Int64,
    "cues": pl.List(pl.String),
}  # fmt: skip
_FOLDER: Final = Path(__file__).resolve().parent
_NOT_READING: Final = ("learning.py", "rehearsal.py", "enrichment.py", "signals.py")
Read = TypeVar("Read")
Given = TypeVar("Given")


@dataclass(frozen=True)
class Batch:
    """Reviews to read: `row` names each, `sampled` those that are read again where the phrases find nothing."""

    row: NDArray[np.int64]
    text: pl.Series
    language: pl.Series
    sampled: NDArray[np.bool_]


@dataclass(frozen=True)
class Reading:
    """What was read of a batch.

    `mentions` has the columns of `SCHEMA`: `text[start:end]` is the sentence (kept with addresses and phone numbers
    masked), `text[phrase_start:phrase_end]` the phrase. `normal` holds the normal form of the texts that have
    mentions, by position in the batch; `signs` of the sampled texts without a hit whether they tell of an incident,
    by position; `blind_spot` counts both.
    """

    mentions: pl.DataFrame
    normal: dict[int, str]
    signs: dict[int, bool]
    blind_spot: BlindSpot


def read(batch: Batch) -> Reading:
    """Both stages over one batch: each review is read alone, whatever stands beside it."""
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
    found = pl.DataFrame(
        {
            "row": batch.row[positions],
            "language": [m.language for m in mentions],
            "hazard": [m.hazard for m in mentions],
            "severity": [m.severity for m in mentions],
            "probability": probability.round(6),
            "sentence": [masked(original[a:b]) for original, (a, b) in zip(originals, spans, strict=True)],
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
    again = np.flatnonzero(batch.sampled & ~hit)
    signs = signs_of_incident(text.gather(again), batch.language.gather(again).to_list())
    safety = np.array([hazards()[mention.hazard].safety for mention in mentions], dtype=bool)
    harmful = np.unique(np.array(positions, dtype=np.int64)[safety])
    told = signs_of_incident(text.gather(harmful), batch.language.gather(harmful).to_list())
    spot = BlindSpot(int(told.sum()), int((~hit).sum()), len(signs), int(signs.sum()))
    return Reading(found, normal, dict(zip(again.tolist(), signs.tolist(), strict=True)), spot)


def clean_texts(texts: "pl.Series | Iterable[str | None]") -> pl.Series:
    """Texts as UTF-8 holds them: missing is empty, a lone surrogate is U+FFFD."""
    if isinstance(texts, pl.Series):
        return texts.cast(pl.String).fill_null("")
    return pl.Series([without_surrogates(text or "") for text in texts], dtype=pl.String)


def in_order(work: Callable[[Given], Read], given: Iterable[Given], workers: int = WORKERS) -> Iterator[Read]:
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
    """`x-` and 12 hex digits that change with the phrases, the cues, the model or the code that reads."""
    digest = hashlib.sha256()
    kept = [path for path in sorted(_FOLDER.rglob("*")) if path.suffix in (".py", ".toml", ".json", ".npz")]
    for path in kept:
        if path.name not in _NOT_READING and path.name != "rehearsal.toml":
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"x-{digest.hexdigest()[:12]}"
