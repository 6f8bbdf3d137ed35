"""Groups of sellers and tests, by hand."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from data.errors import UserError
from data.lake.tables import Tables
from tests.training.worlds import tables_of
from training.evaluation.fairness_groups import FairnessPolicy, fairness_policy_in_force, group_sellers, group_tests

POLICY = FairnessPolicy(
    fewest_tests=30, fewest_outcomes=10, fewest_sellers=10, size_edges_skus=(2, 3), tenure_edges_days=(100, 400)
)


def day(text: str) -> pd.Timestamp:
    """A day of 2025 as labels have it."""
    return pd.Timestamp(f"2025-{text}").as_unit("us")


@pytest.fixture(scope="module")
def tables() -> Tables:
    """Two suppliers, one without a country; four SKUs, one listed late; reviews in two languages, one late."""
    suppliers = [("s1", date(2024, 1, 1), "CN"), ("s2", date(2025, 1, 1), None)]
    skus = [("a", "s1", date(2024, 2, 1)), ("b", "s1", date(2024, 2, 1)), ("c", "s1", date(2025, 6, 1)),
            ("d", "s2", date(2025, 1, 2))]  # fmt: skip
    reviews = [("r1", "a", date(2025, 1, 5), "de"), ("r2", "a", date(2025, 1, 6), "en"),
               ("r3", "a", date(2025, 5, 1), "en"), ("r4", "b", date(2025, 1, 7), "de")]  # fmt: skip
    return tables_of({
        "suppliers": pd.DataFrame(suppliers, columns=["supplier_id", "onboarded_on", "country"]),
        "skus": pd.DataFrame(skus, columns=["sku_id", "supplier_id", "listed_on"]).assign(market="EU", category="toys"),
        "reviews": pd.DataFrame(reviews, columns=["review_id", "sku_id", "happened_on", "language"]).assign(
            market="EU", rating=5, known_on=lambda rows: rows["happened_on"]
        ),
    })  # fmt: skip


def test_a_test_belongs_to_the_groups_of_its_day(tables: Tables) -> None:
    """The third SKU of s1 and the second English review come later than the first test."""
    labels = pd.DataFrame({
        "sku_id": ["a", "d", "a"], "market": "EU", "supplier_id": ["s1", "s2", "s1"],
        "as_of": [day("02-01"), day("03-01"), day("07-01")],
    }, index=[7, 3, 5])  # fmt: skip
    groups = group_tests(tables, labels, POLICY)
    assert groups.index.tolist() == [7, 3, 5]
    assert groups["country"].tolist() == ["CN", "unknown", "CN"]
    assert groups["size_band"].tolist() == ["2 to 2 SKUs", "under 2 SKUs", "3 SKUs or more"]
    assert groups["tenure"].tolist() == ["100 to 399 days", "under 100 days", "400 days or more"]
    assert groups["review_language"].tolist() == ["de", "unknown", "en"], "a tie goes to the first by name"


def test_every_seller_with_a_listing_has_its_groups(tables: Tables) -> None:
    sellers = group_sellers(tables, date(2025, 2, 1), POLICY)
    assert sellers.index.tolist() == ["s1", "s2"]
    assert sellers["review_language"].tolist() == ["de", "unknown"], "of all its SKUs"
    assert group_sellers(tables, date(2024, 12, 1), POLICY).index.tolist() == ["s1"]


def test_no_labels_have_no_groups(tables: Tables) -> None:
    labels = pd.DataFrame({"sku_id": [], "market": [], "supplier_id": [], "as_of": []})
    assert group_tests(tables, labels).empty


def test_the_policy_in_force_is_sound() -> None:
    assert fairness_policy_in_force(date(2026, 6, 30)).fewest_tests > 0


@pytest.mark.parametrize("edges", ["[50, 10]", "[0, 10]", '["ten"]', "[10, 10]"])
def test_a_policy_whose_edges_do_not_rise_is_refused(tmp_path: Path, edges: str) -> None:
    folder = tmp_path / "fairness"
    folder.mkdir()
    text = "fewest_tests = 30\nfewest_outcomes = 10\nfewest_sellers = 10\ntenure_edges_days = [180]\n"
    (folder / "2026-01-01.toml").write_text(f"{text}size_edges_skus = {edges}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"fairness/2026-01-01\.toml: size_edges_skus(: edges must rise, got|\[0\] is)"):
        fairness_policy_in_force(date(2026, 6, 30), tmp_path)
