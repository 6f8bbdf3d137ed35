"""Records of a dossier, all evidence on one SKU before one day, in the words of the input contract."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from data.contract import NO_RESULT

SUPPLIER_PROVIDED = "supplier_provided"


@dataclass(frozen=True)
class DossierListing:
    """The listing; None where it states no value."""

    sku_id: str
    market: str
    supplier_id: str
    factory_id: str | None
    category: str
    title: str | None
    brand: str | None
    price_eur: float | None
    listed_on: date
    age_grade_months: int | None
    battery: str | None
    mains_powered: bool | None
    radio: bool | None
    skin_contact: bool | None
    food_contact: bool | None
    responsible_person: bool | None
    gtin: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class LabTest:
    """A laboratory test of the SKU in its market, of whatever origin; only an `independent` one may count."""

    test_id: str
    sku_id: str
    market: str
    happened_on: date
    known_on: date
    result: str
    origin: str
    strategy: str | None
    propensity: float | None
    package: str | None
    lab_id: str | None
    severity: str | None
    hazard: str | None
    cost_eur: float | None
    version: int = 1
    status: str | None = None
    report_number: str | None = None
    report_digest: str | None = None
    accreditation: str | None = None
    standard: str | None = None
    clause: str | None = None

    @property
    def has_result(self) -> bool:
        """Whether the laboratory says what it found: the report is neither withdrawn nor could none be had."""
        return self.status not in NO_RESULT

    @property
    def outcome(self) -> str:
        """Its result, or its status where it has none."""
        return self.result if self.status is None or self.has_result else self.status

    @property
    def independent(self) -> bool:
        """Whether the sample came from anybody but the supplier."""
        return self.origin != SUPPLIER_PROVIDED


def current_tests(*sources: Iterable[LabTest]) -> tuple[LabTest, ...]:
    """The tests of several sources, each once: the highest version, of the first source that has it."""
    current: dict[str, LabTest] = {}
    for test in (test for source in sources for test in source):
        if test.test_id not in current or test.version > current[test.test_id].version:
            current[test.test_id] = test
    return tuple(current.values())


@dataclass(frozen=True)
class Certificate:
    """A status of a document of conformity from `happened_on` on.

    `sku_id` is None where it covers the supplier's whole range, `kind` where the marketplace does not state it;
    `number`, `holder` and `standard` are as the document gives them.
    """

    certificate_id: str
    supplier_id: str
    happened_on: date
    known_on: date
    status: str
    sku_id: str | None
    scheme: str | None
    issuer: str | None
    expires_on: date | None
    kind: str | None = None
    number: str | None = None
    holder: str | None = None
    standard: str | None = None


@dataclass(frozen=True)
class Hold:
    """A hold by an authority; `sku_id` None where it names the supplier, `market` None where it names none."""

    hold_id: str
    happened_on: date
    known_on: date
    sku_id: str | None
    supplier_id: str | None
    market: str | None
    authority: str | None
    kind: str | None


@dataclass(frozen=True)
class Incident:
    """Harm or a near miss with the SKU in its market."""

    incident_id: str
    sku_id: str
    market: str
    happened_on: date
    known_on: date
    hazard: str | None
    injury_severity: int | None


@dataclass(frozen=True)
class AlertMatch:
    """An alert of a public register that matches the SKU: evidence to verify, no proof and no legal ground by itself.

    `how` is one of `data.alerts.matching.HOW`; of the `alert_words` in the alert's title `shared_words` are in the
    SKU's, `similarity` is their share by weight.
    """

    alert_id: str
    happened_on: date
    known_on: date
    register: str
    title: str | None
    brand: str | None
    hazard: str | None
    risk_level: str | None
    measure: str | None
    url: str | None
    how: str
    shared_words: int
    alert_words: int
    similarity: float

    @property
    def explanation(self) -> str:
        """What the match rests on, as the end of a sentence."""
        words = f"{self.shared_words} of {self.alert_words} word{'s' if self.alert_words != 1 else ''} of its title"
        return {
            "sku_id": "the marketplace found it to be this product", "gtin": "same GTIN",
            "model": "same brand and model number", "brand_and_title": f"same brand, {words}",
        }.get(self.how, f"{words}; it names no brand")  # fmt: skip

    @property
    def web_address(self) -> str | None:
        """The address of the published alert, where it is one of the web."""
        return self.url if self.url and self.url.startswith(("https://", "http://")) else None


@dataclass(frozen=True)
class Audit:
    """A visit to one of the supplier's factories and its findings."""

    audit_id: str
    supplier_id: str
    happened_on: date
    known_on: date
    factory_id: str | None
    announced: bool | None
    critical: int | None
    major: int | None
    minor: int | None


