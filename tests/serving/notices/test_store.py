"""A notice is taken once, is one case with others of its product, and can be forgotten without trace of its sender."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from data.database.audit_log import audit_rows, verify_chain
from data.database.connection import open_database, read_transaction
from data.database.notice_schema import NOTICE_LETTERS, NOTICE_REPORTS
from data.errors import NotFoundError
from serving.decisions.records import SkuKey
from serving.notices.letters import acknowledge, deliver_notice_letter, notice_outbox
from serving.notices.policy import notice_policy_in_force
from serving.notices.store import (
    NoticeForm,
    NoticeReport,
    NoticeSubject,
    ShopperNotice,
    TooManyNoticesError,
    forget_notice,
    forget_old_notices,
    notice_incidents,
    read_notices,
    take_notice,
)
from touchstone import main

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
POLICY = notice_policy_in_force(AT.date())
KEY = SkuKey("K-1", "EU")
REPORT = NoticeReport(
    "It caught fire while charging.", "Nothing may burn like that.", "shop.example, in May", "fire", 2,
    "Erika Mustermann", "erika@example.org",
)  # fmt: skip
NUMBERS = count()


def taken(engine: sa.Engine, report: NoticeReport = REPORT, key: SkuKey | None = KEY, days: float = 0) -> ShopperNotice:
    """A notice of a shopper, so many days after the first."""
    code = "AB7K-3M9Q-X2D4-9TWE5" if key else f"TYPED-{next(NUMBERS)}"
    form = NoticeForm(NoticeSubject(code, key), report, f"form-{next(NUMBERS)}")
    return take_notice(engine, form, POLICY, AT + timedelta(days=days))


def test_the_same_form_twice_is_one_notice(state: sa.Engine) -> None:
    form = NoticeForm(NoticeSubject("AB7K", KEY), REPORT, "the same form")
    assert take_notice(state, form, POLICY, AT) == take_notice(state, form, POLICY, AT)
    [read] = read_notices(state, 10, KEY)
    assert read.report == REPORT


def test_a_flood_is_one_case_with_its_first_day_and_its_worst_injury(state: sa.Engine) -> None:
    """Another product, an unknown code and a notice long after are cases of their own."""
    flood = [taken(state, replace(REPORT, injury_severity=each), days=each) for each in (0, 3, 1)]
    others = [taken(state, key=SkuKey("K-1", "UK")), taken(state, key=None), taken(state, days=40)]
    assert len({each.case_id for each in flood}) == 1
    assert len({each.case_id for each in (flood[0], *others)}) == 4
    incidents = notice_incidents(state, AT.date())[KEY]
    assert (incidents[0].known_on, incidents[0].injury_severity) == (AT.date(), 3)
    assert len(incidents) == 2


def test_more_than_a_product_can_have_in_a_day_are_refused(state: sa.Engine) -> None:
    """Codes that we do not know count together, for there are as many as one likes."""
    few = POLICY.model_copy(update={"per_code_per_day": 3})
    for key in (KEY, None):
        for number in range(4):
            form = NoticeForm(NoticeSubject(f"C{number}" if key is None else "C", key), REPORT, f"{key}-{number}")
            if number < 3:
                take_notice(state, form, few, AT)
            else:
                with pytest.raises(TooManyNoticesError, match="3 notices about this product within a day"):
                    take_notice(state, form, few, AT)


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=12, max_size=40)


@given(WORDS, WORDS, WORDS, WORDS)
def test_the_ledger_never_holds_what_somebody_wrote(
    memory: sa.Engine, happened: str, why: str, name: str, place: str
) -> None:
    """Not what happened, nor a name, an address or where it was bought; and forgetting leaves none of it anywhere."""
    email = f"m{next(NUMBERS)}@example.org"
    notice = taken(memory, NoticeReport(f"1{happened}", f"2{why}", f"3{place}", None, None, f"4{name}", email), None)
    acknowledge(memory, notice, email, AT)
    ledger = "".join(row.content for row in audit_rows(memory))
    forget_notice(memory, notice.reference, "Ada", AT)
    with read_transaction(memory) as connection:
        left = str([connection.execute(sa.select(table)).all() for table in (NOTICE_REPORTS, NOTICE_LETTERS)])
    for text in (f"1{happened}", f"2{why}", f"3{place}", f"4{name}", email):
        assert text not in ledger
        assert text not in left


@pytest.fixture(scope="module")
def memory() -> Iterator[sa.Engine]:
    """A database that the examples of a law share."""
    engine = open_database("sqlite://")
    yield engine
    engine.dispose()


def test_a_forgotten_notice_still_counts(state: sa.Engine) -> None:
    notice = taken(state)
    acknowledge(state, notice, "erika@example.org", AT)
    for _ in range(2):
        forget_notice(state, notice.reference, "Ada", AT)
    [read] = read_notices(state, 10)
    assert (read.report, read.notice.reference) == (None, notice.reference)
    assert notice_incidents(state, AT.date())[KEY][0].incident_id == notice.case_id
    assert notice_outbox(state, 0, 10) == []
    assert [row.action for row in audit_rows(state)].count("forget_notice") == 1
    verify_chain(state)
    with pytest.raises(NotFoundError, match="There is no notice 'N-NONE'"):
        forget_notice(state, "N-NONE", "Ada", AT)


def test_old_notices_are_forgotten_by_themselves(state: sa.Engine) -> None:
    old, new = taken(state), taken(state, days=300)
    later = AT + timedelta(days=POLICY.personal_days, hours=1)
    assert forget_old_notices(state, POLICY, "nightly", later) == 1
    assert forget_old_notices(state, POLICY, "nightly", later) == 0
    known = {each.notice.reference: each.report for each in read_notices(state, 10)}
    assert (known[old.reference], known[new.reference]) == (None, REPORT)


def test_letters_to_shoppers_leave_the_outbox_once(state: sa.Engine) -> None:
    notice = taken(state)
    for _ in range(2):
        acknowledge(state, notice, "erika@example.org", AT)
    [letter] = notice_outbox(state, 0, 10)
    assert (letter.email, notice.reference in letter.subject) == ("erika@example.org", True)
    assert "within 3 working days" in letter.text
    assert notice_outbox(state, letter.sent_row, 10) == []
    noted = deliver_notice_letter(state, letter.letter_id, "channel", AT)
    assert noted == deliver_notice_letter(state, letter.letter_id, "channel", AT + timedelta(days=1))
    assert notice_outbox(state, 0, 10) == []
    assert deliver_notice_letter(state, "l-none", "channel", AT) is None


def test_the_command_forgets_by_reference_or_age(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/touchstone.db")
    notice = taken(engine)
    for arguments, said in (
        ([notice.reference.lower()], "is deleted"), (["--old"], "0 old notices"), ([], "Give a reference, or --old."),
        (["N-NONE0-NONE0"], "There is no notice"),
    ):  # fmt: skip
        ended = CliRunner().invoke(main, ["--home", str(tmp_path), "notices", "forget", *arguments])
        assert said in ended.output
    assert read_notices(engine, 10)[0].report is None
    engine.dispose()
