"""What may be decided, by whom and on which fact; the same rules for the form and for the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from unicodedata import normalize

from data.errors import UserError
from serving.decisions.policy import DecisionPolicy, Disposition

# What the actions of a score's band ask for, as strengths of dispositions.
_ASKED = {"none": 0, "request_documents": 1, "test": 2, "priority_test": 2}
_MISSING = (
    "No failed independent test, no denied or withdrawn certificate of a mandatory scheme and no open order of an "
    "authority is known for it. Order a test or pause it, and decide when one of them is known."
)


class GroundInForce(Protocol):
    """A fact that a restriction may rest on, as `serving.decisions.legal_grounds` finds them."""

    @property
    def kind(self) -> str:
        """`failed_independent_test`, `certificate_denied` or `authority_order`."""

    @property
    def since(self) -> date:
        """The day it became known."""

    @property
    def sentence(self) -> str:
        """The fact in words."""

    @property
    def row_id(self) -> str:
        """The row of the table it is read from."""


@dataclass(frozen=True)
class Officer:
    """Who decides: the person whose key signed in, by name, the role, and which key it was."""

    name: str
    role: str
    key_id: str

    def is_same_as(self, name: str, key_id: str) -> bool:
        """Whether this is the same pair of eyes: the same key, or another key in the same name."""
        return key_id == self.key_id or _spoken(name) == _spoken(self.name)


@dataclass(frozen=True)
class Proposal:
    """What an officer wants to do about a SKU, and why: reason code, words of their own, the fact it rests on.

    `package` and `cost_eur` belong to a test that is ordered; the same `form_token` twice is the same decision.
    """

    disposition: str
    code: str
    explanation: str
    fact: str | None = None
    package: str | None = None
    cost_eur: float | None = None
    form_token: str | None = None


def _spoken(name: str) -> str:
    """A name as people hear it: without case, width and spacing."""
    return " ".join(normalize("NFKC", name).casefold().split())


def missing_fact(disposition: Disposition, facts: Sequence[GroundInForce]) -> str | None:
    """The sentence that says which fact a disposition lacks; None where nothing is missing."""
    if not disposition.needs_fact or any(fact.kind in disposition.codes for fact in facts):
        return None
    return f"{disposition.title}: a score alone does not carry this. {_MISSING}"


def require_role(officer: Officer, disposition: Disposition) -> None:
    """Raise UserError where the role of the officer may not decide this."""
    if officer.role not in disposition.roles:
        able = " or ".join(disposition.roles)
        raise UserError(f"{disposition.title} is for the role {able}; {officer.name} signed in as {officer.role}.")


def check_proposal(
    proposal: Proposal, officer: Officer, facts: Sequence[GroundInForce], policy: DecisionPolicy
) -> GroundInForce | None:
    """The fact that the proposal rests on, None where it needs none.

    Raises UserError that says what is missing: role, reason, words, or the fact itself.
    """
    disposition = policy.disposition(proposal.disposition)
    require_role(officer, disposition)
    if proposal.code not in disposition.codes:
        known = ", ".join(policy.codes[code].words for code in disposition.codes)
        raise UserError(f"{disposition.title} needs a reason. Choose one of: {known}.")
    words, limits = len(proposal.explanation.strip()), policy.limits
    least, most = limits.least_explanation, limits.most_explanation
    if not least <= words <= most:
        raise UserError(f"Say in your own words why, in {least} to {most} characters; there are {words}.")
    lacking = missing_fact(disposition, facts)
    if lacking:
        raise UserError(lacking)
    return _chosen(proposal, disposition, facts)


def _chosen(proposal: Proposal, disposition: Disposition, facts: Sequence[GroundInForce]) -> GroundInForce | None:
    """The fact named, else the newest that fits the reason."""
    if not disposition.needs_fact:
        return None
    fitting = [fact for fact in facts if fact.kind == proposal.code]
    if proposal.fact is not None:
        fitting = [fact for fact in fitting if fact.row_id == proposal.fact]
    if not fitting:
        raise UserError(
            f"{disposition.title}: the reason given is {proposal.code.replace('_', ' ')}, and no such fact is known. "
            "Choose the reason that fits the fact."
        )
    return max(fitting, key=lambda fact: fact.since)


def agreement(disposition: Disposition, asked: str) -> str:
    """How a decision stands to what the score's band asked for: `as_asked`, `gentler` or `harder`."""
    strength = _ASKED[asked]
    if disposition.strength < strength:
        return "gentler"
    return "harder" if disposition.strength > max(strength, 2 if strength else 0) else "as_asked"
