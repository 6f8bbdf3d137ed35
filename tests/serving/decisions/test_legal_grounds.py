"""Which facts stand: independent, known, not answered, and an authority's."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.decisions.legal_grounds import ground_policy_in_force, grounds_in_force, open_notices
from serving.dossiers.records import Certificate, Dossier, DossierListing, Hold, Incident, LabTest

DAY = date(2026, 7, 1)
THEN = date(2026, 6, 1)
LISTING = DossierListing(
    "K-1",
    "EU",
    "S-1",
    None,
    "toys_3_plus",
    "Robot",
    None,
    9.0,
    date(2025, 1, 1),
    None,
    None,
    None,
    None,
    None,
    None,
    None,
)
FAILED = LabTest("T-1", "K-1", "EU", THEN - timedelta(12), THEN, "fail", "warehouse", None, None, "EN 71-1/2/3",
                 "L", "critical", "small_parts", 560.0)  # fmt: skip
DENIED = Certificate("C-1", "S-1", THEN, THEN, "denied", "K-1", "EN 71 report", "LAB-G", None, "test_report", "TR-7")
HELD = Hold("H-1", THEN, THEN, "K-1", None, "EU", "EU customs", "detained")


def dossier(
    tests: tuple[LabTest, ...] = (), certificates: tuple[Certificate, ...] = (), holds: tuple[Hold, ...] = ()
) -> Dossier:
    """A dossier with these rows."""
    return Dossier(DAY, LISTING, tests, certificates, holds, (), (), (), (), ())


def kinds(dossier: Dossier) -> list[str]:
    """What stands."""
    return [fact.kind for fact in grounds_in_force(dossier, DAY)]


def test_each_kind_of_fact_is_a_sentence_with_its_row() -> None:
    facts = grounds_in_force(dossier((FAILED,), (DENIED,), (HELD,)), DAY)
    assert {fact.kind: fact.row_id for fact in facts} == {
        "failed_independent_test": "T-1", "certificate_denied": "C-1", "authority_order": "H-1"
    }  # fmt: skip
    assert all(fact.sentence.endswith(".") for fact in facts)
    (denial,) = (fact for fact in facts if fact.kind == "certificate_denied")
    assert denial.since == THEN
    assert (
        denial.sentence
        == "The laboratory LAB-G told us on 1 June 2026 that it did not issue the EN 71 test report TR-7."
    )
    assert facts[0].sentence == (
        "A sample from our warehouse failed an independent laboratory test on 1 June 2026: small parts (choking "
        "hazard), critical (EN 71-1/2/3, report T-1)."
    )


def test_a_result_of_today_counts_today() -> None:
    """A failure since the dossier is a fact, a pass answers one; what the dossier has is not counted twice."""
    new = replace(FAILED, test_id="T-9", happened_on=DAY, known_on=DAY + timedelta(3))
    assert [fact.row_id for fact in grounds_in_force(dossier((FAILED,)), DAY, (new, FAILED))] == ["T-9", "T-1"]
    assert grounds_in_force(dossier((FAILED,)), DAY, (replace(new, result="pass"),)) == ()
    assert grounds_in_force(dossier(), DAY, (replace(new, origin="supplier_provided"),)) == ()


@pytest.mark.parametrize(("authority", "named", "market", "holds"), [
    ("UK OPSS", None, "UK", True), ("UK OPSS", None, "EU", False), ("UK OPSS", "EU", "EU", True),
    ("EU customs", None, "FR", True), ("EU customs", None, "US", False), ("Somebody new", None, "US", True),
])  # fmt: skip
def test_an_order_holds_in_the_market_of_its_authority(
    authority: str, named: str | None, market: str, holds: bool
) -> None:
    """Or in the one that its row names; that of an authority nobody knows holds everywhere."""
    held = replace(HELD, authority=authority, market=named)
    here = replace(dossier(holds=(held,)), listing=replace(LISTING, market=market))
    assert (kinds(here) == ["authority_order"]) == holds


@pytest.mark.parametrize("test", [
    replace(FAILED, origin="supplier_provided"), replace(FAILED, result="pass"), replace(FAILED, result="inconclusive"),
    replace(FAILED, known_on=DAY), replace(FAILED, known_on=DAY - timedelta(731)),
])  # fmt: skip
def test_no_other_test_is_a_fact(test: LabTest) -> None:
    """A supplier's sample, a pass, a report not known yet or long ago."""
    assert kinds(dossier((test,))) == []


