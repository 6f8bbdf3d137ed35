"""Numbers computed by hand, at least one for each group of features."""

import math
from datetime import timedelta
from typing import Any

import pytest

from tests.features.small_world import AS_OF, Row, SmallWorld, catalogue_of_one, event


def lab_test(days_ago: int, result: str, origin: str = "customs", lag_days: int = 10, **columns: Any) -> Row:
    """A test of SKU k0."""
    return event(days_ago, lag_days, test_id=f"{days_ago}{result}{origin}", result=result, origin=origin, **columns)


def test_supplier_history(world: SmallWorld) -> None:
    """Two of four independent tests failed, one of them in the last 90 days; one report is still out."""
    found = world.features_of({"lab_tests": [
        lab_test(400, "fail", severity="critical"), lab_test(80, "fail", severity="minor"), lab_test(50, "pass"),
        lab_test(40, "pass"), lab_test(5, "fail"), lab_test(60, "inconclusive"),
        lab_test(30, "pass", "supplier_provided"), lab_test(20, "fail", "supplier_provided"),
    ]})  # fmt: skip
    assert found["supplier_fail_rate"] == pytest.approx((2 + 0.19 * 6) / (4 + 6))
    assert found["supplier_fail_rate_90"] == pytest.approx((1 + 0.19 * 6) / (3 + 6))
    assert found["sku_fail_rate"] == pytest.approx((2 + 0.19 * 3) / (4 + 3))
    # Weights in 1,024ths, 730^2 of (730 + age)^2: of ages 400, 80, 50 and 40.
    fails, tests = (427 + 831) / 1024, (427 + 831 + 896 + 920) / 1024
    assert found["supplier_fail_rate_recent"] == pytest.approx((fails + 0.19 * 6) / (tests + 6))
    assert found["sku_fail_rate_recent"] == pytest.approx((fails + 0.19 * 3) / (tests + 3))
    assert found["supplier_critical_rate"] == pytest.approx((1 + 0.05 * 10) / (4 + 10))
    assert list(found[["supplier_fails_365", "supplier_fails_30", "supplier_tests"]]) == [1, 0, 4]
    assert list(found[["supplier_days_since_fail", "supplier_days_since_test"]]) == [80, 40]
    assert found["supplier_severity_365"] == pytest.approx(1 / 3)
    golden = (1 + 0.93 * 6) / (2 + 6)
    assert found["supplier_golden_gap"] == pytest.approx(golden - (1 - (2 + 0.19 * 6) / 10))
    assert found["supplier_given_fails"] == 1


def test_equal_titles_share_their_history_across_sellers(world: SmallWorld) -> None:
    """`red car, 3` of another seller failed; punctuation and case do not tell the titles apart."""
    ours = catalogue_of_one()
    other = {**ours["skus"][0], "sku_id": "k9", "supplier_id": "s9", "factory_id": None, "title": "red   car, 3"}
    rows = {"skus": [*ours["skus"], other], "lab_tests": [lab_test(30, "fail") | {"sku_id": "k9"}]}
    found = world.features_of(rows)
    assert found["title_tests"] == 1
    assert found["title_fail_rate"] == pytest.approx((1 + 0.19 * 2) / (1 + 2))
    assert found["supplier_tests"] == found["factory_tests"] == found["sku_tests"] == 0


def certificate(name: str, days_ago: int, status: str, expires_in: int | None = None, **columns: Any) -> Row:
    """A status of a certificate of SKU k0."""
    expires_on = None if expires_in is None else AS_OF + timedelta(expires_in)
    return event(days_ago, 2, certificate_id=name, status=status, expires_on=expires_on, **columns)


def test_certificates_count_in_the_state_known_on_the_day(world: SmallWorld) -> None:
    """A is confirmed; B was confirmed, then denied; C is past its day; D is claimed and its denial not known yet."""
    found = world.features_of({"certificates": [
        certificate("A", 90, "claimed", 100), certificate("A", 60, "confirmed", 100),
        certificate("B", 80, "confirmed", 50), certificate("B", 40, "denied", 50),
        certificate("C", 300, "confirmed", -1),
        certificate("D", 20, "claimed"), certificate("D", 2, "denied"),
        certificate("A", 30, "claimed") | {"sku_id": "k9"} | {"certificate_id": "D", "supplier_id": "s9"},
    ]})  # fmt: skip
    standing = ("confirmed", "claimed_only", "refuted", "expired")
    assert [found[f"sku_certificates_{state}"] for state in standing] == [1, 1, 1, 1]
    assert found["sku_certificate_days_to_expiry"] == 100
    assert found["sku_certificate_reuse"] == 1
    assert found["supplier_confirmed_share"] == 1 / 4
    assert found["supplier_refuted_rate"] == pytest.approx((1 + 0.1 * 5) / (4 + 5))
    assert found["sku_days_since_certificate_change"] == 20


