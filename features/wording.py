"""Records of words: what a feature's value, its levels and the raw counts behind a shrunk rate read like."""

from typing import NamedTuple


class Level(NamedTuple):
    """The words for values below `below` and not below the level before it.

    `{value}` is the value by its unit, `{size}` the same without its sign. `brief` is the short line of the queue,
    empty where the sentence itself is short enough.
    """

    below: float
    sentence: str
    brief: str = ""


class CountWords(NamedTuple):
    """The words for the raw counts that a shrunk rate rests on: "1 of 6 units sold in the past year was returned ...".

    `of` follows the number of trials and `did` that of hits, `[s]` and `[was|were]` agreeing with it; `none` is said
    where nothing was counted, `only_hit` and `only_miss` where one thing was (empty: nothing special). `prior` names
    the rate that the feature is shrunk to. The counts are those of the features `trials` and `hits` of the same row;
    what is not a feature follows from the rate: `same_trials` names a rate of as many trials, `at_most` a feature that
    counts as many trials or more.
    """

    of: str
    did: str
    none: str
    prior: str
    trials: str = ""
    hits: str = ""
    same_trials: str = ""
    at_most: str = ""
    only_hit: str = ""
    only_miss: str = ""


def yes_or_no(no: Level | str, yes: Level | str) -> tuple[Level, ...]:
    """The levels of a feature that is 0 or 1, from a sentence (or a level with a brief) for each."""
    first = no if isinstance(no, Level) else Level(0.5, no)
    second = yes if isinstance(yes, Level) else Level(float("inf"), yes)
    return first, second
