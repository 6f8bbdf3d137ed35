"""The dated policy `decisions`: the dispositions an officer may choose, and what each of them needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, Strict, model_validator

from data.errors import UserError
from data.policy import POLICY_FOLDER, Days, Policy, Several, Share, TomlTable, policy_in_force
from serving.auth.api_keys import Role

# Decisions that a score alone never allows, whatever a policy file says.
RESTRICTING = frozenset({"remove", "suspend", "recall"})


def _parse_day(given: object) -> object:
    """Parse an ISO date; values of other types are left to the strict type."""
    try:
        return date.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        raise ValueError("it must be a day such as 2026-01-31") from None


ClockKind = Literal["authority_order", "notice", "failed_test"]
Severity = Literal["minor", "major", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


class RequiredFacts(TomlTable):
    """The facts that a disposition needs: so many, none older, failed tests of a severity or a worse one.

    An authority's order is enough by itself; for what binds a supplier, one about all its products, and one about a
    single product counts as one fact. A failed test of unknown severity counts as minor.
    """

    number: Days = 1
    severity: Severity = "minor"
    most_age_days: Days


class Disposition(TomlTable):
    """A kind of decision.

    `strength` orders them from the gentlest; `facts`: the facts it needs besides a score; `four_eyes`: somebody else
    approves; `ends`: it expires after `limits.pause_days`; `restricts`: the seller is owed a statement of reasons.
    `binds` says whether it holds for the SKU in its market or for all SKUs of the supplier. In force it stops the
    clocks named in `stops` of those facts and notices that its officer had before them; a restriction stops all clocks
    of what it restricts. `answers` names the kind of fact that does not stand any more when this rests on it.
    """

    name: str
    title: str
    strength: int
    roles: Several[Role]
    codes: Annotated[Several[str], Field(min_length=1)]
    facts: RequiredFacts | None = None
    answers: Literal["authority_order"] | None = None
    needs_reference: bool = False
    binds: Literal["sku", "supplier"] = "sku"
    stops: Several[ClockKind] = ()
    four_eyes: bool = False
    ends: bool = False
    restricts: bool = False

    @property
    def needs_fact(self) -> bool:
        """Whether a score alone does not carry it."""
        return self.facts is not None or self.answers is not None

    def rests_on(self, kind: str, code: str) -> bool:
        """Whether a decision for the reason `code` rests on a fact of this kind."""
        return kind == (self.answers or code)

    @property
    def fact_kinds(self) -> tuple[str, ...]:
        """The kinds of facts that it may rest on."""
        return (self.answers,) if self.answers else self.codes

    @model_validator(mode="after")
    def _require_safeguards(self) -> Self:
        """Raise where a score alone, or one person alone, could remove a product."""
        if self.name in RESTRICTING and not (self.needs_fact and self.four_eyes and self.restricts):
            raise ValueError(f"{self.name!r} needs a fact, four eyes and a statement")
        if self.ends and not self.four_eyes:
            raise ValueError(f"{self.name!r} ends by itself and needs four eyes")
        return self


@dataclass(frozen=True)
class ReasonCode:
    """A reason of a decision in words, and how the seller may remedy it (empty where they cannot)."""

    name: str
    words: str
    remedy: str


class GroundWording(TomlTable):
    """The legal basis of a restriction, and its rule in words that a seller understands.

    `legal_ground` names the law of the EU; `elsewhere` is what a seller in another market is told.
    """

    legal_ground: str
    elsewhere: str
    rule: str


class FailedTestDays(TomlTable):
    """Working days to decide on a failed independent test, by its severity."""

    critical: Days
    major: Days
    minor: Days

    def after(self, severity: str | None) -> int:
        """The days for a severity; one that is unknown counts as minor."""
        return {"critical": self.critical, "major": self.major}.get(severity or "minor", self.minor)


class DeadlineTerms(TomlTable):
    """Working days to act after an authority's order, a notice and a failed test, and to send requested documents.

    `holidays` are no working days.
    """

    authority_order: Days
    notice: Days
    failed_test: FailedTestDays
    documents: Days
    holidays: Annotated[frozenset[Annotated[date, BeforeValidator(_parse_day)]], Strict(False)] = frozenset()


class OwnEstimates(TomlTable):
    """The cases in which officers say what they expect before they see the score.

    At most `share` of all, and `cases_per_day` of one scoring day on average: half of them flagged.
    """

    share: Share
    cases_per_day: Days
    salt: str


class DecisionLimits(TomlTable):
    """How long a pause lasts, an order waits for its report and scores stay fresh, in days; lengths of explanations."""

    pause_days: Annotated[int, Field(ge=1, le=7)]
    score_days: Days
    order_days: Days
    least_explanation: Annotated[int, Field(ge=0)]
    most_explanation: Annotated[int, Field(ge=0)]


class AppealTerms(TomlTable):
    """How long a seller may appeal, at least the six months of the law, and where."""

    months: Annotated[int, Field(ge=6, le=1200)]
    answer_working_days: Annotated[int, Field(ge=1, le=1000)]
    address: str


class DecisionPolicy(Policy, subject="decisions"):
    """The decisions in force; after `limits.order_days` a test without a report may be ordered again."""

    own_estimate: OwnEstimates
    limits: DecisionLimits
    deadlines: Annotated[DeadlineTerms, Field(alias="clocks")]
    appeals: AppealTerms
    declared: Annotated[Several[Disposition], Field(alias="disposition")]
    words: Annotated[dict[str, Annotated[tuple[str, str], Strict(False)]], Field(alias="codes")]
    grounds: dict[str, GroundWording]

    @model_validator(mode="after")
    def _check_codes(self) -> Self:
        for each in self.declared:
            if unknown := [code for code in each.codes if code not in self.words]:
                raise ValueError(f"disposition {each.name!r} names {', '.join(unknown)}, not declared under codes")
        return self

    @cached_property
    def dispositions(self) -> Mapping[str, Disposition]:
        """The dispositions by name."""
        return {each.name: each for each in self.declared}

    @cached_property
    def codes(self) -> Mapping[str, ReasonCode]:
        """The reason codes by name."""
        return {name: ReasonCode(name, words, remedy) for name, (words, remedy) in self.words.items()}

    def restricts(self, name: str) -> bool:
        """Whether a decision of this kind restricts the seller, also where the policy does not name it any more."""
        found = self.dispositions.get(name)
        return name in (*RESTRICTING, "pause") if found is None else found.restricts

    def disposition(self, name: str) -> Disposition:
        """The disposition of this name; UserError where there is none."""
        if name not in self.dispositions:
            raise UserError(f"There is no decision {name!r}. Choose one of: {', '.join(self.dispositions)}.")
        return self.dispositions[name]


def decision_policy_in_force(day: date, folder: Path = POLICY_FOLDER) -> DecisionPolicy:
    """The decision policy of a day. Raises UserError where there is none, or where it allows what it must not."""
    return policy_in_force(DecisionPolicy, day, folder)
