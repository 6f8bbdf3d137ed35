"""What may be decided, by whom and on which ground; the same rules for the form and for the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from unicodedata import normalize

from data.errors import UserError
from serving.decisions.legal_grounds import DENIED_CERTIFICATE, FAILED_TEST, ORDER, Ground
from serving.decisions.policy import SEVERITIES, DecisionPolicy, Disposition, RequiredFacts

# The actions of risk bands as strengths of dispositions.
_ACTION_STRENGTHS = {"none": 0, "request_documents": 1, "test": 2, "priority_test": 2}
_NO_GROUND = (
    "A score alone cannot justify removal, suspension or recall. You need a failed independent test, a refuted "
    "mandatory document or an authority's order."
)
_NO_ORDER = "No open order of an authority is known for it, so there is nothing to answer."


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

    `package` and `cost_eur` belong to a test that is ordered, `reference` to an answer to an authority. `limit_eur`
    is the most that all tests ordered on the scores of this day may cost together. The same `form_token` twice is the
    same decision.
    """

    disposition: str
    code: str
    explanation: str
    fact: str | None = None
    package: str | None = None
    cost_eur: float | None = None
    form_token: str | None = None
    reference: str | None = None
    limit_eur: float | None = None


def _normalize_name(name: str) -> str:
    """The name without differences of case, width and spacing."""
    return " ".join(normalize("NFKC", name).casefold().split())


def missing_ground(disposition: Disposition, grounds: Sequence[Ground], today: date) -> str | None:
    """The sentence that says which ground a disposition lacks; None where it lacks none."""
    if not disposition.needs_fact:
        return None
    kinds = [ground for ground in grounds if ground.kind in disposition.fact_kinds]
    if not kinds:
        return _NO_ORDER if disposition.answers else _NO_GROUND
    needed = disposition.facts
    if needed is None or carrying_grounds(disposition, kinds, today):
        return None
    whose = "of this supplier's products" if disposition.binds == "supplier" else "of this product"
    order = "an authority's order about all its products" if disposition.binds == "supplier" else "an authority's order"
    number = len(_counted(disposition, needed, kinds, today))
    return (
        f"{disposition.title} needs {_facts_in_words(disposition, needed)} {whose}, known in the last "
        f"{needed.most_age_days} days, or {order}; {number or 'none'} {'is' if number == 1 else 'are'} known."
    )


def carrying_grounds(disposition: Disposition, grounds: Sequence[Ground], today: date) -> tuple[Ground, ...]:
    """The grounds that together carry a disposition; empty where they do not suffice."""
    of_kind = tuple(ground for ground in grounds if ground.kind in disposition.fact_kinds)
    needed = disposition.facts
    if needed is None:
        return of_kind
    orders = tuple(ground for ground in of_kind if _is_enough(disposition, ground))
    counted = _counted(disposition, needed, of_kind, today)
    return (*orders, *counted) if orders or len(counted) >= needed.number else ()


def _is_enough(disposition: Disposition, ground: Ground) -> bool:
    """Whether a ground carries a disposition by itself: an order about all that the disposition binds."""
    return ground.kind == ORDER and (disposition.binds == "sku" or ground.sku_id is None)


def _counted(
    disposition: Disposition, needed: RequiredFacts, grounds: Sequence[Ground], today: date
) -> tuple[Ground, ...]:
    """The grounds that are not enough by themselves, but severe and young enough to be counted."""
    since = today - timedelta(days=needed.most_age_days)
    others = (ground for ground in grounds if not _is_enough(disposition, ground))
    return tuple(ground for ground in others if ground.since >= since and _is_severe(ground, needed))


def _is_severe(ground: Ground, needed: RequiredFacts) -> bool:
    if ground.kind != FAILED_TEST:
        return True
    severity = ground.severity if ground.severity in SEVERITIES else "minor"
    return SEVERITIES.index(severity) >= SEVERITIES.index(needed.severity)


def _facts_in_words(disposition: Disposition, needed: RequiredFacts) -> str:
    least = "" if needed.severity == "minor" else f" of at least {needed.severity} severity"
    carries_documents = DENIED_CERTIFICATE in disposition.fact_kinds
    if needed.number == 1:
        return f"a failed independent test{least}{' or a refuted mandatory document' if carries_documents else ''}"
    documents = "refuted mandatory documents, " if carries_documents else ""
    return f"{needed.number} facts (failed independent tests{least}, {documents}orders about single products)"


def require_role(officer: Officer, disposition: Disposition) -> None:
    """Raise UserError where the role of the officer may not decide this."""
    if officer.role not in disposition.roles:
        able = " or ".join(disposition.roles)
        raise UserError(f"{disposition.title} is for the role {able}; {officer.name} signed in as {officer.role}.")


def check_proposal(
    proposal: Proposal, officer: Officer, grounds: Sequence[Ground], policy: DecisionPolicy, today: date
) -> Ground | None:
    """The ground that the proposal rests on, None where it needs none.

    Raises UserError that says what is missing: role, reason, explanation, reference, or the ground.
    """
    disposition = policy.disposition(proposal.disposition)
    require_role(officer, disposition)
    if proposal.code not in disposition.codes:
        known = ", ".join(policy.codes[code].words for code in disposition.codes)
        raise UserError(f'Choose a reason that belongs to "{disposition.title}": {known}.')
    limits, length = policy.limits, len(proposal.explanation.strip())
    if length < limits.least_explanation:
        raise UserError(f"Explain in at least {limits.least_explanation} characters (you wrote {length}).")
    if length > limits.most_explanation:
        raise UserError(f"Explain in at most {limits.most_explanation:,} characters (you wrote {length:,}).")
    if disposition.needs_reference and not (proposal.reference or "").strip():
        raise UserError(f"{disposition.title} needs the reference of the letter to or from the authority. Enter it.")
    missing = missing_ground(disposition, grounds, today)
    if missing:
        raise UserError(missing)
    return _select_ground(proposal, disposition, carrying_grounds(disposition, grounds, today))


def _select_ground(proposal: Proposal, disposition: Disposition, grounds: Sequence[Ground]) -> Ground | None:
    """The ground that the proposal names, else the newest of the kind of its reason."""
    if not disposition.needs_fact:
        return None
    fitting = [ground for ground in grounds if disposition.rests_on(ground.kind, proposal.code)]
    if proposal.fact is not None:
        fitting = [ground for ground in fitting if ground.row_id == proposal.fact]
    if not fitting:
        raise UserError(
            f"{disposition.title}: the reason given is {proposal.code.replace('_', ' ')}, and no such fact that is "
            "severe and recent enough is known. Choose the reason that fits the fact."
        )
    return max(fitting, key=lambda ground: ground.since)


def agreement(disposition: Disposition, band_action: str) -> str:
    """A decision compared with the action of the score's band: `as_asked`, `gentler` or `harder`."""
    strength = _ACTION_STRENGTHS[band_action]
    if disposition.strength < strength:
        return "gentler"
    return "harder" if disposition.strength > max(strength, 2 if strength else 0) else "as_asked"
