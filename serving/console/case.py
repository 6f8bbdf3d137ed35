"""What an officer has before them when they decide on a SKU: score, facts, deadline, owner, what they may do."""

import secrets
from dataclasses import dataclass
from datetime import date

from data.database.audit_log import Versions
from data.errors import UserError
from models.risk_bands import bands_in_force
from sampling.policy import sampling_policy_in_force
from sampling.problem import Package
from serving.console.context import AppContext
from serving.console.session import Person
from serving.decisions.assignment_and_labels import owner_of
from serving.decisions.blind_assessment import ESTIMATORS, Case, estimate_is_due
from serving.decisions.deadlines import Due, due
from serving.decisions.legal_grounds import Ground, grounds_in_force, open_notices
from serving.decisions.policy import DecisionPolicy, Disposition, decision_policy_in_force
from serving.decisions.records import (
    DECLINED,
    CaseFile,
    ContextReason,
    Decision,
    DecisionContext,
    ListingSummary,
    ScoreAtDecision,
    context_grounds,
)
from serving.decisions.rules import Officer, missing_fact
from serving.decisions.store import Decisions
from serving.dossiers.records import Dossier, DossierListing
from serving.schemas import Item, ScoreRow


@dataclass(frozen=True)
class DispositionOption:
    """A disposition as the form offers it: `missing` says which fact it lacks, `barred` which role it is for."""

    disposition: Disposition
    missing: str | None
    barred: str | None

    @property
    def possible(self) -> bool:
        """Whether it can be chosen now."""
        return self.missing is None and self.barred is None


@dataclass(frozen=True)
class CaseView:
    """A SKU's case for one person. `estimate_due`: they say what they expect before they see the score.

    `publication` names the scores it was read from.
    """

    listing: DossierListing
    score: ScoreRow
    file: CaseFile
    facts: tuple[Ground, ...]
    policy: DecisionPolicy
    choices: tuple[DispositionOption, ...]
    packages: tuple[Package, ...]
    history: tuple[Decision, ...]
    due: Due | None
    owner: str | None
    estimate_due: bool
    form_token: str
    publication: str

    @property
    def query(self) -> dict[str, str]:
        """What names the SKU in addresses and forms."""
        return {"market": self.listing.market, "sku_id": self.listing.sku_id}


def officer_of(person: Person) -> Officer:
    """The person signed in, as the rules of decisions know them."""
    return Officer(person.name, person.role, person.key_id)


def policy_today(house: AppContext) -> DecisionPolicy:
    """The decision policy of this day."""
    return decision_policy_in_force(house.now().date())


def decisions_of(house: AppContext) -> Decisions:
    """The decisions in the state."""
    return Decisions(house.engine, policy_today(house))


def dossier_of(house: AppContext, sku_id: str, market: str) -> Dossier:
    """The dossier of a SKU in service; UserError where the catalogue does not know it."""
    published = house.desk.store()
    position = int(published.snapshot.find([sku_id], [market])[0])
    if position < 0:
        raise UserError(f"The catalogue of {published.publication.as_of} has no SKU {sku_id!r} in market {market!r}.")
    return published.dossiers.of(position)


def case_view(house: AppContext, person: Person, sku_id: str, market: str) -> CaseView:
    """The case of a SKU for the person signed in; UserError where the catalogue does not know it."""
    published, policy = house.desk.store(), policy_today(house)
    dossier = dossier_of(house, sku_id, market)
    score = published.score_row(Item(sku_id=sku_id, market=market))
    facts = grounds_in_force(dossier, published.publication.as_of)
    asked = str(bands_in_force(score.as_of).action([score.p_fail])[0])
    versions = Versions(score.model_version, score.feature_version, score.policy_version)
    case = Case(sku_id, market, score.as_of)
    scored = ScoreAtDecision(score.p_fail, score.band, asked, versions)
    file = CaseFile(case, dossier.listing.supplier_id, scored, facts, _shown(dossier.listing, score, facts),
                    sampled_of(dossier))  # fmt: skip
    history = tuple(decisions_of(house).of_sku(sku_id, market))
    cell = (dossier.listing.category, market)
    return CaseView(
        listing=dossier.listing, score=score, file=file, facts=facts, policy=policy,
        choices=tuple(_choice(each, file, officer_of(person)) for each in policy.dispositions.values()),
        packages=sampling_policy_in_force(score.as_of).options(cell), history=history,
        due=due(facts, open_notices(dossier, dossier.as_of), policy.clocks, _decided_on(history)),
        owner=owner_of(house.engine, sku_id, market),
        estimate_due=person.role in ESTIMATORS and estimate_is_due(house.engine, case, person.key_id, policy),
        form_token=secrets.token_urlsafe(16),
        publication=published.name,
    )  # fmt: skip


def sampled_of(dossier: Dossier) -> dict[str, date]:
    """By test package, the day on which the newest sample with a report was drawn."""
    days = sorted((test.happened_on, test.package) for test in dossier.tests if test.independent and test.package)
    return {package: day for day, package in days}


def _shown(listing: DossierListing, score: ScoreRow, facts: tuple[Ground, ...]) -> DecisionContext:
    """What the page of the SKU says now, to be kept with what is decided on it."""
    reasons = tuple(ContextReason(each.feature, each.contribution, each.sentence) for each in score.reasons or ())
    offer = ListingSummary(listing.title, listing.category, listing.listed_on)
    return DecisionContext(score.p_low, score.p_high, reasons, context_grounds(facts), offer)


def _choice(disposition: Disposition, file: CaseFile, officer: Officer) -> DispositionOption:
    able = " or ".join(disposition.roles)
    barred = None if officer.role in disposition.roles else f"For the role {able}; you signed in as {officer.role}."
    return DispositionOption(disposition, missing_fact(disposition, file.facts), barred)


def _decided_on(history: tuple[Decision, ...]) -> date | None:
    """The day of the newest decision that was not declined."""
    days = [date.fromisoformat(each.proposed_at[:10]) for each in history if each.state != DECLINED]
    return max(days, default=None)
