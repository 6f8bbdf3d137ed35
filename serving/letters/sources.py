"""Where the facts of a letter are read: decisions, appeals, results and corrective actions, at the time of asking."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from data.database.connection import read_transaction
from data.database.schema import APPEALS
from data.errors import UserError
from data.lab_results.store import newest_content
from data.lake.location import current_table
from data.workspace import Workspace
from sampling.policy import sampling_policy_in_force
from serving.decisions.appeals import answer_due_on
from serving.decisions.ground_rows import read_ground_test
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import Appeal, Decision
from serving.dossiers.records import Dossier
from serving.letters.decision_facts import (
    RestrictedListing,
    decision_facts,
    other_restrictions,
    read_decision,
    restrictions_in_force,
)
from serving.letters.facts import STATEMENTS, ActionFacts, AppealFacts, LetterFacts, LetterKind, LetterProduct
from serving.letters.policy import letter_policy_in_force
from serving.letters.sentences import LetterTerms
from serving.letters.store import Letter

NEEDS_DECISION = (*STATEMENTS, LetterKind.DOCUMENTS_REQUESTED, LetterKind.PAUSE_ENDED)
NEEDS_APPEAL = (LetterKind.APPEAL_RECEIVED, LetterKind.APPEAL_ANSWERED)


@dataclass(frozen=True)
class LetterSources:
    """The database, the workspace, and the dossier of a SKU in a market; None where the catalogue lacks it.

    `public_url` is the address under which sellers reach the service; without it letters carry no link.
    """

    engine: sa.Engine
    workspace: Workspace
    find_dossier: Callable[[str, str], Dossier | None]
    public_url: str | None = None


def letter_terms(language: str, day: date) -> LetterTerms:
    """The policies of a day for a letter in a language."""
    return LetterTerms(letter_policy_in_force(day), decision_policy_in_force(day), day, language)


def facts_of(letter: Letter, sources: LetterSources, terms: LetterTerms) -> LetterFacts:
    """The facts of a letter as they stand on the day of its terms.

    Raises UserError where what it is about cannot be found any more.
    """
    kind = LetterKind(letter.kind)
    with read_transaction(sources.engine) as connection:
        if kind in NEEDS_DECISION:
            return _facts_of_decision(connection, letter, _decision(connection, letter.about), terms)
        if kind in NEEDS_APPEAL:
            return _facts_of_appeal(connection, letter, terms)
        if kind == LetterKind.CORRECTIVE_ACTION_DUE:
            actions = [each.facts for each in open_actions(sources.workspace, terms.day)]
            action = next((each for each in actions if each.action_id == letter.about), None)
            if action is None:
                raise UserError(f"Corrective action {letter.about!r} is not open any more; the letter is not needed.")
            return LetterFacts(kind, letter.letter_id, letter.supplier_id, action=action)
        return _facts_of_test(connection, letter, terms)


def standards_of(package: str | None, day: date) -> tuple[str, ...]:
    """The standards that a test package is done by; empty where the policy names none."""
    offers = sampling_policy_in_force(day).offers
    return next((each.standards for each in offers if each.name == package), ())


@dataclass(frozen=True)
class OpenAction:
    """A corrective action that nobody has verified, and its supplier."""

    supplier_id: str
    facts: ActionFacts


def open_actions(workspace: Workspace, today: date) -> list[OpenAction]:
    """The corrective actions known and not verified on a day, that have a due day; none without tables."""
    path = current_table(workspace, "remediations")
    if path is None:
        return []
    known = (pc.field("known_on") <= today) & pc.field("due_on").is_valid()
    rows = pq.read_table(path, filters=known).to_pylist()
    return [
        OpenAction(row["supplier_id"], ActionFacts(row["remediation_id"], row["happened_on"], row["due_on"]))
        for row in rows
        if row["verified_on"] is None or row["verified_on"] > today
    ]


def _decision(connection: sa.Connection, decision_id: str) -> Decision:
    decision = read_decision(connection, decision_id)
    if decision is None:
        raise UserError(f"There is no decision {decision_id!r} any more, and no letter about it can be written.")
    return decision


def _facts_of_decision(
    connection: sa.Connection, letter: Letter, decision: Decision, terms: LetterTerms, appeal: AppealFacts | None = None
) -> LetterFacts:
    facts = decision_facts(connection, decision, terms.letters, terms.day)
    kind = LetterKind(letter.kind)
    shown = kind == LetterKind.DOCUMENTS_REQUESTED or facts.ended
    test = facts.evidence.test
    replacement = facts.end.decision_id if facts.end else None
    others = other_restrictions(connection, decision, terms.decisions, terms.day) if shown else ()
    return LetterFacts(
        kind, letter.letter_id, letter.supplier_id, _product(letter), facts,
        standards=standards_of(test.package, test.known_on) if test else (), appeal=appeal,
        still_restricted=tuple(each for each in others if each.decision_id != replacement),
    )  # fmt: skip


def _facts_of_appeal(connection: sa.Connection, letter: Letter, terms: LetterTerms) -> LetterFacts:
    row = connection.execute(sa.select(APPEALS).where(APPEALS.c.appeal_id == letter.about)).one_or_none()
    if row is None:
        raise UserError(f"There is no appeal {letter.about!r} any more, and no letter about it can be written.")
    appeal = Appeal(**row._mapping)
    answered = LetterKind(letter.kind) == LetterKind.APPEAL_ANSWERED
    facts = AppealFacts(
        date.fromisoformat(appeal.filed_at[:10]), answer_due_on(appeal, terms.decisions),
        appeal.outcome if answered else None,
        date.fromisoformat(appeal.reviewed_at[:10]) if answered and appeal.reviewed_at else None,
        appeal.note if answered else None,
    )  # fmt: skip
    return _facts_of_decision(connection, letter, _decision(connection, appeal.decision_id), terms, facts)


def _facts_of_test(connection: sa.Connection, letter: Letter, terms: LetterTerms) -> LetterFacts:
    content = newest_content(connection, letter.about)
    if content is None:
        raise UserError(f"There is no result {letter.about!r} any more, and no letter about it can be written.")
    values: dict[str, Any] = json.loads(content)
    test, product = read_ground_test(values), _product(letter)
    listing = RestrictedListing(values["sku_id"], values["market"], letter.supplier_id)
    return LetterFacts(
        LetterKind(letter.kind), letter.letter_id, letter.supplier_id, product, test=test,
        standards=standards_of(test.package, test.known_on),
        still_restricted=restrictions_in_force(connection, listing, terms.decisions, terms.day),
    )  # fmt: skip


def _product(letter: Letter) -> LetterProduct | None:
    if letter.sku_id is None or letter.market is None:
        return None
    return LetterProduct(letter.sku_id, letter.market, letter.title)
