"""Which letters are owed by what was decided, appealed, tested and agreed; each is drafted once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from data.contract import NO_RESULT
from data.database.connection import read_transaction
from data.database.schema import APPEALS, DECISION_FACTS, DECISIONS, LETTERS, RESULTS
from data.lab_results.store import is_newest, newest_content, read_result
from serving.decisions.policy import DecisionPolicy
from serving.decisions.records import IN_FORCE, REPLACED, REVERSED, Decision
from serving.dossiers.records import SUPPLIER_PROVIDED
from serving.letters.facts import STATEMENTS, LetterKind
from serving.letters.policy import LetterPolicy
from serving.letters.sources import LetterSources, OpenAction, letter_terms, open_actions
from serving.letters.store import TO_SEND, Letter, OwedLetter, insert_draft, letters_in, withdraw

MOST_AT_ONCE = 200
"""Letters of a kind that one call drafts; the next call drafts the rest."""

RESULT_LETTERS = {"fail": LetterKind.TEST_FAILED, "pass": LetterKind.TEST_PASSED}


def ensure_letters(sources: LetterSources, now: datetime) -> int:
    """Draft the letters that are owed and were not drafted before, and withdraw drafts that are not owed any more.

    Returns the number of new drafts; calling it again changes nothing.
    """
    terms = letter_terms("en", now.date())
    desk = _Owing(sources, terms.letters, terms.decisions, now.date())
    language = terms.letters.languages[0]
    drafted = sum(insert_draft(sources.engine, owed, language, now) for owed in list(desk.owed()))
    for letter in letters_in(sources.engine, TO_SEND, MOST_AT_ONCE):
        why = desk.why_not_owed(letter)
        if why is not None:
            withdraw(sources.engine, letter, why, now)
    return drafted


@dataclass(frozen=True)
class _Owing:
    """What is owed under the policies of a day."""

    sources: LetterSources
    policy: LetterPolicy
    decisions: DecisionPolicy
    today: date

    @property
    def first_day(self) -> str:
        """The first day of what gets a letter, as stored."""
        return (self.today - timedelta(days=self.policy.periods.drafted_days)).isoformat()

    def owed(self) -> Iterator[OwedLetter]:
        """Every letter that is owed and not drafted."""
        with read_transaction(self.sources.engine) as connection:
            yield from self._statements(connection)
            yield from self._documents(connection)
            yield from self._ended_pauses(connection)
            yield from self._appeals(connection)
            yield from self._results(connection)
            yield from self._corrective_actions(connection)

    def why_not_owed(self, letter: Letter) -> str | None:
        """Why a letter that was not sent is not owed any more; None where it is."""
        with read_transaction(self.sources.engine) as connection:
            if letter.kind == LetterKind.TEST_FAILED and _is_decided(connection, letter.about, self.decisions):
                return "A decision on this result is in force."
            if letter.kind in RESULT_LETTERS.values() and _is_other_now(connection, letter):
                return "The report was amended or withdrawn."
            if letter.kind == LetterKind.APPEAL_RECEIVED and _is_answered(connection, letter.about):
                return "The appeal is answered."
        if letter.kind == LetterKind.CORRECTIVE_ACTION_DUE and letter.about not in self._open_action_ids:
            return "The corrective action is not open any more."
        return None

    @cached_property
    def _open_actions(self) -> list[OpenAction]:
        return open_actions(self.sources.workspace, self.today)

    @cached_property
    def _open_action_ids(self) -> frozenset[str]:
        return frozenset(each.facts.action_id for each in self._open_actions)

    def _statements(self, connection: sa.Connection) -> Iterator[OwedLetter]:
        """A statement for every restriction in force, and for those that ended on appeal lately."""
        table = DECISIONS.c
        restricting = [each.name for each in self.decisions.declared if each.restricts]
        ended = sa.and_(table.state.in_((REVERSED, REPLACED)), table.settled_at >= self.first_day)
        condition = sa.and_(table.disposition.in_(restricting), sa.or_(table.state == IN_FORCE, ended))
        for decision in _decisions_without(connection, condition, STATEMENTS):
            kind = LetterKind.SUSPENSION if decision.disposition == "suspend" else LetterKind.STATEMENT_OF_REASONS
            yield from _about_decision(kind, decision)

    def _documents(self, connection: sa.Connection) -> Iterator[OwedLetter]:
        table, kind = DECISIONS.c, LetterKind.DOCUMENTS_REQUESTED
        condition = sa.and_(
            table.disposition == "request_documents", table.state == IN_FORCE, table.proposed_at >= self.first_day
        )
        for decision in _decisions_without(connection, condition, (kind,)):
            yield from _about_decision(kind, decision)

    def _ended_pauses(self, connection: sa.Connection) -> Iterator[OwedLetter]:
        table, kind = DECISIONS.c, LetterKind.PAUSE_ENDED
        condition = sa.and_(
            table.state == IN_FORCE, table.ends_on < self.today.isoformat(), table.ends_on >= self.first_day
        )
        for decision in _decisions_without(connection, condition, (kind,)):
            yield from _about_decision(kind, decision)

    def _appeals(self, connection: sa.Connection) -> Iterator[OwedLetter]:
        """The receipt of every open appeal, and the answer of every answered one."""
        table = APPEALS.c
        for kind, condition in (
            (LetterKind.APPEAL_RECEIVED, sa.and_(table.outcome.is_(None), table.filed_at >= self.first_day)),
            (LetterKind.APPEAL_ANSWERED, table.reviewed_at >= self.first_day),
        ):
            without = ~_drafted(table.appeal_id, (kind,))
            query = sa.select(table.appeal_id, DECISIONS).join(DECISIONS, DECISIONS.c.decision_id == table.decision_id)
            for row in connection.execute(query.where(condition, without).limit(MOST_AT_ONCE)):
                values = dict(row._mapping)
                appeal_id = values.pop("appeal_id")
                yield from _about_decision(kind, Decision(**values), appeal_id)

    def _results(self, connection: sa.Connection) -> Iterator[OwedLetter]:
        """A letter about each independent result that failed or passed; none about a failure that was decided on.

        A report that was amended gets one more where its newest version says the other.
        """
        table = RESULTS.c
        without = sa.or_(~_drafted(table.test_id, tuple(RESULT_LETTERS.values())), table.version > 1)
        query = sa.select(table.test_id, table.content).where(table.received_at >= self.first_day, is_newest(), without)
        for row in connection.execute(query.order_by(table.received_at.desc()).limit(MOST_AT_ONCE)):
            values = read_result(row.content)
            kind = _kind_about(values)
            if kind is None or values["origin"] == SUPPLIER_PROVIDED or _has_letter(connection, kind, row.test_id):
                continue
            if kind == LetterKind.TEST_FAILED and _is_decided(connection, row.test_id, self.decisions):
                continue
            dossier = self.sources.find_dossier(values["sku_id"], values["market"])
            if dossier is not None:
                listing = dossier.listing
                yield OwedLetter(
                    kind, row.test_id, listing.supplier_id, listing.sku_id, listing.market, listing.title
                )  # fmt: skip

    def _corrective_actions(self, connection: sa.Connection) -> Iterator[OwedLetter]:
        kind = LetterKind.CORRECTIVE_ACTION_DUE
        last = self.today + timedelta(days=self.policy.periods.corrective_action_days)
        due = [each for each in self._open_actions if self.today <= each.facts.due_on <= last]
        drafted = set(connection.execute(sa.select(LETTERS.c.about).where(LETTERS.c.kind == kind.value)).scalars())
        owed = [each for each in due if each.facts.action_id not in drafted]
        yield from (OwedLetter(kind, each.facts.action_id, each.supplier_id) for each in owed[:MOST_AT_ONCE])


def _about_decision(kind: LetterKind, decision: Decision, about: str | None = None) -> Iterator[OwedLetter]:
    """The letter about a decision or its appeal; none where the decision names no supplier."""
    if decision.supplier_id is not None:
        context = decision.decision_context
        title = context.offer.title if context else None
        yield OwedLetter(
            kind, about or decision.decision_id, decision.supplier_id, decision.sku_id, decision.market, title
        )  # fmt: skip


def _decisions_without(
    connection: sa.Connection, condition: sa.ColumnElement[bool], kinds: Iterable[LetterKind]
) -> Iterator[Decision]:
    """The decisions about which there is no letter of these kinds, the oldest first."""
    query = sa.select(DECISIONS).where(condition, ~_drafted(DECISIONS.c.decision_id, kinds))
    for row in connection.execute(query.order_by(DECISIONS.c.proposed_at).limit(MOST_AT_ONCE)):
        yield Decision(**row._mapping)


def _drafted(about: sa.ColumnElement[str], kinds: Iterable[LetterKind]) -> sa.ColumnElement[bool]:
    """Whether there is a letter of these kinds about something."""
    of_kind = LETTERS.c.kind.in_([each.value for each in kinds])
    return sa.exists().where(LETTERS.c.about == about, of_kind)


def _kind_about(result: Mapping[str, Any]) -> LetterKind | None:
    """The letter that a result asks for; None where it is not clear, or there is none."""
    return None if result["status"] in NO_RESULT else RESULT_LETTERS.get(result["result"])


def _has_letter(connection: sa.Connection, kind: LetterKind, about: str) -> bool:
    query = sa.select(LETTERS.c.letter_id).where(LETTERS.c.kind == kind.value, LETTERS.c.about == about)
    return connection.execute(query.limit(1)).first() is not None


def _is_other_now(connection: sa.Connection, letter: Letter) -> bool:
    """Whether the newest version of the report that a letter is about asks for another letter, or for none."""
    content = newest_content(connection, letter.about)
    return content is not None and _kind_about(read_result(content)) != letter.kind


def _is_decided(connection: sa.Connection, test_id: str, policy: DecisionPolicy) -> bool:
    """Whether a decision in force rests on a failed test, or was taken with it on the page and settles it."""
    settling = [each.name for each in policy.declared if each.restricts or "failed_test" in each.stops]
    table = DECISIONS.c
    query = (
        sa.select(table.decision_id)
        .outerjoin(DECISION_FACTS, DECISION_FACTS.c.decision_id == table.decision_id)
        .where(
            sa.or_(table.fact_row == test_id, DECISION_FACTS.c.row_id == test_id),
            table.state == IN_FORCE, table.disposition.in_(settling),
        )
    )  # fmt: skip
    return connection.execute(query.limit(1)).first() is not None


def _is_answered(connection: sa.Connection, appeal_id: str) -> bool:
    query = sa.select(APPEALS.c.outcome).where(APPEALS.c.appeal_id == appeal_id)
    return connection.execute(query).scalar() is not None
