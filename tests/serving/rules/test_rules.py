"""The published rules are the policy files in words: what they say changes with them, and nothing else is said."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import cast

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from data.errors import NotFoundError
from data.policy import POLICY_FOLDER
from serving.api.application import build_application
from serving.console.context import AppContext
from serving.rules.content import (
    SUBJECTS,
    policies_of,
    require_rule_day,
    rule_days,
    rule_sections,
    section_texts,
    version_of,
)

DAY = date(2026, 11, 30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the policies, to be changed."""
    shutil.copytree(POLICY_FOLDER, tmp_path / "policy")
    return tmp_path / "policy"


def told(folder: Path = POLICY_FOLDER, day: date = DAY) -> str:
    return "\n".join(section_texts(rule_sections(policies_of(day, folder))))


def edit(folder: Path, subject: str, before: str, after: str) -> None:
    path = folder / subject / "2026-01-01.toml"
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


PUBLIC = [
    ("decisions", "critical = 1, major = 3", "critical = 2, major = 3", "within 2 working days where the failure is"),
    ("decisions", "authority_order = 2", "authority_order = 4", "acted on within 4 working days"),
    ("decisions", "pause_days = 7", "pause_days = 5", "It ends by itself after 5 days"),
    ("decisions", "months = 6", "months = 9", "for 9 months after the letter"),
    ("decisions", "answer_working_days = 10", "answer_working_days = 8", "answers within 8 working days"),
    ("decisions", "number = 2, severity", "number = 3, severity", "at least 3 such facts are needed"),
    ("decisions", "most_age_days = 730", "most_age_days = 500", "none older than 500 days"),
    ("facts", "test_days = 730", "test_days = 700", "counts for 700 days"),
    ("facts", "order_days = 365", "order_days = 300", "order counts for 300 days"),
    ("letters", "answer_working_days = 5", "answer_working_days = 6", "may answer within 6 working days"),
    ("publication", "effective_tests = 30", "effective_tests = 40", "at least 40 plain random tests"),
    ("publication", "suppliers = 10", "suppliers = 12", "at least 12 sellers"),
    ("sampling", '"EN 71-1", "EN 71-2", "EN 71-3"', '"EN 71-1", "EN 71-9"', "EN 71-1, EN 71-9"),
    ("documents", 'name = "GS mark"', 'name = "tested mark"', None),
    ("documents", 'schemes = ["CE", "EN 71 report"]', 'schemes = ["CE", "GS"]', "conformity and GS mark"),
    ("screening", 'missing = ["responsible_person"]', 'missing = ["brand"]', "does not state its brand"),
    ("trust", "valid_days = 365", "valid_days = 200", "It stands for 200 days after the report"),
    ("trust", "other_markets = true", "other_markets = false", "stands against it here,"),
    ("bands", 'action = "request_documents"', 'action = "test"', "moderate risk, we order a test"),
]  # fmt: skip
SECRET = [
    ("bands", "floor = 0.25", "floor = 0.3"), ("decisions", "share = 0.10", "share = 0.2"),
    ("decisions", "cases_per_day = 5", "cases_per_day = 6"),
    ("decisions", 'salt = "touchstone-2026"', 'salt = "other"'),
    ("sampling", "even = 0.05", "even = 0.07"), ("sampling", "by_uncertainty = 0.055", "by_uncertainty = 0.07"),
    ("sampling", "supplier_cap = 25", "supplier_cap = 31"),
    ("sampling", "label_valid_days = 91", "label_valid_days = 92"),
    ("sampling", "toys_under_3 = 3.0", "toys_under_3 = 2.0"), ("sampling", "cost_eur = 560.0", "cost_eur = 561.0"),
    ("sampling", "new_supplier = 2.0", "new_supplier = 3.0"), ("sampling", "chemistry = 120", "chemistry = 121"),
    ("sampling", "tests = 1\n", "tests = 2\n"), ("sampling", "largest_exposure = 10000", "largest_exposure = 10001"),
    ("publication", "largest_share = 0.40", "largest_share = 0.35"), ("publication", "tests = 10", "tests = 12"),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "before", "after", "says"), PUBLIC)
