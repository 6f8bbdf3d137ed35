"""Text in normal form, and the way back from each of its characters to the original."""

import html
import re
import tomllib
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

LONGEST: Final = 400
_END = re.compile(r"[.!?…]+[\"'»”’)\]]*(?=\s)|[。！？!?]+[」』）)]*|\n+|(?<=[a-z])\.(?=[A-Z])")  # noqa: RUF001 - punctuation
_SHORT = re.compile(r"(?:\b(?:mr|mrs|ms|dr|st|vs|approx|etc|e\.g|i\.e|no|nr|ca|bzw|z\.b|sra?|mme)|\b[a-z]|\d)$")


def sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """The span of the sentence of `text` that holds start to end, without blanks around it.

    Looks no further than 400 characters either way; where no sentence ends there, it breaks between words.
    """
    low, high = max(0, start - LONGEST), min(len(text), end + LONGEST)
    begin, finish = low, high
    for stop in _END.finditer(text, low, high):
        if stop.group().startswith(".") and _SHORT.search(text, max(low, stop.start() - 8), stop.start()):
            continue
        if stop.end() <= start:
            begin = stop.end()
        elif stop.start() >= end:
            finish = stop.end()
            break
    if begin == low > 0:
        begin = _next_word(text, low, start)
    if finish == high < len(text):
        finish = max(text.rfind(" ", end, high), end) if " " in text[end:high] else high
    while begin < start and text[begin].isspace():
        begin += 1
    while finish > end and text[finish - 1].isspace():
        finish -= 1
    return begin, finish


def _next_word(text: str, low: int, start: int) -> int:
    blank = text.find(" ", low, start)
    return blank + 1 if blank >= 0 else low


LANGUAGES: Final = ("en", "de", "fr", "es", "ja", "zh")
WORDS: Final = Path(__file__).resolve().parent / "words.toml"
_TOLD: Final = tomllib.loads(WORDS.read_text(encoding="utf-8"))
_COMMON: Final = {code: frozenset(_TOLD[code].split()) for code in ("en", "de", "fr", "es")}
EVERYDAY: Final[frozenset[str]] = frozenset().union(*_COMMON.values(), _TOLD["everyday"].split())
_OF_WORD: Final = {
    word: tuple(code for code, words in _COMMON.items() if word in words)
    for word in frozenset().union(*_COMMON.values())
}
_OF_LETTER: Final = {letter: code for code, letters in _TOLD["letters"].items() for letter in letters}
_WORD = re.compile(r"[^\W\d_]+")
_KANA, _HAN, _LATIN = re.compile(r"[\u3040-\u30ff]"), re.compile(r"[\u3400-\u9fff]"), re.compile(r"[a-z]{2,}")
READ_CHARACTERS: Final = 600


def language_of(text: str) -> str | None:
    """`en`, `de`, `fr`, `es`, `ja` or `zh` for a text in normal form, or None where it is not recognised.

    Reads the first 600 characters. Japanese is known by its kana, Chinese by Han characters without kana.
    """
    start = text[:READ_CHARACTERS]
    if not start.isascii():
        kana, han = len(_KANA.findall(start)), len(_HAN.findall(start))
        if kana + han > len(_LATIN.findall(start)):
            return "ja" if kana * 20 > han else "zh"
    votes: Counter[str] = Counter()
    for word in _WORD.findall(start):
        codes = _OF_WORD.get(word, ())
        for code in codes:
            votes[code] += 2 if len(codes) == 1 else 1
    if not start.isascii():
        for letter, code in _OF_LETTER.items():
            votes[code] += 2 * min(start.count(letter), 3)
    votes = +votes
    leading = votes.most_common(1)
    return leading[0][0] if leading else None


def known_language(given: str | None) -> str | None:
    """The language a table gives (`de`, `de-AT`, `DE`) where it is one that has phrases."""
    code = (given or "").strip().lower()[:2]
    return code if code in LANGUAGES else None


