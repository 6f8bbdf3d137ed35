"""KPIs of the verification desk: how long issuers take, and how many documents they confirm or refute."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from serving.certificates.records import Check
from serving.certificates.states import ANSWERS
from serving.decisions.document_policy import REFUTED
from serving.kpis.kpis import MIN_CASES, Rate

ALL_ISSUERS = ""


@dataclass(frozen=True)
class IssuerOutcomes:
    """What was asked of an issuer (ALL_ISSUERS: of all) and answered.

    `median_days` lie between question and answer, None with fewer than MIN_CASES answers to questions.
    """

    issuer: str
    asked: int
    answered: int
    confirmed: int
    refuted: int
    median_days: float | None

    @property
    def confirmed_rate(self) -> Rate:
        """Documents confirmed, of those answered."""
        return Rate(self.confirmed, self.answered)

    @property
    def refuted_rate(self) -> Rate:
        """Documents denied, withdrawn or found to cover something else, of those answered."""
        return Rate(self.refuted, self.answered)


def issuer_outcomes(checks: Iterable[Check]) -> tuple[IssuerOutcomes, ...]:
    """The outcomes over all issuers, then by issuer, the most answers first; none before the first check."""
    by_issuer: dict[str, list[Check]] = defaultdict(list)
    for check in checks:
        by_issuer[ALL_ISSUERS].append(check)
        by_issuer[check.document.issuer or "none named"].append(check)
    outcomes = [_outcomes(issuer, each) for issuer, each in by_issuer.items()]
    return tuple(sorted(outcomes, key=lambda each: (each.issuer != ALL_ISSUERS, -each.answered, each.issuer)))


def _outcomes(issuer: str, checks: list[Check]) -> IssuerOutcomes:
    answered = [check for check in checks if check.state in ANSWERS]
    days = [
        (check.given.answered_on - check.asked_at.date()).days for check in answered if check.given and check.asked_at
    ]
    return IssuerOutcomes(
        issuer, sum(check.asked_at is not None for check in checks), len(answered),
        sum(check.state == "confirmed" for check in answered), sum(check.state in REFUTED for check in answered),
        median(max(each, 0) for each in days) if len(days) >= MIN_CASES else None,
    )  # fmt: skip