@pytest.mark.parametrize(
    ("kind", "confirmed", "claimed"),
    [("declaration_of_conformity", 0, 1), ("test_report", 1, 0), (None, 1, 0)],
)
def test_a_declaration_of_its_maker_is_no_confirmation(
    world: SmallWorld, kind: str | None, confirmed: int, claimed: int
) -> None:
    """Whoever enters it as confirmed, only its maker stands for it."""
    counted = world.features_of({"certificates": [certificate("A", 60, "confirmed", 100, kind=kind)]})
    assert counted["sku_certificates_confirmed"] == confirmed
    assert counted["sku_certificates_claimed_only"] == claimed


def test_audits_weigh_findings_by_gravity(world: SmallWorld) -> None:
    """One announced audit with 8 points, one unannounced with 27."""
    found = world.features_of({"audits": [
        event(200, audit_id="1", announced=True, critical=0, major=1, minor=3),
        event(50, audit_id="2", announced=False, critical=1, major=1, minor=2),
    ]})  # fmt: skip
    assert found["supplier_audit_points_365"] == found["factory_audit_points_365"] == (8 + 27) / 2
    assert found["supplier_audit_points_90"] == found["supplier_surprise_audit_points"] == 27
    assert found["supplier_audit_critical_365"] == 1
    assert found["supplier_surprise_audit_share"] == 0.5
    assert found["factory_days_since_audit"] == 50


def alert(name: str, days_ago: int, **columns: Any) -> Row:
    """An alert published so many days before AS_OF, which names no SKU."""
    return event(days_ago, 2, alert_id=name, register="EU Safety Gate", **columns) | {"sku_id": None, "market": None}


def test_alerts_count_by_number_and_by_title_once_they_are_known(world: SmallWorld) -> None:
    """One by number in five years and one before, one by brand and title; one is about others, one not known yet."""
    ours = catalogue_of_one()["skus"][0] | {"brand": "Acme", "gtin": "4006381333931"}
    found = world.features_of({"skus": [ours], "alerts": [
        alert("a", 400, gtin="4006381333931"), alert("b", 2000, gtin="4006381333931"),
        alert("c", 30, title="Acme red car 3", brand="ACME Ltd."), alert("d", 20, title="Blue boat", brand="Acme"),
        alert("e", 1, gtin="4006381333931"),
    ]})  # fmt: skip
    assert list(found[["sku_alerts_named_1825", "sku_alerts_alike_1825", "sku_days_since_alert"]]) == [1, 1, 30]
    assert found["supplier_alerts_365"] == 1


def test_remediations_show_a_verification_only_after_its_day(world: SmallWorld) -> None:
    """One ineffective, one overdue, one whose verification on the day itself is not known yet."""
    found = world.features_of({"remediations": [
        event(200, remediation_id="1", due_on=AS_OF - timedelta(90), verified_on=AS_OF - timedelta(1), effective=False),
        event(100, remediation_id="2", due_on=AS_OF - timedelta(1), verified_on=None),
        event(100, remediation_id="3", due_on=AS_OF, verified_on=AS_OF, effective=False),
    ]})  # fmt: skip
    assert list(found[["supplier_remediations_open", "supplier_remediations_overdue",
                       "supplier_remediations_ineffective"]]) == [2, 1, 1]  # fmt: skip


def test_incidents_and_holds(world: SmallWorld) -> None:
    """A hold of the product counts for its supplier too, and only once."""
    hold = event(20, hold_id="1") | {"supplier_id": None}
    found = world.features_of({
        "incidents": [event(10, incident_id="1", injury_severity=2), event(100, incident_id="2", injury_severity=0)],
        "holds": [hold, event(40, hold_id="2") | {"sku_id": None}],
    })  # fmt: skip
    assert list(found[["sku_incidents_90", "sku_incidents_365", "sku_injuries_365"]]) == [1, 2, 1]
    assert list(found[["sku_holds_365", "supplier_holds_365", "supplier_days_since_hold"]]) == [1, 2, 20]


def test_returns_are_set_against_matured_units(world: SmallWorld) -> None:
    """40 of 100 units sold are too young to have come back."""
    found = world.features_of({
        "orders": [event(100, 0, units=60), event(10, 0, units=40)],
        "returns": [event(80, return_id="1", units=2, reason="safety_concern"),
                    event(20, return_id="2", units=1, reason="defective"),
                    event(20, return_id="3", units=None, reason="size_fit")],
    })  # fmt: skip
    assert found["sku_return_rate_365"] == pytest.approx(1000 * (4 + 0.10 * 50) / (60 + 50))
    assert found["sku_safety_return_rate_365"] == pytest.approx(1000 * (2 + 0.003 * 200) / (60 + 200))
    assert found["supplier_quality_return_rate_365"] == pytest.approx(1000 * (1 + 0.025 * 100) / (60 + 100))
    assert list(found[["sku_safety_returns_90", "sku_safety_returns_30"]]) == [2, 0]