def test_a_changed_policy_changes_the_page(
    folder: Path, subject: str, before: str, after: str, says: str | None
) -> None:
    first = told(folder)
    assert says is None or says not in first
    edit(folder, subject, before, after)
    assert says is None or says in told(folder)
    assert says is not None or told(folder) == first  # a mark that no market asks for is not told of


@pytest.mark.parametrize(("subject", "before", "after"), SECRET)
def test_what_would_help_to_evade_a_test_stands_nowhere(folder: Path, subject: str, before: str, after: str) -> None:
    """The page is the same whatever threshold, share, weight or cap is in force."""
    first = told(folder)
    edit(folder, subject, before, after)
    assert told(folder) == first


def test_no_number_is_told_that_stands_in_no_policy() -> None:
    given = " ".join((POLICY_FOLDER / each / "2026-01-01.toml").read_text("utf-8") for each in SUBJECTS)
    numbers = set(re.findall(r"\d+", told()))
    assert numbers <= set(re.findall(r"\d+", given))
    assert len(numbers) > 20


def test_sentences_are_whole() -> None:
    """No placeholder, no empty list, no double space, no code of a policy."""
    text = told()
    assert not re.search(r"\b(None|nan)\b|  |\{|\}|\.\.|\w+_\w+| ,| \.", text)
    assert "no product is removed and no seller suspended because of an estimate" in text.lower()


def test_each_change_is_a_version_that_stays_readable(folder: Path) -> None:
    """A new file adds a version; the days before it keep theirs."""
    source = folder / "facts" / "2026-01-01.toml"
    (folder / "facts" / "2026-10-01.toml").write_text(
        source.read_text("utf-8").replace("test_days = 730", "test_days = 600"), encoding="utf-8"
    )
    assert rule_days(folder) == [date(2026, 10, 1), date(2026, 1, 1)]
    assert version_of(date(2026, 9, 30), folder) == date(2026, 1, 1)
    assert version_of(DAY, folder) == date(2026, 10, 1)
    assert "counts for 600 days" in told(folder)
    assert "counts for 730 days" in told(folder, require_rule_day("2026-01-01", folder))
    with pytest.raises(NotFoundError, match="No rules came into force on '2026-05-01'"):
        require_rule_day("2026-05-01", folder)


@dataclass(frozen=True)
class OnlyTime:
    """As much of the application's context as these pages use."""

    today: date

    def now(self) -> datetime:
        """Midnight of the day."""
        return datetime.combine(self.today, datetime.min.time(), UTC)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(build_application(lambda: cast("AppContext", OnlyTime(DAY)))) as client:
        yield client


def test_the_page_is_open_and_says_since_when_the_rules_are_in_force(client: TestClient) -> None:
    answer = client.get("/rules")
    page = BeautifulSoup(answer.text, "html.parser")
    text = " ".join(page.get_text(" ").split())
    assert answer.status_code == 200
    assert "in force since 1 January 2026" in text
    assert {str(link["href"]) for link in page.select("nav a")} == {
        f"#{each.slug}" for each in rule_sections(policies_of(DAY))
    }
    assert all(section in text for section in ("What we test", "What happens when a product fails", "How to appeal"))
    assert client.get("/rules/2026-01-01").text == answer.text
    assert client.get("/rules/2026-01-02").status_code == 404
    assert client.get("/rules/..%2Fpolicy").status_code == 404


def test_rules_to_come_are_announced_as_such() -> None:
    with TestClient(build_application(lambda: cast("AppContext", OnlyTime(date(2025, 12, 1))))) as client:
        assert "These rules come into force on 1 January 2026." in client.get("/rules/2026-01-01").text
