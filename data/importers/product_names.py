"""Names of products and manufacturers, brought to one spelling."""

import re
import unicodedata

_UNSTATED = re.compile(r"^(unknown|unkown|not (listed|stated|indicated|known|available)|n ?a|none|)($| )")
_NOTHING = re.compile(
    r"(unknown|unkown|no|without)( (brand|name|model|number))?|unbranded|n ?a|none|"
    r"not (listed|stated|indicated|known|available|applicable|provided|specified)|"
)
LEGAL_FORMS = frozenset({
    "ltd", "limited", "pvt", "private", "p", "inc", "incorporated", "co", "company", "corp", "corporation", "llc",
    "plc", "gmbh", "pty", "sa", "srl", "spa",
})  # fmt: skip
_APOSTROPHES_AND_STOPS = re.compile("['\u2019`.]")


def plain_words(name: str) -> str:
    """Lower-case ASCII words separated by single blanks: accents and punctuation gone, `&` read as "and"."""
    decomposed = unicodedata.normalize("NFKD", name.replace("&", " and "))
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(re.findall(r"\w+", _APOSTROPHES_AND_STOPS.sub("", letters.casefold())))


def is_stated(words: str) -> bool:
    """Whether words state anything, and not only that nothing is known or that there is no brand."""
    return not _NOTHING.fullmatch(plain_words(words))


def company(name: str) -> str | None:
    """The manufacturer behind a spelling, without article and trailing legal form; None where it is not stated.

    "The Himalaya Drug Company" and "Himalaya Drug Co." are one company; different words stay different.
    """
    words = plain_words(name)
    if _UNSTATED.match(words):
        return None
    remaining = words.removeprefix("the ").split()
    while len(remaining) > 1 and remaining[-1] in LEGAL_FORMS:
        remaining.pop()
    return " ".join(remaining)
