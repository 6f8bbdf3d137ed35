"""Sentences whose truth is known: the sample marketplace's words of harm, told as such and told of something else."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from data.synthetic.vocabulary import TONES, topics
from data.synthetic.vocabulary import phrases as marketplace_phrases
from features.text.language import LANGUAGES

REHEARSAL: Final = Path(__file__).resolve().parent / "rehearsal.toml"
WORDS_WITHOUT_HARM: Final = ("negation", "figurative", "hypothetical", "elsewhere", "praise", "neutral", "complaint")
# Sentences about these topics of the marketplace speak of no hazard that the phrases know.
WITHOUT_HAZARD: Final = ("performance", "noise")


@dataclass(frozen=True)
class LabelledText:
    """A text, its language, and whether what it says of hazards is true of the product; `family` says how it is told.

    The verdicts of officers on quotes take the same form; theirs is about `hazard` alone.
    """

    text: str
    language: str
    is_hazard: bool
    family: str
    hazard: str | None = None


def rehearsed_texts() -> list[LabelledText]:
    """Every sentence of the marketplace, and each of its words of harm in every frame of `rehearsal.toml`."""
    frames = tomllib.loads(REHEARSAL.read_text(encoding="utf-8"))
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
