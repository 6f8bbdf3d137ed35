"""Second stage: every mention of a hazard with its sentence, severity and context cues."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import polars as pl

from features.review_text.hazards import hazards
from features.review_text.lexicon import STRENGTHS, WHOLE_SENTENCE, Cue, Phrase, Strength, cue_patterns, cues, phrases
from features.review_text.matching import search
from features.review_text.normalization import (
    NormalForm,
    flatten,
    known_language,
    language_of,
    normal_forms,
    sentence_around,
)

BASE_SEVERITY: Final[dict[Strength, int]] = {"harm": 2, "strong": 1, "weak": 1}
CHARACTERS_PER_WORD: Final = 2
WORDS_PER_COMMA: Final = 2
COMMAS: Final = ",;:、"
Span = tuple[int, int]
"""First character and the one past the last."""


@dataclass
class Mention:
    """A hazard in one sentence of one text: where it stands in the text's normal form, and the cues around it.

    `text` is the number of the text, the spans are of its normal form; `cues` are the names of those in reach.
    """

    text: int
    language: str
    hazard: str
    strength: Strength
    pattern: str
    phrase: Span
    sentence: Span
    cues: set[str] = field(default_factory=set)

    @property
    def severity(self) -> int:
        """0 feared or supposed, 1 near miss or damage, 2 minor injury, 3 medical care, 4 life-threatening."""
        own_cues = [cues()[name] for name in self.cues]
        least = BASE_SEVERITY[self.strength] if hazards()[self.hazard].safety else int(self.strength == "strong")
        if hazards()[self.hazard].safety:
            least = max([least, *(cue.severity for cue in own_cues)])
        return min([least, *(cue.severity_at_most for cue in own_cues)])


def find_mentions(texts: pl.Series, languages: Sequence[str | None]) -> tuple[list[NormalForm], list[Mention]]:
    """The normal form of every text, and the mentions in order of text, position and hazard.

    `languages` holds the languages that the table gives, None where it gives none: then the text's own words decide.
    """
    forms = normal_forms(texts)
    normal = pl.Series([form.text for form in forms], dtype=pl.String)
    matches = search(flatten(normal), _patterns())
    mentions: dict[tuple[int, str, Span], Mention] = {}
    spoken: dict[int, str | None] = {}
    around = _Sentences(forms)
    for text, number, start in zip(
        matches.text.tolist(), matches.pattern.tolist(), matches.start.tolist(), strict=True
    ):
        if text not in spoken:
            spoken[text] = known_language(languages[text]) or language_of(forms[text].text)
        for phrase in _phrases_of_pattern()[number]:
            if phrase.language == spoken[text]:
                span = _span(phrase.pattern, start, forms[text].text)
                mention = Mention(
                    text, phrase.language, phrase.hazard, phrase.strength, phrase.pattern, span, around.of(text, span)
                )
                key = (text, phrase.hazard, mention.sentence)
                if key not in mentions or _rank(mention) < _rank(mentions[key]):
                    mentions[key] = mention
    ordered = sorted(mentions.values(), key=lambda m: (m.text, m.sentence, m.phrase, m.hazard))
    _add_cues(forms, ordered)
    return forms, ordered


class _Sentences:
    """The sentences of texts; of phrases side by side, the sentence is looked for once."""

    def __init__(self, forms: Sequence[NormalForm]) -> None:
        self.forms = forms
        self.last: tuple[int, int, int] = (-1, 0, 0)

    def of(self, text: int, span: Span) -> Span:
        number, begin, end = self.last
        if number != text or span[0] < begin or span[1] > end:
            begin, end = sentence_around(self.forms[text].text, *span)
            self.last = (text, begin, end)
        return begin, end


def _rank(mention: Mention) -> tuple[int, int, int]:
    """Strongest first, then longest, then foremost."""
    start, end = mention.phrase
    return STRENGTHS.index(mention.strength), start - end, start


def _span(pattern: str, start: int, text: str) -> Span:
    """The characters of the normal form that a pattern found at `start` of its flat form covers."""
    padded = pattern.startswith(" ")
    first = start if padded else start - 1
    last = first + len(pattern.strip())
    if padded and not pattern.endswith(" "):
        while last < len(text) and text[last].isalpha():
            last += 1
    return first, min(last, len(text))


def _add_cues(forms: Sequence[NormalForm], mentions: Sequence[Mention]) -> None:
    """Give every mention the cues of its sentence that reach it."""
    spans = list(dict.fromkeys((mention.text, *mention.sentence) for mention in mentions))
    sentences = pl.Series([forms[text].text[begin:end] for text, begin, end in spans], dtype=pl.String)
    flat_sentences = flatten(sentences).to_list()
    names = list(cue_patterns())
    matches = search(pl.Series(flat_sentences, dtype=pl.String), names)
    standing: dict[tuple[int, int, int], list[tuple[str, int]]] = defaultdict(list)
    for number, pattern, start in zip(
        matches.text.tolist(), matches.pattern.tolist(), matches.start.tolist(), strict=True
    ):
        standing[spans[number]].append((names[pattern], start))
    number_of = {span: number for number, span in enumerate(spans)}
    for mention in mentions:
        span = (mention.text, *mention.sentence)
        number = number_of[span]
        mention.cues = set(_reaching_cues(mention, flat_sentences[number], sentences[number], standing[span]))


def _reaching_cues(
    mention: Mention, flat_sentence: str, sentence: str, standing: Sequence[tuple[str, int]]
) -> Iterator[str]:
    """The names of the cues that reach the phrase: near enough, not part of it, and for a negation not cut off."""
    begin = mention.sentence[0]
    first, last = mention.phrase[0] - begin + 1, mention.phrase[1] - begin + 1
    near: dict[str, list[Span]] = defaultdict(list)
    for pattern, start in standing:
        word_start = start + pattern.startswith(" ")
        word_end = word_start + len(pattern.strip())
        for name in cue_patterns()[pattern].get(mention.language, ()):
            near[name].append((word_start, word_end))
    blocked = [span for name in ("break", "not_negation") for span in near.get(name, ())]
    for name, spans in near.items():
        cue = cues()[name]
        if cue.speaks_to(mention.hazard, mention.strength):
            for start, end in spans:
                if start < last and end > first:
                    continue
                if _is_in_reach(cue, (start, end), (first, last), flat_sentence, sentence) and not (
                    name in ("negation", "negation_after") and _is_cut_off((start, end), (first, last), blocked)
                ):
                    yield name
                    break


def _is_in_reach(cue: Cue, at: Span, phrase: Span, flat_sentence: str, sentence: str) -> bool:
    before = at[1] <= phrase[0]
    reach = cue.before if before else cue.after
    if reach >= WHOLE_SENTENCE:
        return True
    low, high = (at[1], phrase[0]) if before else (phrase[1], at[0])
    between = flat_sentence[low:high]
    commas = sum(sentence[low - 1 : high - 1].count(comma) for comma in COMMAS)
    words = len(between.split()) if between.isascii() or " " in between.strip() else len(between) // CHARACTERS_PER_WORD
    return words + WORDS_PER_COMMA * commas < reach


def _is_cut_off(at: Span, phrase: Span, blocked: Sequence[Span]) -> bool:
    """Whether a negation is none (not only), or a new clause begins between it and the phrase."""
    low, high = (at[0], phrase[0]) if at[1] <= phrase[0] else (phrase[1], at[1])
    return any(start >= low and end <= high for start, end in blocked)


@cache
def _patterns() -> tuple[str, ...]:
    return tuple(dict.fromkeys(phrase.pattern for phrase in phrases()))


@cache
def _phrases_of_pattern() -> tuple[tuple[Phrase, ...], ...]:
    phrases_by_pattern: dict[str, list[Phrase]] = {pattern: [] for pattern in _patterns()}
    for phrase in phrases():
        phrases_by_pattern[phrase.pattern].append(phrase)
    return tuple(tuple(group) for group in phrases_by_pattern.values())
