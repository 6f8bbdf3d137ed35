"""`/certificates`: open questions to issuers and their answers over HTTP, each judged by itself, repeated safely."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from data.contract import CERTIFICATES
from data.database.connection import open_database
from data.lake.handed_in_rows import handed_in_rows
from data.workspace import Workspace
from serving.api.certificate_answers import AnswersQuestion, answers, questions
from serving.auth.api_keys import Key
from serving.auth.permissions import PRINCIPAL
from serving.certificates.store import ask, checks_of, settle
from serving.console.context import AppContext
from tests.serving.certificates.desks import NOW, TODAY, asked, desk_at, signed_by
from tests.serving.console.conftest import context_of


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """A state of its own."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def context(engine: sa.Engine, tmp_path: Path) -> Iterator[AppContext]:
    """A service whose caller holds an officer's key."""
    token = PRINCIPAL.set(Key("k-machine", "mailbox", "officer", "Mailbox"))
    yield replace(context_of(tmp_path, engine), now=lambda: NOW)
    PRINCIPAL.reset(token)


def test_answers_are_judged_one_by_one(context: AppContext, engine: sa.Engine, tmp_path: Path) -> None:
    """One counts, one awaits another officer, one is closed, three are refused; again, nothing changes."""
    desk = desk_at(engine, tmp_path)
    ask(desk, [asked(certificate_id=f"D-{number}") for number in range(4)], "file", signed_by("Olga"))
    waiting = questions(context, None).questions
    assert (len(waiting), len(questions(context, "TUV-A").questions)) == (4, 0)
    ids = [each.question_id for each in waiting]
    day, reply = TODAY.isoformat(), {"reply_digest": "a" * 64, "reply_sender": "x@lab-g.example"}
    given = AnswersQuestion.model_validate({"answers": [
        {"question_id": ids[0], "answer": "confirmed", "answered_on": day, "expires_on": "2028-01-01"},
        {"question_id": ids[1], "answer": "denied", "answered_on": day, **reply},
        {"question_id": ids[2], "answer": "no_answer", "answered_on": day},
        {"question_id": ids[3], "answer": "denied", "answered_on": day},
        {"question_id": ids[3], "answer": "confirmed", "answered_on": "2026-06-12"},
        {"question_id": "q-none", "answer": "confirmed", "answered_on": day},
    ]})  # fmt: skip
    first = answers(context, given)
    assert (first.recorded, first.proposed, first.closed) == (ids[:1], ids[1:2], ids[2:3])
    assert [each.place for each in first.refused] == [3, 4, 5]
    for each, said in zip(first.refused, ("issuer's reply", "in the future", "no question"), strict=True):
        assert said in each.why
    again = answers(context, given)
    assert (again.recorded, again.proposed, again.known) == ([], [], ids[:2])
    assert len(handed_in_rows(Workspace(tmp_path), CERTIFICATES)) == 1
    assert [each.question_id for each in questions(context, "LAB-G").questions] == ids[3:]
    assert settle(desk, ids[1], True, signed_by("Tom")).state == "denied"
    assert len(checks_of(engine)) == 4
