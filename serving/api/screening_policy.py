"""Policy of screening: dated rules, of which the first that matches decides on a listing."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from data.policy import POLICY_FOLDER, Policy, Several, TomlTable, policy_in_force
from serving.decisions.legal_grounds import DENIED_CERTIFICATE, FAILED_TEST, ORDER

Stage = Literal["listing", "payment", "shipment"]
ScreeningDecision = Literal["allow", "test_first", "hold"]
Ask = Literal["none", "documents", "test"]
FactKind = Literal["authority_order", "failed_independent_test", "certificate_denied", "failed_in_another_market"]

STAGES: tuple[Stage, ...] = get_args(Stage)
HOLDING_FACTS = frozenset({ORDER, FAILED_TEST, DENIED_CERTIFICATE})
"""Facts about the product in its market, which alone may hold it there."""
FACTS: frozenset[str] = frozenset(get_args(FactKind))


class ScreeningRule(TomlTable):
    """Conditions and the decision; an empty condition always matches, `missing` names fields of the listing.

    `restricted` asks for a decision in force that restricts the listing, here or at its supplier.
    """

    name: str
    stages: Several[Stage]
    decision: ScreeningDecision
    ask: Ask
    markets: Several[str] = ()
    restricted: bool = False
    facts: Several[FactKind] = ()
    bands: Several[str] = ()
    missing: Several[str] = ()

    @model_validator(mode="after")
    def _does_not_overstep(self) -> Self:
        rests_on_fact = self.restricted or (self.facts and HOLDING_FACTS.issuperset(self.facts))
        if self.decision == "hold" and not rests_on_fact:
            raise ValueError(
                f"only a restriction or a fact of this market may hold a product, got facts {list(self.facts)}; a "
                "score alone orders at most a test"
            )
        if self.decision == "test_first" and self.ask == "none":
            raise ValueError("test_first asks for a test or for documents, got ask 'none'")
        return self


@dataclass(frozen=True)
class Situation:
    """The input of the rules: stage, market, whether a decision restricts it, kinds of facts, band, absent fields."""

    stage: Stage
    market: str
    restricted: bool
    facts: Collection[str]
    band: str
    missing: Collection[str]


class ScreeningPolicy(Policy, subject="screening"):
    """The rules in force, in order; the last matches every listing at every stage."""

    rules: Annotated[Several[ScreeningRule], Field(alias="rule", min_length=1)]

    @model_validator(mode="after")
    def _always_decides(self) -> Self:
        last = self.rules[-1]
        narrowed = last.restricted or last.facts or last.bands or last.missing or last.markets
        if set(last.stages) != set(STAGES) or narrowed:
            raise ValueError(f"the last rule must fit every listing at every stage, got {last.name!r}")
        first = self.rules[0]
        if not first.restricted or set(first.stages) != set(STAGES) or first.decision != "hold" or first.markets:
            raise ValueError(f"the first rule must hold what a decision restricts at every stage, got {first.name!r}")
        return self

    def decide(self, situation: Situation) -> ScreeningRule:
        """The first rule that matches; the last always does."""
        return next(rule for rule in self.rules if _matches(rule, situation))


def screening_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> ScreeningPolicy:
    """The policy of a day.

    Raises UserError where a rule is not whole, where something but a fact would hold a product, or where no rule fits a
    stage always.
    """
    return policy_in_force(ScreeningPolicy, as_of, folder)


def _matches(rule: ScreeningRule, situation: Situation) -> bool:
    return (
        situation.stage in rule.stages
        and (not rule.markets or situation.market in rule.markets)
        and (not rule.restricted or situation.restricted)
        and (not rule.facts or any(kind in rule.facts for kind in situation.facts))
        and (not rule.bands or situation.band in rule.bands)
        and (not rule.missing or any(name in rule.missing for name in situation.missing))
    )
