"""The public test summary: the one allow-list of what anybody may read about a test, built from a dossier."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from datetime import date, timedelta
from enum import StrEnum

import biip

from serving.dossiers.records import DossierListing, LabTest
from serving.letters.policy import Laboratory, LetterPolicy
from serving.letters.words import clamp_title
from serving.trust.policy import TrustPolicy

_NUMBER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9./_ -]{0,38}[A-Za-z0-9])?")
_STANDARD = re.compile(r"[A-Z]{2,8}(?:[ /][A-Z]{2,8}){0,3} ?[A-Z]?[0-9][0-9A-Z.:/+ -]{0,38}")


class TrustState(StrEnum):
    """What is said of a code, and nothing else ever is."""

    PASSED = "passed"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    RECALLED = "recalled"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class PublicSummary:
    """What the public may read of one passed test: these fields and no others.

    `product` is the title of the listing, on one line and without marks that turn the direction of writing; `gtin` is
    of 14 digits and checked. `package` is a test package of policy/sampling, `sample` one of the origins of the input
    contract, `laboratory` one of policy/letters; `standard`, `accreditation` and `report` are as the report states
    them where they have the form of one. What is missing is None. `valid_until` is the last day on which it stands.
    """

    product: str | None
    market: str
    gtin: str | None
    package: str
    standard: str | None
    sample: str
    sampled_on: date
    reported_on: date
    laboratory: str | None
    accreditation: str | None
    report: str | None
    valid_until: date

    def to_json(self) -> str:
        """The record as JSON, for the database."""
        return json.dumps(asdict(self), default=date.isoformat, ensure_ascii=False, sort_keys=True)


SUMMARY_FIELDS = tuple(each.name for each in fields(PublicSummary))
_DAYS = ("sampled_on", "reported_on", "valid_until")


def read_summary(text: str) -> PublicSummary:
    """Parse the JSON text of `PublicSummary.to_json`."""
    values = json.loads(text)
    return PublicSummary(**{**values, **{name: date.fromisoformat(values[name]) for name in _DAYS}})


def public_summary(listing: DossierListing, test: LabTest, policy: TrustPolicy, letters: LetterPolicy) -> PublicSummary:
    """What may be said of a passed test with a full package; no other field of the dossier is read."""
    laboratory: Laboratory | None = letters.laboratory(test.lab_id) if policy.name_laboratories else None
    return PublicSummary(
        product=clamp_title(listing.title) if listing.title and listing.title.strip() else None,
        market=listing.market,
        gtin=checked_gtin(listing.gtin),
        package=test.package or "",
        standard=_matching(_STANDARD, test.standard),
        sample=test.origin,
        sampled_on=test.happened_on,
        reported_on=test.known_on,
        laboratory=laboratory.name if laboratory else None,
        accreditation=laboratory.accreditation if laboratory else _matching(_NUMBER, test.accreditation),
        report=_matching(_NUMBER, test.report_number),
        valid_until=test.known_on + timedelta(days=policy.valid_days),
    )


def checked_gtin(given: str | None) -> str | None:
    """A GTIN as 14 digits; None where its length or its check digit is wrong."""
    if not given or not given.strip().isdecimal():
        return None
    try:
        return str(biip.gtin.Gtin.parse(given.strip()).as_gtin_14())
    except biip.ParseError:
        return None


def product_digest(listing: DossierListing, policy: TrustPolicy) -> str:
    """A digest of what makes a listing the same product; the words of texts count, not their case or spaces."""
    values = [" ".join(str(getattr(listing, name) or "").casefold().split()) for name in policy.product_fields]
    return hashlib.sha256(json.dumps([list(policy.product_fields), values]).encode()).hexdigest()


def _matching(form: re.Pattern[str], given: str | None) -> str | None:
    """What was given where the whole of it has a form; None otherwise."""
    return given.strip() if given and form.fullmatch(given.strip()) else None
