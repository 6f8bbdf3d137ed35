"""What buyers write, by language and tone, as `phrases.toml` states it."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from data.marketplace.categories import hazards
from data.marketplace.draws import Integers

LANGUAGES = ("en", "de", "fr", "es", "ja", "zh")
TONES = (
    "praise", "neutral", "complaint", "negation", "figurative", "hypothetical", "elsewhere", "preset", "fake",
    "veiled", "opening", "closing", "aftermath",
)  # fmt: skip
TONE = {tone: code for code, tone in enumerate(TONES)}


@dataclass(frozen=True)
class Phrases:
    """All sentences in one list; `start` and `count` (languages by tones, then hazard topics) say where each lies."""

    sentences: pa.StringArray
    start: Integers
    count: Integers

    def pick(self, language: Integers, kind: Integers, number: Integers) -> pa.StringArray:
        """A sentence of this language and kind (a tone, or a hazard topic) for each entry, chosen by `number`."""
        return self.sentences.take(pa.array(self.start[language, kind] + number % self.count[language, kind]))


@lru_cache(maxsize=1)
def topics() -> tuple[str, ...]:
    """The topics of harm, in the order in which hazards first name them."""
    return tuple(dict.fromkeys(hazard.topic for hazard in hazards()))


def topic_kind() -> Integers:
    """For each hazard code the kind of sentence about it: the tones come first, then the topics."""
    return np.array([len(TONES) + topics().index(hazard.topic) for hazard in hazards()])


@lru_cache(maxsize=1)
def phrases() -> Phrases:
    """Every sentence of `phrases.toml`."""
    declared = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text(encoding="utf-8"))
    lists = [
        [declared[language][tone] for tone in TONES] + [declared[language]["hazard"][topic] for topic in topics()]
        for language in LANGUAGES
    ]
    count = np.array([[len(sentences) for sentences in kinds] for kinds in lists])
    start = (np.cumsum(count.ravel()) - count.ravel()).reshape(count.shape)
    return Phrases(pa.array([text for kinds in lists for sentences in kinds for text in sentences]), start, count)