def test_a_later_independent_pass_of_the_same_package_answers_a_failure() -> None:
    """A pass of a supplier's sample, of another package, or from before, does not."""
    later = replace(FAILED, test_id="T-2", result="pass", happened_on=THEN + timedelta(1), known_on=THEN + timedelta(9))
    assert kinds(dossier((later, FAILED))) == []
    for other in (
        replace(later, origin="supplier_provided"), replace(later, package="Azo dyes"),
        replace(later, happened_on=FAILED.happened_on - timedelta(1)), replace(later, known_on=DAY),
    ):  # fmt: skip
        assert kinds(dossier((other, FAILED))) == ["failed_independent_test"]


@pytest.mark.parametrize("certificate", [
    replace(DENIED, status="claimed"), replace(DENIED, status="expired"), replace(DENIED, scheme="GS"),
    replace(DENIED, scheme=None), replace(DENIED, status="out_of_scope"),
])  # fmt: skip
def test_only_a_refuted_certificate_of_a_mandatory_scheme_is_a_fact(certificate: Certificate) -> None:
    assert kinds(dossier(certificates=(certificate,))) == []
    assert kinds(dossier(certificates=(replace(DENIED, status="withdrawn"),))) == ["certificate_denied"]


@pytest.mark.parametrize(("listing", "expected"), [
    ({"market": "US"}, []), ({"market": "CA"}, []), ({"market": "AU"}, []), ({"market": "JP"}, []),
    ({"category": "mains_chargers"}, []), ({"category": "robots"}, []),
    ({"market": "DE"}, ["certificate_denied"]), ({"market": "UK"}, ["certificate_denied"]),
])  # fmt: skip
def test_a_scheme_of_another_market_or_category_carries_nothing(listing: dict[str, str], expected: list[str]) -> None:
    """EN 71 is of toys in Europe; where no duty is known there is none."""
    assert kinds(replace(dossier(certificates=(DENIED,)), listing=replace(LISTING, **listing))) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["denied", "withdrawn"])
@pytest.mark.parametrize("document", [
    {"scheme": "CE", "kind": None}, {"scheme": "CE", "kind": "declaration_of_conformity"},
    {"scheme": "EN 71 report", "kind": "declaration_of_conformity"}, {"scheme": "CE", "kind": "test_report"},
])  # fmt: skip
def test_nobody_denies_what_its_maker_signs(status: str, document: dict[str, str | None]) -> None:
    """A declaration has no issuer; and a report is not the declaration that the market asks for."""
    declared = replace(DENIED, status=status, **document)  # type: ignore[arg-type]
    assert kinds(dossier(certificates=(declared,))) == []


def test_a_status_that_was_corrected_stands_no_more() -> None:
    """Confirmed after it was denied."""
    corrected = replace(DENIED, status="confirmed", happened_on=THEN + timedelta(2), known_on=THEN + timedelta(2))
    assert kinds(dossier(certificates=(corrected, DENIED))) == []


def test_the_marketplace_itself_is_no_authority() -> None:
    """Its own suspension carries no further one."""
    for hold in (replace(HELD, authority="marketplace"), replace(HELD, authority=None), replace(HELD, known_on=DAY)):
        assert kinds(dossier(holds=(hold,))) == []


@given(st.lists(st.integers(1, 800)), st.integers(0, 400))
def test_a_notice_sets_a_deadline_for_the_policys_days_and_never_again(ages: list[int], later: int) -> None:
    """Each by itself; what lapsed once stays lapsed."""
    notices = tuple(
        Incident(f"I-{age}", "K-1", "EU", DAY - timedelta(age), DAY - timedelta(age), "shock", 1) for age in ages
    )
    told, days = replace(dossier(), incidents=notices), ground_policy_in_force(DAY).notice_days
    known = [notice.known_on for notice in open_notices(told, DAY)]
    assert known == sorted((DAY - timedelta(age) for age in ages if age <= days), reverse=True)
    assert set(open_notices(told, DAY + timedelta(later))) <= set(open_notices(told, DAY))
