"""Which rule decides on a listing, by dated policy."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from data.errors import UserError
from data.policy import POLICY_FOLDER, policy_in_force
from serving.decisions.legal_grounds import DENIED_CERTIFICATE, FAILED_ELSEWHERE, FAILED_TEST, ORDER

Stage = Literal["listing", "payment", "shipment"]
Decision = Literal["allow", "test_first", "hold"]
Ask = Literal["none", "documents", "test"]

STAGES: tuple[Stage, ...] = get_args(Stage)
HOLDING = frozenset({ORDER, FAILED_TEST, DENIED_CERTIFICATE})
"""Facts about the product in its market, which alone may hold it there."""
FACTS = HOLDING | {FAILED_ELSEWHERE}


@dataclass(frozen=True)
class ScreeningRule:
    """When it fits and what it decides; an empty condition fits always, `missing` names fields of the listing."""

    name: str
    stages: tuple[str, ...]
    decision: Decision
    ask: Ask
    markets: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Situation:
    """What rules look at: stage, market, the kinds of facts that stand, the band, the fields that are not stated."""

    stage: Stage
    market: str
    facts: Collection[str]
    band: str
    missing: Collection[str]


@dataclass(frozen=True)
class ScreeningPolicy:
    """The rules in force, in order, and their version."""

    version: str
    rules: tuple[ScreeningRule, ...]

    def decides(self, situation: Situation) -> ScreeningRule:
        """The first rule that fits; the last always does."""
        return next(rule for rule in self.rules if _fits(rule, situation))


@lru_cache(maxsize=8)
def screening_policy_in_force(as_of: date, folder: Path = POLICY_FOLDER) -> ScreeningPolicy:
    """The policy `screening` of a day.

    Raises UserError where a rule is not whole, where something but a fact would hold a product, or where no rule fits a
    stage always.
    """
    policy = policy_in_force("screening", as_of, folder)
    edit = f"Edit policy/screening/{policy.version[:10]}.toml."
    try:
        rules = tuple(_rule(table) for table in policy.tables["rule"])
    except (KeyError, TypeError) as error:
        raise UserError(
            f"Policy 'screening': each [[rule]] needs name, stages, decision and ask; got {error}. {edit}"
        ) from error
    for rule in rules:
        _require_sound(rule, edit)
    last = rules[-1] if rules else None
    if last is None or set(last.stages) != set(STAGES) or last.facts or last.bands or last.missing or last.markets:
        raise UserError(f"Policy 'screening': the last rule must fit every listing at every stage. {edit}")
    return ScreeningPolicy(policy.version, rules)


def _rule(table: dict[str, Any]) -> ScreeningRule:
    lists = {name: tuple(map(str, value)) for name, value in table.items() if isinstance(value, list)}
    words = {name: value for name, value in table.items() if not isinstance(value, list)}
    return ScreeningRule(**{**words, **lists})


def _require_sound(rule: ScreeningRule, edit: str) -> None:
    told = f"Policy 'screening', rule {rule.name!r}:"
    if rule.decision not in get_args(Decision) or rule.ask not in get_args(Ask):
        raise UserError(f"{told} a decision is allow, test_first or hold, and asks none, documents or test. {edit}")
    if not set(rule.stages) <= set(STAGES) or not set(rule.facts) <= FACTS:
        raise UserError(f"{told} stages are {', '.join(STAGES)} and facts {', '.join(sorted(FACTS))}. {edit}")
    if rule.decision == "hold" and not (rule.facts and set(rule.facts) <= HOLDING):
        raise UserError(
            f"{told} only a fact of this market may hold a product; a score alone orders at most a test. {edit}"
        )
    if rule.decision == "test_first" and rule.ask == "none":
        raise UserError(f"{told} test_first asks for a test or for documents. {edit}")


def _fits(rule: ScreeningRule, situation: Situation) -> bool:
    return (
        situation.stage in rule.stages
        and (not rule.markets or situation.market in rule.markets)
        and (not rule.facts or any(kind in rule.facts for kind in situation.facts))
        and (not rule.bands or situation.band in rule.bands)
        and (not rule.missing or any(name in rule.missing for name in situation.missing))
    )
