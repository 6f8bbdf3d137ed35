"""What may be decided, by whom and on which ground; the same rules for the form and for the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from unicodedata import normalize

from data.errors import UserError
from serving.decisions.legal_grounds import Ground
from serving.decisions.policy import DecisionPolicy, Disposition

# The actions of risk bands as strengths of dispositions.
_ACTION_STRENGTHS = {"none": 0, "request_documents": 1, "test": 2, "priority_test": 2}
_NO_GROUND = (
    "No failed independent test, no denied or withdrawn certificate of a mandatory scheme and no open order of an "
    "authority is known for it. Order a test or pause it, and decide when one of them is known."
)


@dataclass(frozen=True)
class Officer:
    """Who decides: name and role of the person signed in, and the id of their key."""

    name: str
    role: str
    key_id: str

    def is_same_as(self, name: str, key_id: str) -> bool:
        """Whether this is the same person: the same key, or another key in the same name."""
        return key_id == self.key_id or _normalize_name(name) == _normalize_name(self.name)


@dataclass(frozen=True)
class Signature:
    """The officer who takes a step, and when."""

    officer: Officer
    at: datetime


@dataclass(frozen=True)
class Proposal:
    """A decision before it is checked: disposition, reason code, explanation, `row_id` of the ground it rests on.

    `package` and `cost_eur` belong to a test that is ordered; the same `form_token` twice is the same decision.
    """

    disposition: str
    code: str
    explanation: str
    fact: str | None = None
    package: str | None = None
    cost_eur: float | None = None
    form_token: str | None = None


def _normalize_name(name: str) -> str:
    """The name without differences of case, width and spacing."""
    return " ".join(normalize("NFKC", name).casefold().split())


def missing_ground(disposition: Disposition, grounds: Sequence[Ground]) -> str | None:
    """The sentence that says which ground a disposition lacks; None where it lacks none."""
    if not disposition.needs_fact or any(ground.kind in disposition.codes for ground in grounds):
        return None
    return f"{disposition.title}: a score alone does not carry this. {_NO_GROUND}"


def require_role(officer: Officer, disposition: Disposition) -> None:
    """Raise UserError where the role of the officer may not decide this."""
    if officer.role not in disposition.roles:
        able = " or ".join(disposition.roles)
        raise UserError(f"{disposition.title} is for the role {able}; {officer.name} signed in as {officer.role}.")


def check_proposal(
    proposal: Proposal, officer: Officer, grounds: Sequence[Ground], policy: DecisionPolicy
) -> Ground | None:
    """The ground that the proposal rests on, None where it needs none.

    Raises UserError that says what is missing: role, reason, explanation, or the ground.
    """
    disposition = policy.disposition(proposal.disposition)
    require_role(officer, disposition)
    if proposal.code not in disposition.codes:
        known = ", ".join(policy.codes[code].words for code in disposition.codes)
        raise UserError(f"{disposition.title} needs a reason. Choose one of: {known}.")
    limits, length = policy.limits, len(proposal.explanation.strip())
    least, most = limits.least_explanation, limits.most_explanation
    if not least <= length <= most:
        raise UserError(f"Say in your own words why, in {least} to {most} characters; there are {length}.")
    missing = missing_ground(disposition, grounds)
    if missing:
        raise UserError(missing)
    return _select_ground(proposal, disposition, grounds)


def _select_ground(proposal: Proposal, disposition: Disposition, grounds: Sequence[Ground]) -> Ground | None:
    """The ground that the proposal names, else the newest of the kind of its reason."""
    if not disposition.needs_fact:
        return None
    fitting = [ground for ground in grounds if ground.kind == proposal.code]
    if proposal.fact is not None:
        fitting = [ground for ground in fitting if ground.row_id == proposal.fact]
    if not fitting:
        raise UserError(
            f"{disposition.title}: the reason given is {proposal.code.replace('_', ' ')}, and no such fact is known. "
            "Choose the reason that fits the fact."
        )
    return max(fitting, key=lambda ground: ground.since)


def agreement(disposition: Disposition, band_action: str) -> str:
    """A decision compared with the action of the score's band: `as_asked`, `gentler` or `harder`."""
    strength = _ACTION_STRENGTHS[band_action]
    if disposition.strength < strength:
        return "gentler"
    return "harder" if disposition.strength > max(strength, 2 if strength else 0) else "as_asked"
