"""The rules as people read them, told from the policy files alone, so that they cannot differ from what is done.

Left out is what would help to evade a test: thresholds of scores, shares and weights of the draw, caps, how long a
tested product is left in peace, slots and prices; and the numbers by which published figures are protected.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from data.errors import NotFoundError
from data.policy import POLICY_FOLDER
from models.hazard_words import hazard_phrase
from models.risk_bands import RiskBands, bands_in_force
from sampling.estimation.publication_policy import PublicationPolicy, publication_policy_in_force
from sampling.policy import SamplingPolicy, sampling_policy_in_force
from serving.api.screening_policy import ScreeningPolicy, screening_policy_in_force
from serving.decisions.document_policy import DocumentPolicy, document_policy_in_force
from serving.decisions.legal_grounds import GroundPolicy, ground_policy_in_force
from serving.decisions.policy import DecisionPolicy, decision_policy_in_force
from serving.letters.policy import LetterPolicy, letter_policy_in_force
from serving.rules.decisions import appeal_section, decision_section, remedy_section
from serving.rules.screening import screening_section
from serving.rules.section import RuleTerm, Section, and_list, market_words, words
from serving.trust.policy import TrustPolicy, trust_policy_in_force

SUBJECTS = (
    "bands", "decisions", "documents", "facts", "letters", "publication", "sampling", "screening", "trust",
)  # fmt: skip
"""The policies that the rules are told from."""


@dataclass(frozen=True)
class Policies:
    """The policies of one day."""

    bands: RiskBands
    decisions: DecisionPolicy
    documents: DocumentPolicy
    facts: GroundPolicy
    letters: LetterPolicy
    publication: PublicationPolicy
    sampling: SamplingPolicy
    screening: ScreeningPolicy
    trust: TrustPolicy


def policies_of(day: date, folder: Path = POLICY_FOLDER) -> Policies:
    """The policies in force on a day."""
    return Policies(
        bands_in_force(day, folder), decision_policy_in_force(day, folder), document_policy_in_force(day, folder),
        ground_policy_in_force(day, folder), letter_policy_in_force(day, folder),
        publication_policy_in_force(day, folder), sampling_policy_in_force(day, folder),
        screening_policy_in_force(day, folder), trust_policy_in_force(day, folder),
    )  # fmt: skip


def rule_days(folder: Path = POLICY_FOLDER) -> list[date]:
    """The days on which a rule changed, the newest first, with those to come."""
    stems = {path.stem for subject in SUBJECTS for path in (folder / subject).glob("*.toml")}
    return sorted(map(date.fromisoformat, stems), reverse=True)


def version_of(day: date, folder: Path = POLICY_FOLDER) -> date:
    """The day since which the rules of a day are in force."""
    days = rule_days(folder)
    return next((each for each in days if each <= day), days[-1])


def require_rule_day(text: str, folder: Path = POLICY_FOLDER) -> date:
    """The day of a version of the rules, as its address names it. Raises NotFoundError where there is none."""
    for day in rule_days(folder):
        if day.isoformat() == text:
            return day
    raise NotFoundError(f"No rules came into force on {text!r}. The days are on the page of the rules.")


def rule_sections(policies: Policies) -> list[Section]:
    """All rules, section by section."""
    return [
        _tests(policies), screening_section(policies.screening), _documents(policies.documents),
        decision_section(policies.decisions, policies.facts, policies.letters), remedy_section(policies.decisions),
        appeal_section(policies.decisions), _summaries(policies.trust), _publication(policies.publication),
    ]  # fmt: skip


_ACTIONS = {
    "none": "we ask for nothing", "request_documents": "we ask for documents", "test": "we order a test",
    "priority_test": "we order a test before others",
}  # fmt: skip


def _tests(policies: Policies) -> Section:
    sampling = policies.sampling
    paragraphs = [
        "Every product in the categories below can be drawn for a test, whoever sells it. Some are drawn with a larger "
        "chance, because what is known of them points to a danger; the others are drawn by lot.",
        "We buy a sample like any customer, or take it from a warehouse. An independent laboratory tests it. A sample "
        "that a seller sends in never takes the place of one that we drew.",
        f"A computed estimate says in which order we look at products. By it alone, the most that happens to a product "
        f"is a test: {_steps(policies.bands)}.",
    ]
    if sampling.legal_minimums:
        categories = and_list(sorted({words(each.category) for each in sampling.legal_minimums}))
        paragraphs.append(f"Where the law asks for tests in every round, they come first: {categories}.")
    return Section("tests", "What we test", tuple(paragraphs), _packages(sampling))


def _packages(policy: SamplingPolicy) -> tuple[RuleTerm, ...]:
    """What products are tested for, and by which standards in which market."""
    standards = defaultdict[tuple[str, str], list[str]](list)
    for offer in policy.offers:
        if offer.categories and offer.hazards:
            products = and_list(map(words, offer.categories))
            hazards = and_list(map(hazard_phrase, offer.hazards))
            where = f" ({market_words(offer.markets)})" if offer.markets else ""
            standards[products, hazards].append(", ".join(offer.standards) + where)
    return tuple(
        RuleTerm(products, f"For: {hazards}. By: {'; '.join(each)}.") for (products, hazards), each in standards.items()
    )


def _steps(bands: RiskBands) -> str:
    return "; ".join(f"{band.name} risk, {_ACTIONS[band.action]}" for band in bands.bands)


def _documents(policy: DocumentPolicy) -> Section:
    names = {each.scheme: each.name for each in policy.documents}
    asked = defaultdict[str, list[str]](list)
    for each in policy.required:
        documents = and_list(sorted(names.get(scheme, scheme) for scheme in each.schemes))
        for category in sorted(each.categories):
            asked[words(category)].append(f"{market_words(each.markets)}: {documents}")
    terms = tuple(RuleTerm(products, f"{'; '.join(each)}.") for products, each in sorted(asked.items()))
    paragraphs = (
        "A document counts as confirmed when whoever issued it says so; until then it is claimed. What a maker signs "
        "itself has no issuer, so nobody can confirm or deny it.",
    )
    return Section("documents", "Which documents a product needs", paragraphs, terms)


def _summaries(policy: TrustPolicy) -> Section:
    elsewhere = " or in another market" if policy.other_markets else ""
    paragraphs = (
        "A product that passed all tests of its category in an independent laboratory may carry a summary with a code, "
        "which anybody can look up here.",
        f"It stands for {policy.valid_days} days after the report, or until the product changes: its "
        f"{and_list(map(words, policy.product_fields), 'or')}.",
        f"There is none, and one that was given is withdrawn at once, where a decision restricts the product or is "
        f"proposed, where a failed test, an authority's order or a denied document stands against it here{elsewhere}, "
        "and while a grave danger was reported and not looked into. Nothing follows from a product having none.",
    )
    return Section("summaries", "Test summaries for shoppers", paragraphs)


def _publication(policy: PublicationPolicy) -> Section:
    least = policy.least
    paragraphs = (
        "Each quarter we publish how many products would fail a test, from tests whose chance of being drawn is known.",
        f"A figure is published where it is worth at least {least.effective_tests} plain random tests, of at least "
        f"{least.suppliers} sellers and {least.factories} factories, and where nobody can be recognised in it. All "
        "others say that there are too few tests. Figures are rounded.",
        "No figure is a statement on a seller. The names of sellers whose products failed are not published.",
    )
    return Section("publication", "What we publish", paragraphs)


def section_texts(sections: list[Section]) -> Iterator[str]:
    """Every text of the sections, for searching."""
    for section in sections:
        yield from (section.title, *section.paragraphs)
        yield from (text for term in section.terms for text in (term.term, term.says))
