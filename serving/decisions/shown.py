"""What an officer had before them when they decided: the score, its reasons, the facts, the offer; kept with it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from serving.decisions.rules import StandingFact


@dataclass(frozen=True)
class ShownReason:
    """A reason of the score: its feature, the contribution in log-odds, the sentence."""

    feature: str
    contribution: float
    sentence: str


@dataclass(frozen=True)
class ShownFact:
    """A fact that stood: `since` is the day it became known, `row_id` the row it was read from."""

    kind: str
    since: date
    sentence: str
    row_id: str


@dataclass(frozen=True)
class Offer:
    """The offer a decision is about, as its seller knows it."""

    title: str | None
    category: str
    listed_on: date


@dataclass(frozen=True)
class Shown:
    """The page of a SKU as it was: the interval of its score, the reasons, the facts, the offer."""

    p_low: float
    p_high: float
    reasons: tuple[ShownReason, ...]
    facts: tuple[ShownFact, ...]
    offer: Offer

    @property
    def raising(self) -> tuple[str, ...]:
        """The sentences of the reasons that raised the score, the weightiest first."""
        return tuple(each.sentence for each in self.reasons if each.contribution > 0)

    def told(self) -> dict[str, Any]:
        """It as JSON-ready values, for the ledger and the table."""
        said: dict[str, Any] = json.loads(json.dumps(asdict(self), default=date.isoformat))
        return said


def shown_facts(facts: Sequence[StandingFact]) -> tuple[ShownFact, ...]:
    """The facts as they are kept."""
    return tuple(ShownFact(each.kind, each.since, each.sentence, each.row_id) for each in facts)


def read_shown(text: str) -> Shown:
    """What `told` gave, from its JSON."""
    told = json.loads(text)
    offer = told["offer"]
    return Shown(
        told["p_low"], told["p_high"],
        tuple(ShownReason(**each) for each in told["reasons"]),
        tuple(ShownFact(**{**each, "since": date.fromisoformat(each["since"])}) for each in told["facts"]),
        Offer(**{**offer, "listed_on": date.fromisoformat(offer["listed_on"])}),
    )  # fmt: skip