def test_exposure(world: SmallWorld) -> None:
    """Units per window, days with sales, growth of (40 + 1) / (60 + 1)."""
    found = world.features_of({"orders": [event(100, 0, units=60), event(10, 0, units=40), event(5, 0, units=0)]})
    assert list(found[["sku_units_30", "sku_units_90", "sku_units_365"]]) == [40, 40, 100]
    assert list(found[["sku_sale_days_365", "sku_days_on_sale", "sku_days_since_sale"]]) == [2, 100, 10]
    assert found["sku_growth"] == pytest.approx(41 / 61)


def review(days_ago: int, rating: int, text: str, **columns: Any) -> Row:
    """A review of SKU k0."""
    return event(days_ago, review_id=text, rating=rating, text=text, **columns)


def test_reviews_tell_ratings_and_hazards(world: SmallWorld) -> None:
    """Two of four reviews speak of a hazard, one of them twice over; a fear and a negation are none."""
    found = world.features_of({"reviews": [
        review(200, 5, "Schön, kein Brandgeruch!", verified=True), review(120, 3, "I fear it might catch fire"),
        review(60, 1, "It CAUGHT FIRE on day one", verified=False), review(20, 5, "充电的时候着火了"),
        review(10, 1, "It caught fire, on day one!", verified=False) | {"review_id": "copy"},
    ]})  # fmt: skip
    assert found["sku_rating_mean"] == 3.0
    assert found["sku_rating_trend"] == pytest.approx(7 / 3 - 8 / 2)
    assert found["sku_low_rating_rate"] == pytest.approx((2 + 0.15 * 10) / (5 + 10))
    assert list(found[["sku_five_star_share", "sku_verified_share"]]) == pytest.approx([2 / 5, 1 / 3])
    assert list(found[["sku_hazard_reviews_365", "sku_hazard_reviews_90", "sku_hazard_reviews_30"]]) == [2, 2, 2]
    assert found["sku_five_star_hazard_reviews"] == found["sku_worst_hazard"] == 1
    assert found["sku_verified_hazard_share"] == 0
    assert found["sku_duplicate_share"] == 1 / 5
    rates = {days: (2 + 0.01 * 50) / (reviews + 50) for days, reviews in ((365, 5), (90, 3), (30, 2))}
    for entity in ("sku", "supplier", "factory"):
        for days, rate in rates.items():
            assert found[f"{entity}_hazard_review_rate_{days}"] == pytest.approx(rate)
        earlier = (1 + 0.01 * 50) / (2 + 50)
        assert found[f"{entity}_hazard_growth"] == pytest.approx(rates[30] - earlier)
    assert found["sku_fire_electric_review_rate"] == pytest.approx(rates[365])
    assert found["sku_chemical_skin_review_rate"] == pytest.approx(0.01 * 50 / (5 + 50))


def test_listing(world: SmallWorld) -> None:
    """A price of e^3 where e^2 is usual with a spread of 0.5; two of the title's three words have weights."""
    sku = {**catalogue_of_one()["skus"][0], "price_eur": math.exp(3.0), "battery": "button", "brand": " ",
           "age_grade_months": 36, "responsible_person": True}  # fmt: skip
    found = world.features_of({"skus": [sku]})
    assert found["sku_log_price"] == pytest.approx(3.0)
    assert found["sku_relative_price"] == pytest.approx(2.0)
    assert list(found[["sku_button_battery", "sku_li_ion_battery", "sku_brand_named"]]) == [1, 0, 0]
    assert list(found[["sku_age_grade_months", "sku_responsible_person", "sku_listing_age_days"]]) == [36, 1, 100]
    assert math.isnan(found["sku_radio"])
    assert found["title_length"] == 3
    assert found["title_signal"] == pytest.approx((0.5 + 0.3) / math.sqrt(3))
    assert list(found[["supplier_age_days", "supplier_is_trader"]]) == [200, 1]


def test_category_and_market(world: SmallWorld) -> None:
    """A toy of another supplier failed in the same market, one in another market does not count."""
    ours = catalogue_of_one()
    others = [{**ours["skus"][0], "sku_id": "k9", "supplier_id": "s9", "market": market} for market in ("EU", "US")]
    rows = {
        "skus": [*ours["skus"], *others],
        "lab_tests": [lab_test(30, "fail") | {"sku_id": "k9", "market": market} for market in ("EU", "US")],
    }
    found = world.features_of(rows)
    assert found["category_fail_rate"] == pytest.approx((1 + 0.19 * 20) / (1 + 20))
    assert found["category_tests_365"] == 1
    assert found["category_fail_rate_learned"] == 0.3