# Characters that stand between words. Apostrophes too, so that l'odeur holds odeur; phrases are flattened alike.
BETWEEN_WORDS: Final = "\t\n\r!\"'()*,-./:;<=>?[\\]_`{|}~«»¡¿·–—‘’“”„†•…‹›′″、。〈〉《》「」『』【】〔〕〜・"  # noqa: RUF001 - punctuation
MARKUP: Final = {
    "<br />": " ", "<br/>": " ", "<br>": " ", "&#39;": " ", "&#039;": " ", "&#x27;": " ", "&quot;": " ", "&#34;": " ",
    "&nbsp;": " ", "&apos;": " ", "&rsquo;": " ", "\r\n": " ",
}  # fmt: skip
TRIPLED: Final = tuple(letter * 3 for letter in "abcdefghijklmnopqrstuvxyz")
_MARK = r"[\u0300-\u036f\u3099\u309a]"
_SPOT = re.compile(
    r"(?P<entity>&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8});)|(?P<tag></?[a-z][^<>]{0,80}>)|(?P<blank>\s{2,})"
    r"|(?P<hidden>[\u00ad\u200b-\u200f\u2060\ufeff])|(?P<run>([^\W\d_w])\6{2,})"
    rf"|(?P<wide>[^\x00-\x7f]+|[a-z]{_MARK}+)",
    re.IGNORECASE,
)
_TELL_TALES: Final = (
    *TRIPLED, *MARKUP, "&#", "&amp;", "&lt;", "&gt;", "<p", "<b", "<i", "</", "\n\n",
    "\u00ad", "\u200b", "\u200c", "\u200d", "\u200e", "\u2060", "\ufeff",
)  # fmt: skip
_CLUSTER = re.compile(rf".{_MARK}*", re.DOTALL)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True)
class NormalForm:
    """A text in lower case and NFKC, without mark-up, hidden characters and letters repeated three times or more.

    `origin[i]` is where character i stands in the original; None where every character stays at its position.
    """

    text: str
    origin: Sequence[int] | None
    original_length: int

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that these characters came from."""
        if self.origin is None or start >= end:
            return start, end
        following = self.origin[end] if end < len(self.origin) else self.original_length
        return self.origin[start], max(following, self.origin[end - 1] + 1)


def normal_forms(texts: pl.Series) -> list[NormalForm]:
    """The normal form of each text, in time linear in their length.

    Most texts only change their case; those are done all at once.
    """
    text = pl.col("text")
    folded = texts.alias("text").to_frame().with_columns(composed=text.str.normalize("NFKC")).select(
        text,
        lower=text.str.to_lowercase(),
        simple=(text == pl.col("composed")) & ~text.str.to_lowercase().str.contains_any(list(_TELL_TALES)),
    )  # fmt: skip
    return [
        NormalForm(lower, None, len(text)) if simple and len(lower) == len(text) else normal_form(text)
        for text, lower, simple in folded.iter_rows()
    ]


def normal_form(text: str) -> NormalForm:
    """The normal form of one text; lone surrogates become U+FFFD."""
    text = without_surrogates(text)
    pieces: list[str] = []
    origin = array("q")
    position = 0
    for spot in _SPOT.finditer(text):
        _append_ascii(text, position, spot.start(), pieces, origin)
        position = spot.end()
        if spot["wide"] and _is_settled(spot.group()):
            _append_ascii(text, spot.start(), position, pieces, origin)
            continue
        for start, piece in _replacements(spot):
            pieces.append(piece)
            origin.extend([start] * len(piece))
    _append_ascii(text, position, len(text), pieces, origin)
    return NormalForm("".join(pieces), origin, len(text))


def _append_ascii(text: str, start: int, end: int, pieces: list[str], origin: "array[int]") -> None:
    """Append the ASCII text from start to end, in lower case, each character at its position."""
    pieces.append(text[start:end].lower())
    origin.extend(range(start, end))


def _is_settled(wide: str) -> bool:
    """Whether these characters are their own normal form but for their case, one for one."""
    return unicodedata.is_normalized("NFKC", wide) and len(wide.lower()) == len(wide)


def _replacements(spot: re.Match[str]) -> Iterator[tuple[int, str]]:
    """The replacement of a spot, in pieces with the position of each."""
    letters, start = spot.group(), spot.start()
    if spot["wide"]:
        for cluster in _CLUSTER.finditer(letters):
            yield start + cluster.start(), _compose(cluster.group())
    elif spot["blank"]:
        yield start, "\n" if "\n" in letters else " "
    elif spot["run"]:
        yield start, _compose(letters[0])
    elif spot["entity"]:
        yield start, _compose(html.unescape(letters))
    elif spot["tag"]:
        yield start, " "


def _compose(piece: str) -> str:
    return without_surrogates(unicodedata.normalize("NFKC", piece).lower())


def without_surrogates(text: str) -> str:
    """The same characters, lone surrogates (which no UTF-8 can hold) replaced one for one."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


_SURROGATE = re.compile("[\ud800-\udfff]")


def flat(text: pl.Expr) -> pl.Expr:
    """Normal text as phrases are looked for in it: what stands between words is a space, and so are both ends.

    Character i of the text is character i + 1 of the result.
    """
    return pl.concat_str(pl.lit(" "), text.str.replace_many(list(BETWEEN_WORDS), [" "]), pl.lit(" "))


def flatten(normal: pl.Series) -> pl.Series:
    """Each text in normal form as flat text."""
    return normal.alias("normal").to_frame().select(flat(pl.col("normal")).alias("flat"))["flat"]


def rough_flat(text: pl.Expr, *, ascii_only: bool) -> pl.Expr:
    """Original text made nearly flat, fast, without the way back: what the first stage looks into."""
    composed = text if ascii_only else text.str.normalize("NFKC")
    spaces = dict.fromkeys(BETWEEN_WORDS, " ")
    replaced = composed.str.to_lowercase().str.replace_many(
        [*MARKUP, *spaces], [*MARKUP.values(), *spaces.values()], leftmost=True
    )
    return pl.concat_str(pl.lit(" "), replaced, pl.lit(" "))


def flat_phrase(phrase: str) -> str:
    """A phrase as it stands in flat text: between spaces; a last `*` opens the end; Chinese and Japanese anywhere."""
    opened = phrase.rstrip().endswith("*")
    text = unicodedata.normalize("NFKC", phrase.replace("*", "")).lower()
    words = " ".join("".join(" " if letter in BETWEEN_WORDS else letter for letter in text).split())
    if _CJK.search(words):
        return words
    return f" {words}" if opened else f" {words} "
