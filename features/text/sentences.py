"""Where the sentence around a phrase begins and ends."""

import re
from typing import Final

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
