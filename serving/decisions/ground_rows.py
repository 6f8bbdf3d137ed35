"""The rows behind the legal grounds and notices of a case, as far as a letter says them; stored with a decision."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import TypeAdapter

from serving.decisions.legal_grounds import Ground, open_notices
from serving.dossiers.records import Certificate, Dossier, Hold, Incident, LabTest, current_tests


@dataclass(frozen=True)
class GroundTest:
    """An independent laboratory test: the day of the sample, the day of the report, and what was found."""

    test_id: str
    happened_on: date
    known_on: date
    result: str
    origin: str
    strategy: str | None = None
    package: str | None = None
    lab_id: str | None = None
    severity: str | None = None
    hazard: str | None = None
    version: int = 1


@dataclass(frozen=True)
class GroundDocument:
    """A document of the product that its issuer refuted, the day on which that became known, and its own number."""

    document_id: str
    known_on: date
    status: str
    scheme: str | None = None
    issuer: str | None = None
    number: str | None = None


@dataclass(frozen=True)
class GroundHold:
    """An authority's hold; `of_product` is false where it names the supplier's goods as a whole."""

    hold_id: str
    known_on: date
    authority: str
    kind: str | None = None
    of_product: bool = True


@dataclass(frozen=True)
class GroundNotice:
    """A report of harm or of a near miss with the product; `article_16`: a shopper's notice over the public form."""

    incident_id: str
    known_on: date
    hazard: str | None = None
    article_16: bool = False


@dataclass(frozen=True)
class GroundRows:
    """The rows behind the grounds of a case, and its notices that set a deadline, the newest first.

    `flagged_by_score`: the score's band asked for a test or for documents.
    """

    tests: tuple[GroundTest, ...] = ()
    documents: tuple[GroundDocument, ...] = ()
    holds: tuple[GroundHold, ...] = ()
    notices: tuple[GroundNotice, ...] = ()
    flagged_by_score: bool = False

    def test(self, row_id: str | None) -> GroundTest | None:
        """The test of this id."""
        return next((each for each in self.tests if each.test_id == row_id), None)

    def document(self, row_id: str | None) -> GroundDocument | None:
        """The document of this id."""
        return next((each for each in self.documents if each.document_id == row_id), None)

    def hold(self, row_id: str | None) -> GroundHold | None:
        """The hold of this id."""
        return next((each for each in self.holds if each.hold_id == row_id), None)


def rows_behind(
    dossier: Dossier,
    results: Iterable[LabTest],
    grounds: Sequence[Ground],
    flagged_by_score: bool,
    notices: Iterable[Incident] = (),
) -> GroundRows:
    """The rows of a dossier, and of `results` that came in since, behind these grounds; and its open notices.

    `notices` are the cases of shoppers' notices, which stand first.
    """
    ids = {ground.row_id for ground in grounds}
    current = current_tests(results, dossier.newest_reports)
    tests = [each for each in current if each.independent and each.test_id in ids]
    return GroundRows(
        tuple(_test(each) for each in tests),
        tuple(_document(each) for each in dossier.standing_certificates if each.certificate_id in ids),
        tuple(_hold(each) for each in dossier.holds if each.hold_id in ids and each.authority is not None),
        (
            *(GroundNotice(each.incident_id, each.known_on, each.hazard, True) for each in notices),
            *(_notice(each) for each in open_notices(dossier, dossier.as_of)),
        ),
        flagged_by_score,
    )


def read_ground_rows(values: object) -> GroundRows | None:
    """Parse the JSON of stored rows; None where none were stored. Fields that a later version added are left out."""
    return None if values is None else _ROWS.validate_python(values)


_ROWS: TypeAdapter[GroundRows] = TypeAdapter(GroundRows)
_TEST: TypeAdapter[GroundTest] = TypeAdapter(GroundTest)


def read_ground_test(values: dict[str, Any]) -> GroundTest:
    """The test in a stored laboratory result."""
    return _TEST.validate_python(values)


def _test(test: LabTest) -> GroundTest:
    return GroundTest(
        test.test_id, test.happened_on, test.known_on, test.result, test.origin, test.strategy, test.package,
        test.lab_id, test.severity, test.hazard, test.version,
    )  # fmt: skip


def _document(each: Certificate) -> GroundDocument:
    return GroundDocument(each.certificate_id, each.known_on, each.status, each.scheme, each.issuer, each.number)


def _hold(hold: Hold) -> GroundHold:
    return GroundHold(hold.hold_id, hold.known_on, hold.authority or "", hold.kind, hold.sku_id is not None)


def _notice(incident: Incident) -> GroundNotice:
    return GroundNotice(incident.incident_id, incident.known_on, incident.hazard)
