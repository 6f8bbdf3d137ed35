"""Which rule decides on a listing, by dated policy."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from data.policy import POLICY_FOLDER, Policy, Several, TomlTable, policy_in_force
from serving.decisions.legal_grounds import DENIED_CERTIFICATE, FAILED_TEST, ORDER

Stage = Literal["listing", "payment", "shipment"]
Decision = Literal["allow", "test_first", "hold"]
Ask = Literal["none", "documents", "test"]
FactKind = Literal["authority_order", "failed_independent_test", "certificate_denied", "failed_in_another_market"]

STAGES: tuple[Stage, ...] = get_args(Stage)
HOLDING = frozenset({ORDER, FAILED_TEST, DENIED_CERTIFICATE})
"""Facts about the product in its market, which alone may hold it there."""
FACTS: frozenset[str] = frozenset(get_args(FactKind))


class ScreeningRule(TomlTable):
    """When it fits and what it decides; an empty condition fits always, `missing` names fields of the listing."""

    name: str
    stages: Several[Stage]
    decision: Decision
    ask: Ask
    markets: Several[str] = ()
    facts: Several[FactKind] = ()
    bands: Several[str] = ()
    missing: Several[str] = ()

    @model_validator(mode="after")
    def _does_not_overstep(self) -> Self:
        if self.decision == "hold" and not (self.facts and HOLDING.issuperset(self.facts)):
            raise ValueError(
                f"only a fact of this market may hold a product, got facts {list(self.facts)}; a score alone orders at "
                "most a test"
            )
        if self.decision == "test_first" and self.ask == "none":
            raise ValueError("test_first asks for a test or for documents, got ask 'none'")
        return self


@dataclass(frozen=True)
class Situation:
    """What rules look at: stage, market, the kinds of facts that stand, the band, the fields that are not stated."""

    stage: Stage
    market: str
    facts: Collection[str]
    band: str
    missing: Collection[str]


class ScreeningPolicy(Policy, subject="screening"):
    """The rules in force, in order; the last fits every listing at every stage."""

    rules: Annotated[Several[ScreeningRule], Field(alias="rule", min_length=1)]

    @model_validator(mode="after")
    def _always_decides(self) -> Self:
        last = self.rules[-1]
        if set(last.stages) != set(STAGES) or last.facts or last.bands or last.missing or last.markets:
            raise ValueError(f"the last rule must fit every listing at every stage, got {last.name!r}")
        return self

    def decides(self, situation: Situation) -> ScreeningRule:
        """The first rule that fits; the last always does."""
        return next(rule for rule in self.rules if _fits(rule, situation))


def screening_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> ScreeningPolicy:
    """The policy of a day.

    Raises UserError where a rule is not whole, where something but a fact would hold a product, or where no rule fits a
    stage always.
    """
    return policy_in_force(ScreeningPolicy, as_of, folder)


def _fits(rule: ScreeningRule, situation: Situation) -> bool:
    return (
        situation.stage in rule.stages
        and (not rule.markets or situation.market in rule.markets)
        and (not rule.facts or any(kind in rule.facts for kind in situation.facts))
        and (not rule.bands or situation.band in rule.bands)
        and (not rule.missing or any(name in rule.missing for name in situation.missing))
    )
