"""The policy in force is the newest one whose day has come."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.errors import UserError
from data.policy import Policy, policies_read_once, policy_in_force


class Dated(Policy, subject="bands"):
    """A policy of one key."""

    day: str


def written(folder: Path, day: date, text: str) -> None:
    (folder / "bands").mkdir(exist_ok=True)
    (folder / "bands" / f"{day}.toml").write_text(text, encoding="utf-8")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.sets(st.dates(date(2020, 1, 1), date(2030, 1, 1)), min_size=1, max_size=5), st.data())
def test_the_newest_day_not_after_as_of_is_in_force(
    tmp_path_factory: pytest.TempPathFactory, days: set[date], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("policy")
    for day in days:
        written(folder, day, f'day = "{day}"')
    as_of = data.draw(st.dates(min(days), date(2031, 1, 1)))
    assert policy_in_force(Dated, as_of, folder).day == str(max(day for day in days if day <= as_of))


def test_the_first_policy_also_covers_the_days_before_it(tmp_path: Path) -> None:
    written(tmp_path, date(2026, 1, 1), 'day = "first"')
    written(tmp_path, date(2026, 2, 1), 'day = "second"')
    before = policy_in_force(Dated, date(2026, 1, 1) - timedelta(days=1), tmp_path)
    assert before == policy_in_force(Dated, date(2026, 1, 1), tmp_path)


def test_without_any_policy_the_day_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no bands policy\. Add policy/bands/2025-12-31\.toml"):
        policy_in_force(Dated, date(2025, 12, 31), tmp_path)


@pytest.mark.parametrize("text", [b"floors = [", b"\xff"])
def test_a_policy_that_is_no_toml_is_refused(tmp_path: Path, text: bytes) -> None:
    written(tmp_path, date(2026, 1, 1), "")
    (tmp_path / "bands" / "2026-01-01.toml").write_bytes(text)
    with pytest.raises(UserError, match=r"/bands/2026-01-01\.toml is not valid TOML: .* Edit the file\."):
        policy_in_force(Dated, date(2026, 1, 1), tmp_path)


def test_the_version_names_the_day_and_changes_with_the_text(tmp_path: Path) -> None:
    versions = set()
    for text in ('day = "1"', 'day = "2"'):
        written(tmp_path, date(2026, 1, 1), text)
        versions.add(policy_in_force(Dated, date(2026, 6, 1), tmp_path).version)
    assert len(versions) == 2
    assert all(version.startswith("2026-01-01-") for version in versions)


def test_every_violation_is_told_with_key_value_and_what_it_may_be(tmp_path: Path) -> None:
    written(tmp_path, date(2026, 1, 1), 'day = 3\nversion = "mine"')
    with pytest.raises(UserError, match=r"/bands/2026-01-01\.toml: day is 3; it must be a text in quotes\. version is "
                                      r"'mine'; there is no such key, only day\. Edit the file\."):  # fmt: skip
        policy_in_force(Dated, date(2026, 1, 1), tmp_path)


def test_a_file_is_validated_once_and_again_when_it_changed(tmp_path: Path) -> None:
    written(tmp_path, date(2026, 1, 1), 'day = "1"')
    first = policy_in_force(Dated, date(2026, 1, 1), tmp_path)
    assert policy_in_force(Dated, date(2026, 5, 1), tmp_path) is first
    written(tmp_path, date(2026, 1, 1), 'day = "2"')
    assert policy_in_force(Dated, date(2026, 1, 1), tmp_path).day == "2"


def test_a_step_over_many_follows_one_policy_and_the_next_step_the_edited_one(tmp_path: Path) -> None:
    for text in ("1", "2"):
        written(tmp_path, date(2026, 1, 1), f'day = "{text}"')
        with policies_read_once():
            first = policy_in_force(Dated, date(2026, 1, 1), tmp_path)
            written(tmp_path, date(2026, 1, 1), 'day = "edited meanwhile"')
            assert policy_in_force(Dated, date(2026, 1, 1), tmp_path) is first
        assert first.day == text
    assert policy_in_force(Dated, date(2026, 1, 1), tmp_path).day == "edited meanwhile"
