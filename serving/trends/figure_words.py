"""Sentences for the figures on how failures were dealt with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from serving.trends.edition import TrendFigure

REMOVALS, DAYS_TO_REMOVAL = "restrictions_after_failed_tests", "days_from_report_to_restriction"
APPEALS_ANSWERED, OVERTURNED = "appeals_answered", "appeals_overturned"
CONFIRMED, IN_TIME = "documents_confirmed", "corrective_actions_in_time"


@dataclass(frozen=True)
class FigureSentence:
    """What a figure is about, and what it says."""

    about: str
    says: str


_SENTENCES: Mapping[str, tuple[str, Callable[[int], str]]] = {
    REMOVALS: (
        "Removals and recalls after a failed test",
        lambda value: f"About {value:,} were decided." if value else "None was decided.",
    ),
    DAYS_TO_REMOVAL: (
        "From the failed report to the removal",
        lambda value: f"Half of them took {value} working {'day' if value == 1 else 'days'} or less.",
    ),
    APPEALS_ANSWERED: (
        "Appeals of sellers", lambda value: f"About {value:,} were answered." if value else "None was answered."
    ),
    OVERTURNED: ("Appeals that changed a decision", lambda value: f"{value} % of those answered."),
    CONFIRMED: (
        "Certificates and test reports of sellers",
        lambda value: f"{value} % of those that sellers named were confirmed by whoever issued them.",
    ),
    IN_TIME: ("Corrective actions of sellers", lambda value: f"{value} % were verified by the day they were due."),
}  # fmt: skip
TOO_FEW_CASES = "Too few cases to publish."


def figure_sentences(figures: Sequence[TrendFigure]) -> list[FigureSentence]:
    """The figures as sentences, in their order."""
    sentences = []
    for figure in figures:
        about, say = _SENTENCES[figure.name]
        sentences.append(FigureSentence(about, TOO_FEW_CASES if figure.value is None else say(round(figure.value))))
    return sentences