@dataclass(frozen=True)
class Remediation:
    """A corrective action of the supplier; `verified_on` and `effective` are None until the verification is known."""

    remediation_id: str
    supplier_id: str
    happened_on: date
    known_on: date
    due_on: date | None
    verified_on: date | None
    effective: bool | None


@dataclass(frozen=True)
class Month:
    """One calendar month of the SKU in its market, by the day on which things happened; `month` is its first day.

    `hazard_mentions` counts reviews that mention a hazard, None where nobody read the reviews for hazards.
    """

    month: date
    units: int
    returned_units: int
    safety_returned_units: int
    reviews: int
    hazard_mentions: int | None


@dataclass(frozen=True)
class ReviewQuote:
    """A sentence of a review that mentions a hazard, its private data masked.

    `start` and `end` are its span in the review's text, `phrase_start` and `phrase_end` that of the words that name
    the hazard, `severity` 0 (feared) to 4 (life-threatening), `probability` that the writer reports the hazard as real.
    """

    review_id: str
    happened_on: date
    known_on: date
    rating: int | None
    verified: bool | None
    language: str | None
    sentence: str
    start: int
    end: int
    phrase_start: int
    phrase_end: int
    hazard: str
    severity: int
    probability: float

    @property
    def parts(self) -> tuple[str, str, str]:
        """The sentence before, in and after the phrase; all of it the phrase where masking moved the words."""
        first, last = self.phrase_start - self.start, self.phrase_end - self.start
        if len(self.sentence) != self.end - self.start or not 0 <= first < last <= len(self.sentence):
            return "", self.sentence, ""
        return self.sentence[:first], self.sentence[first:last], self.sentence[last:]


@dataclass(frozen=True)
class Dossier:
    """All that was known of one SKU in one market before `as_of`.

    Events come newest first. `certificates` and `holds` are those of the product and those of its supplier's whole
    range; `holds` are in this market or name none; `audits` and `remediations` are the supplier's. `months` are the
    last 24, oldest first, every one present. `tests` have a result. `new_documents` are those of the `certificates`
    that the service took in since, which count although they became known later.
    """

    as_of: date
    listing: DossierListing
    tests: tuple[LabTest, ...]
    certificates: tuple[Certificate, ...]
    holds: tuple[Hold, ...]
    incidents: tuple[Incident, ...]
    audits: tuple[Audit, ...]
    remediations: tuple[Remediation, ...]
    months: tuple[Month, ...]
    quotes: tuple[ReviewQuote, ...]
    alerts: tuple[AlertMatch, ...] = ()
    tests_without_result: tuple[LabTest, ...] = ()
    new_documents: tuple[Certificate, ...] = ()

    @property
    def newest_reports(self) -> tuple[LabTest, ...]:
        """Every test in its newest version, also those whose report was withdrawn or that were cancelled."""
        return (*self.tests, *self.tests_without_result)

    @property
    def standing_certificates(self) -> tuple[Certificate, ...]:
        """The newest known status of each certificate, newest first; the others are history."""
        return standing(self.certificates)


def standing(newest_first: Iterable[Certificate]) -> tuple[Certificate, ...]:
    """The first row of each certificate, which is its newest known status."""
    newest: dict[str, Certificate] = {}
    for certificate in newest_first:
        newest.setdefault(certificate.certificate_id, certificate)
    return tuple(newest.values())
