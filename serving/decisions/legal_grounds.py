"""Legal grounds: the facts about a SKU on which alone a restriction may rest, each with its source row."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from data.policy import POLICY_FOLDER, Days, Names, Policy, policy_in_force
from models.hazard_words import hazard_phrase
from serving.decisions.days import long_date
from serving.decisions.document_policy import document_policy_in_force
from serving.dossiers.records import Dossier, Incident, LabTest, current_tests

FAILED_TEST, DENIED_CERTIFICATE, ORDER = "failed_independent_test", "certificate_denied", "authority_order"
FAILED_ELSEWHERE = "failed_in_another_market"
"""A failed test of the same SKU in another market: a reason to test here, no ground for a restriction."""


@dataclass(frozen=True)
class Ground:
    """A legal ground: its kind (as above), the day it became known, a sentence, the id of its row.

    `author` is the authority, laboratory or issuer where one is named, `severity` that of a failed test, `sku_id` the
    product of the row, None for a supplier's whole range.
    """

    kind: str
    since: date
    sentence: str
    row_id: str
    author: str | None = None
    severity: str | None = None
    sku_id: str | None = None


class GroundPolicy(Policy, subject="facts"):
    """The policy `facts`: days for which grounds hold, authorities that are our own.

    `authorities` names the markets in which an authority's order holds where its row names no market.
    """

    test_days: Days
    order_days: Days
    notice_days: Days
    own_authorities: Names
    authorities: dict[str, Names]


def ground_policy_in_force(day: date, folder: Path = POLICY_FOLDER) -> GroundPolicy:
    """The policy of a day. Raises UserError where there is none, or where it lacks an entry."""
    return policy_in_force(GroundPolicy, day, folder)


def grounds_in_force(dossier: Dossier, as_of: date, results: Collection[LabTest] = ()) -> tuple[Ground, ...]:
    """The grounds known before `as_of` and in force on it, the newest first; tests of suppliers' samples are none.

    `results` are tests that came in since the dossier was written; they count at once. Of a report that was amended the
    newest version counts; one that was withdrawn is no ground.
    """
    policy = ground_policy_in_force(as_of)
    known = {test.test_id: test.version for test in dossier.newest_reports}
    new = [test for test in results if test.version > known.get(test.test_id, 0)]
    current = current_tests(new, (test for test in dossier.newest_reports if test.known_on < as_of))
    tests = [test for test in current if test.independent and test.has_result]
    return _newest_first(
        (*_failures(tests, as_of, policy), *_denials(dossier, as_of), *_orders(dossier, as_of, policy))
    )


def open_notices(dossier: Dossier, as_of: date) -> tuple[Incident, ...]:
    """The notices of danger that still set a deadline on `as_of`, the newest first."""
    since = as_of - timedelta(days=ground_policy_in_force(as_of).notice_days)
    notices = [incident for incident in dossier.incidents if since <= incident.known_on < as_of]
    return tuple(sorted(notices, key=lambda each: (each.known_on, each.incident_id), reverse=True))


def failed_elsewhere(dossiers: Iterable[tuple[Dossier, Collection[LabTest]]], as_of: date) -> tuple[Ground, ...]:
    """The failed tests in force of one SKU in other markets, the newest first: dossiers with their newer results."""
    return _newest_first(
        Ground(FAILED_ELSEWHERE, test.since, f"In market {dossier.listing.market}: {test.sentence}", test.row_id)
        for dossier, results in dossiers
        for test in grounds_in_force(dossier, as_of, results)
        if test.kind == FAILED_TEST
    )


def _newest_first(grounds: Iterable[Ground]) -> tuple[Ground, ...]:
    return tuple(sorted(grounds, key=lambda ground: (ground.since, ground.row_id), reverse=True))


_SAMPLES = {
    "warehouse": "A sample from our warehouse", "mystery_shopper": "A sample bought by a mystery shopper",
    "customs": "A sample taken by customs", "complaint": "A sample of a buyer's complaint",
}  # fmt: skip


def _failures(tests: Collection[LabTest], as_of: date, policy: GroundPolicy) -> Iterator[Ground]:
    since = as_of - timedelta(days=policy.test_days)
    for test in tests:
        failed = test.result == "fail" and test.known_on >= since
        if failed and not any(_is_superseded_by(test, each) for each in tests):
            yield Ground(
                FAILED_TEST,
                test.known_on,
                _failure_sentence(test),
                test.test_id,
                test.lab_id,
                test.severity,
                test.sku_id,
            )


def _failure_sentence(test: LabTest) -> str:
    sample = _SAMPLES.get(test.origin, "A sample")
    found = ", ".join(filter(None, (hazard_phrase(test.hazard) if test.hazard else "", test.severity)))
    report = f"{test.package}, report {test.test_id}" if test.package else f"report {test.test_id}"
    found = f": {found}" if found else ""
    return f"{sample} failed an independent laboratory test on {long_date(test.known_on)}{found} ({report})."


def _is_superseded_by(failed: LabTest, later: LabTest) -> bool:
    """Whether a later independent test of the same package passed."""
    same = later.package == failed.package and later.package is not None
    return same and later.result == "pass" and later.happened_on > failed.happened_on


def _denials(dossier: Dossier, as_of: date) -> Iterator[Ground]:
    """Required documents that whoever can confirm them, and is not their maker, denied or withdrew."""
    policy, listing = document_policy_in_force(as_of), dossier.listing
    for each in dossier.standing_certificates:
        sentence = policy.refutation(each)
        is_known = each.known_on < as_of or each in dossier.new_documents
        if sentence and is_known and policy.requires(each, listing.category, listing.market):
            known_on, row_id = each.known_on, each.certificate_id
            yield Ground(DENIED_CERTIFICATE, known_on, sentence, row_id, each.issuer, None, each.sku_id)


def _orders(dossier: Dossier, as_of: date, policy: GroundPolicy) -> Iterator[Ground]:
    since = as_of - timedelta(days=policy.order_days)
    for hold in dossier.holds:
        if since <= hold.known_on < as_of and is_order_of(hold.authority, hold.market, dossier.listing.market, policy):
            whose = "the product" if hold.sku_id else "the supplier's goods"
            kind = f" ({hold.kind})" if hold.kind else ""
            sentence = f"{hold.authority} holds {whose}{kind}; its order was received on {long_date(hold.known_on)}."
            yield Ground(ORDER, hold.known_on, sentence, hold.hold_id, hold.authority, None, hold.sku_id)


def is_order_of(authority: str | None, held_in: str | None, market: str, policy: GroundPolicy) -> bool:
    """Whether a hold by `authority` in the market `held_in`, or in none, is an order that holds in `market`."""
    if authority is None or authority in policy.own_authorities:
        return False
    return held_in == market if held_in else market in policy.authorities.get(authority, {market})
