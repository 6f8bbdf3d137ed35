"""The decisions an officer may take, and what each of them needs, by dated policy."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from data.errors import UserError
from data.policy import POLICY_FOLDER, PolicyText, policy_in_force

ROLES = ("scheduler", "officer", "analyst", "admin")
# Which decisions a score alone can never carry, whatever a policy file says.
RESTRICTING = frozenset({"remove", "suspend", "recall"})


@dataclass(frozen=True)
class Disposition:
    """One thing that can be decided.

    `strength` orders them from the gentlest; `needs_fact`: a score alone does not carry it; `four_eyes`: somebody else
    approves; `ends`: it ends by itself after the policy's days; `restricts`: the seller is owed a statement of reasons.
    """

    name: str
    title: str
    strength: int
    roles: tuple[str, ...]
    codes: tuple[str, ...]
    needs_fact: bool = False
    four_eyes: bool = False
    ends: bool = False
    restricts: bool = False


@dataclass(frozen=True)
class ReasonCode:
    """Why something was decided, in words, and how a seller may put it right (empty where it is not theirs to mend)."""

    name: str
    words: str
    remedy: str


@dataclass(frozen=True)
class GroundWording:
    """What a restriction rests on in law, and the rule in words that a seller understands.

    `legal_ground` names the law of the EU; `elsewhere` is what a seller in another market is told.
    """

    legal_ground: str
    elsewhere: str
    rule: str


@dataclass(frozen=True)
class Clocks:
    """Working days to act in after an authority's order and after a notice; `holidays` are no working days."""

    authority_order: int
    notice: int
    holidays: frozenset[date]


@dataclass(frozen=True)
class DecisionPolicy:
    """The decisions in force; `policy/decisions/<day>.toml` says what each entry means. `version` names the file.

    `appeal_answer_days` are working days; after `order_days` a test without a report may be ordered again.
    """

    version: str
    dispositions: Mapping[str, Disposition]
    codes: Mapping[str, ReasonCode]
    grounds: Mapping[str, GroundWording]
    clocks: Clocks
    estimate_share: float
    salt: str
    pause_days: int
    order_days: int
    least_explanation: int
    most_explanation: int
    appeal_months: int
    appeal_answer_days: int
    appeal_address: str

    def disposition(self, name: str) -> Disposition:
        """The disposition of this name; UserError where there is none."""
        if name not in self.dispositions:
            raise UserError(f"There is no decision {name!r}. Choose one of: {', '.join(self.dispositions)}.")
        return self.dispositions[name]


def decision_policy_in_force(day: date, folder: Path = POLICY_FOLDER) -> DecisionPolicy:
    """The decision policy of a day. Raises UserError where there is none, or where it allows what it must not."""
    text = policy_in_force("decisions", day, folder)
    try:
        policy = _stated(text)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"Decision policy {text.version} lacks or garbles {error}. Mend the file.") from error
    _checked(policy)
    return policy


def _stated(text: PolicyText) -> DecisionPolicy:
    tables = text.tables
    clocks, limits, appeals = tables["clocks"], tables["limits"], tables["appeals"]
    return DecisionPolicy(
        version=text.version,
        dispositions={row["name"]: _disposition(row) for row in tables["disposition"]},
        codes={name: ReasonCode(name, str(words), str(remedy)) for name, (words, remedy) in tables["codes"].items()},
        grounds={name: GroundWording(**row) for name, row in tables["grounds"].items()},
        clocks=Clocks(
            int(clocks["authority_order"]), int(clocks["notice"]),
            frozenset(date.fromisoformat(day) for day in clocks.get("holidays", ())),
        ),
        estimate_share=float(tables["own_estimate"]["share"]),
        salt=str(tables["own_estimate"]["salt"]),
        pause_days=int(limits["pause_days"]),
        order_days=int(limits["order_days"]),
        least_explanation=int(limits["least_explanation"]),
        most_explanation=int(limits["most_explanation"]),
        appeal_months=int(appeals["months"]),
        appeal_answer_days=int(appeals["answer_working_days"]),
        appeal_address=str(appeals["address"]),
    )  # fmt: skip


def _disposition(row: Mapping[str, Any]) -> Disposition:
    told = {**row, "roles": tuple(row["roles"]), "codes": tuple(row["codes"])}
    return Disposition(**told)


def _checked(policy: DecisionPolicy) -> None:
    """Refuse a policy that would let a score remove a product, or one pair of eyes do it."""
    edit = f"Edit policy/decisions/{policy.version[:10]}.toml."
    if not 0 <= policy.estimate_share <= 1:
        raise UserError(f"Policy 'decisions': the share of own estimates is {policy.estimate_share}. {edit}")
    if not 0 < policy.pause_days <= 7:
        raise UserError(f"Policy 'decisions': a pause of {policy.pause_days} days; it lasts at most 7. {edit}")
    if policy.appeal_months < 6:
        raise UserError(f"Policy 'decisions': {policy.appeal_months} months to appeal; the law asks for 6. {edit}")
    if policy.appeal_answer_days < 1:
        raise UserError(f"Policy 'decisions': {policy.appeal_answer_days} working days to answer an appeal. {edit}")
    for each in policy.dispositions.values():
        unknown = [code for code in each.codes if code not in policy.codes] + [r for r in each.roles if r not in ROLES]
        if unknown or not each.codes:
            raise UserError(f"Policy 'decisions': {each.name!r} names {unknown or 'no code'}, not declared. {edit}")
        if each.name in RESTRICTING and not (each.needs_fact and each.four_eyes and each.restricts):
            raise UserError(f"Policy 'decisions': {each.name!r} needs a fact, four eyes and a statement. {edit}")
        if each.ends and not each.four_eyes:
            raise UserError(f"Policy 'decisions': {each.name!r} needs four eyes. {edit}")
