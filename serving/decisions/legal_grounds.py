"""Legal grounds: the facts about a SKU on which alone a restriction may rest, each with its source row."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from data.policy import POLICY_FOLDER, Days, Names, Policy, policy_in_force
from serving.decisions.document_policy import document_policy_in_force
from serving.dossiers.records import Dossier, LabTest

FAILED_TEST, DENIED_CERTIFICATE, ORDER = "failed_independent_test", "certificate_denied", "authority_order"
FAILED_ELSEWHERE = "failed_in_another_market"
"""A failed test of the same SKU in another market: a reason to test here, no ground for a restriction."""


@dataclass(frozen=True)
class Ground:
    """A legal ground: its kind (as above), the day it became known, a sentence, the id of its row."""

    kind: str
    since: date
    sentence: str
    row_id: str


class GroundPolicy(Policy, subject="facts"):
    """The policy `facts`: days for which grounds hold, authorities that are our own."""

    test_days: Days
    order_days: Days
    notice_days: Days
    own_authorities: Names


def ground_policy_in_force(day: date, folder: Path = POLICY_FOLDER) -> GroundPolicy:
    """The policy of a day. Raises UserError where there is none, or where it lacks an entry."""
    return policy_in_force(GroundPolicy, day, folder)


def grounds_in_force(dossier: Dossier, as_of: date) -> tuple[Ground, ...]:
    """The grounds known before `as_of` and in force on it, the newest first; tests of suppliers' samples are none."""
    policy = ground_policy_in_force(as_of)
    return _newest_first(
        (*_failures(dossier, as_of, policy), *_denials(dossier, as_of), *_orders(dossier, as_of, policy))
    )


def open_notices(dossier: Dossier, as_of: date) -> tuple[date, ...]:
    """The days on which the notices of danger became known that still set a deadline on `as_of`, the newest first."""
    since = as_of - timedelta(days=ground_policy_in_force(as_of).notice_days)
    known = (incident.known_on for incident in dossier.incidents)
    return tuple(sorted((day for day in known if since <= day < as_of), reverse=True))


def failed_elsewhere(dossiers: Iterable[Dossier], as_of: date) -> tuple[Ground, ...]:
    """The failed tests in force of one SKU in other markets, whose `dossiers` these are, the newest first."""
    return _newest_first(
        Ground(FAILED_ELSEWHERE, test.since, f"In market {dossier.listing.market}: {test.sentence}", test.row_id)
        for dossier in dossiers
        for test in grounds_in_force(dossier, as_of)
        if test.kind == FAILED_TEST
    )


def _newest_first(grounds: Iterable[Ground]) -> tuple[Ground, ...]:
    return tuple(sorted(grounds, key=lambda ground: (ground.since, ground.row_id), reverse=True))


def _failures(dossier: Dossier, as_of: date, policy: GroundPolicy) -> Iterator[Ground]:
    tests = [test for test in dossier.tests if test.independent and test.known_on < as_of]
    since = as_of - timedelta(days=policy.test_days)
    for test in tests:
        if (
            test.result == "fail"
            and test.known_on >= since
            and not any(_is_superseded_by(test, each) for each in tests)
        ):
            what = f" for {test.hazard.replace('_', ' ')}" if test.hazard else ""
            grade = f", {test.severity} failure" if test.severity else ""
            package = f" ({test.package}{grade})" if test.package else ""
            origin = test.origin.replace("_", " ")
            yield Ground(FAILED_TEST, test.known_on, f"An independent laboratory test of a {origin} sample failed{what}"
                       f"{package}; reported on {test.known_on}.", test.test_id)  # fmt: skip


def _is_superseded_by(failed: LabTest, later: LabTest) -> bool:
    """Whether a later independent test of the same package passed."""
    same = later.package == failed.package and later.package is not None
    return same and later.result == "pass" and later.happened_on > failed.happened_on


def _denials(dossier: Dossier, as_of: date) -> Iterator[Ground]:
    """Required documents that whoever can confirm them, and is not their maker, denied or withdrew."""
    policy, listing = document_policy_in_force(as_of), dossier.listing
    for each in dossier.standing_certificates:
        sentence = policy.refutation(each)
        if sentence and each.known_on < as_of and policy.requires(each, listing.category, listing.market):
            yield Ground(DENIED_CERTIFICATE, each.known_on, sentence, each.certificate_id)


def _orders(dossier: Dossier, as_of: date, policy: GroundPolicy) -> Iterator[Ground]:
    since = as_of - timedelta(days=policy.order_days)
    for hold in dossier.holds:
        if hold.authority is None or hold.authority in policy.own_authorities or not since <= hold.known_on < as_of:
            continue
        whose = "the product" if hold.sku_id else "the supplier's goods"
        kind = f" ({hold.kind})" if hold.kind else ""
        yield Ground(ORDER, hold.known_on, f"{hold.authority} holds {whose}{kind}; known since {hold.known_on}.",
                   hold.hold_id)  # fmt: skip
