"""The dated policy `letters`: sender, signatures, periods, laboratories, effects on stock and payments."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from data.policy import POLICY_FOLDER, Count, Days, Policy, Several, TomlTable, policy_in_force

EFFECTIVE = ("none", "pause", "remove", "suspend", "recall")
"""The decisions whose effects on stock and payments are told; `none` stands before any decision."""


class LetterSender(TomlTable):
    """The marketplace that writes: its name, the lines of its address, and where sellers write to."""

    name: str
    address: Several[str]
    email: str


class LetterPeriods(TomlTable):
    """Working days to answer a failed test, and other periods in days.

    A seller is reminded `corrective_action_days` before a corrective action is due; what happened up to `drafted_days`
    ago gets a letter.
    """

    answer_working_days: Count
    corrective_action_days: Days
    drafted_days: Days


class Laboratory(TomlTable):
    """A laboratory and the number of its accreditation to ISO/IEC 17025."""

    id: str
    name: str
    accreditation: str


class LetterSignature(TomlTable):
    """Who signs in a language, and the words for where sellers appeal."""

    language: str
    lines: Several[str]
    appeals: str


class LetterEffect(TomlTable):
    """What happens to stock and payments while a decision is in force, in a language."""

    decision: Literal["none", "pause", "remove", "suspend", "recall"]
    language: str
    stock: str
    payments: str


class LetterPolicy(Policy, subject="letters"):
    """The policy of letters: every language has a signature and the effects of every decision."""

    languages: Annotated[Several[str], Field(min_length=1)]
    incidents_are: Literal["article_16_notice", "trusted_flagger", "other_notification"]
    sender: LetterSender
    periods: LetterPeriods
    laboratories: Annotated[Several[Laboratory], Field(alias="laboratory")] = ()
    signatures: Annotated[Several[LetterSignature], Field(alias="signature")]
    effects: Annotated[Several[LetterEffect], Field(alias="effect")]

    @model_validator(mode="after")
    def _check_languages(self) -> Self:
        signed = [each.language for each in self.signatures]
        told = [(each.language, each.decision) for each in self.effects]
        owed = [(language, decision) for language in self.languages for decision in EFFECTIVE]
        for name, given, needed in (("signature", signed, list(self.languages)), ("effect", told, owed)):
            if _sorted(given) != _sorted(needed):
                raise ValueError(f"{name!r} is given for {given}; give one for each of {needed}")
        return self

    def laboratory(self, lab_id: str | None) -> Laboratory | None:
        """The laboratory of this id; None where it is not named."""
        return next((each for each in self.laboratories if each.id == lab_id), None)

    def signature(self, language: str) -> LetterSignature:
        """The signature in a language."""
        return next(each for each in self.signatures if each.language == language)

    def effect(self, decision: str, language: str) -> LetterEffect | None:
        """What happens to stock and payments; None for a decision that is not among `EFFECTIVE`."""
        fitting = (each for each in self.effects if (each.decision, each.language) == (decision, language))
        return next(fitting, None)


def letter_policy_in_force(day: date, folder: Path = POLICY_FOLDER) -> LetterPolicy:
    """The policy of a day. Raises UserError where there is none, or where a language lacks a text."""
    return policy_in_force(LetterPolicy, day, folder)


def _sorted(values: Sequence[object]) -> list[str]:
    return sorted(map(str, values))
