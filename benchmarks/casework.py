"""The casework of a busy marketplace in a database of its own, made by the rules of the product.

10,000 restrictions in force, proposals, other decisions with their facts, letters, and results since the scoring.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from data.database.connection import open_database, read_transaction, write_transaction
from data.database.schema import DECISIONS, LETTERS, RESULTS
from data.lab_results.store import Sender, store_results
from data.settings import Settings
from data.workspace import Workspace
from serving.auth.api_keys import create_key
from serving.console.blinding import flagged_bands
from serving.console.case import CaseView, case_view, current_policy, officer_of
from serving.console.context import AppContext
from serving.console.session import Person
from serving.decisions.records import IN_FORCE as DECISION_IN_FORCE
from serving.decisions.records import PROPOSED as DECISION_PROPOSED
from serving.decisions.records import Decision
from serving.decisions.rules import Proposal, carrying_grounds, missing_ground
from serving.decisions.store import Decisions
from serving.letters.facts import LetterKind
from serving.letters.store import DELIVERED, OwedLetter, insert_draft
from serving.online.hot_reload import HotReloader
from serving.online.store import OnlineStore
from serving.review_queue.format import QueueEvidence

IN_FORCE: Mapping[str, int] = MappingProxyType({
    "suspend": 200, "remove": 5_000, "pause": 4_800,
    "no_action": 1_200, "order_test": 900, "request_documents": 600, "refer": 300,
})  # fmt: skip
"""Decisions in force by disposition; the first three restrict."""

PROPOSED: Mapping[str, int] = MappingProxyType({"suspend": 20, "remove": 80, "pause": 200})
RESTRICTING = ("suspend", "remove", "pause")
NEW_RESULTS, LETTERS_TO_SEND = 500, 300
CLIENTS = 16
OFFICERS = ("ada", "bela", "cleo", "dara", "emil", "fay")
SPREAD = timedelta(days=5)
"""The time over which the decisions were taken; pauses last longer."""


@dataclass(frozen=True)
class Desk:
    """A workspace in service, a database for its casework, and its officers."""

    context: AppContext
    officers: tuple[Person, ...]

    @property
    def store(self) -> OnlineStore:
        """The publication in service."""
        return self.context.store

    def decide(self, view: CaseView, disposition: str, at: datetime, approved: bool = True) -> Decision:
        """Take a decision on a case; what needs four eyes is approved by another officer."""
        policy = current_policy(self.context)
        kind, decisions = policy.disposition(disposition), Decisions(self.context.engine, policy)
        number = self.officers.index(view.person)
        grounds = carrying_grounds(kind, view.file.grounds_for(kind), at.date()) if kind.needs_fact else ()
        code = next((code for code in kind.codes if any(kind.rests_on(g.kind, code) for g in grounds)), kind.codes[0])
        package = view.packages[0] if disposition == "order_test" else None
        proposal = Proposal(
            disposition, code, "Decided after reading the page of the case.", form_token=view.form_token,
            package=package.name if package else None, cost_eur=package.cost_cents / 100 if package else None,
        )  # fmt: skip
        taken = decisions.propose(proposal, officer_of(view.person), view.file, at)
        if kind.four_eyes and approved:
            approver = self.officers[(number + 1) % len(self.officers)]
            taken = decisions.approve(taken.decision_id, officer_of(approver), at)
        return taken

    def can_decide(self, view: CaseView, disposition: str, today: date) -> bool:
        """Whether the facts of a case carry a disposition."""
        kind = current_policy(self.context).disposition(disposition)
        return missing_ground(kind, view.file.grounds_for(kind), today) is None


@dataclass(frozen=True)
class ServiceKeys:
    """The secrets of keys: those of the clients, one each, and that of the first officer."""

    clients: list[str]
    officer: str


def open_desk(workspace: Workspace, address: str, fast: bool = False) -> Desk:
    """The desk of a workspace with its casework in the database at `address`; `fast` does not wait for the disk."""
    engine = open_database(address)
    if fast:
        engine.dispose()
        sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    context = AppContext(
        Settings(workspace, None, database_url=address), HotReloader(workspace), lambda: engine, lambda _: None,
        lambda _: None, lambda: datetime.now(UTC),
    )  # fmt: skip
    return Desk(context, tuple(Person(name, "officer", _key_id(name)) for name in OFFICERS))


def write_casework(workspace: Workspace, file: Path) -> None:
    """Write the casework of a scored workspace to a new SQLite file."""
    file.unlink(missing_ok=True)
    desk = open_desk(workspace, f"sqlite:///{file}", fast=True)
    chosen, now = list(_choose(desk)), datetime.now(UTC)
    step, letters = SPREAD / len(chosen), 0
    for number, (view, disposition, approved) in enumerate(chosen):
        decision = desk.decide(view, disposition, now - SPREAD + number * step, approved)
        if approved and disposition in RESTRICTING:
            _draft_letter(desk, decision, now)
            letters += 1
    _mark_delivered(desk, letters - LETTERS_TO_SEND)
    _hand_in_results(desk, now)
    desk.context.engine.dispose()


def count_casework(engine: sa.Engine) -> dict[str, int]:
    """Counts of restrictions and other decisions in force, proposals, letters and results."""
    table = DECISIONS.c
    restricting, in_force = table.disposition.in_(RESTRICTING), table.state == DECISION_IN_FORCE
    queries = {
        "restrictions": sa.select(sa.func.count()).where(restricting, in_force),
        "other_decisions": sa.select(sa.func.count()).where(~restricting, in_force),
        "proposals": sa.select(sa.func.count()).where(table.state == DECISION_PROPOSED),
        "letters": sa.select(sa.func.count()).select_from(LETTERS),
        "results": sa.select(sa.func.count()).select_from(RESULTS),
    }  # fmt: skip
    with read_transaction(engine) as connection:
        return {name: int(connection.execute(query).scalar_one()) for name, query in queries.items()}


@dataclass(frozen=True)
class _Wanted:
    """The dispositions that are still wanted, by name."""

    in_force: dict[str, int]
    proposed: dict[str, int]

    def take(self, disposition: str) -> bool | None:
        """Whether the next of a disposition is in force; None where no more are wanted."""
        for left, approved in ((self.in_force, True), (self.proposed, False)):
            if left.get(disposition, 0) > 0:
                left[disposition] -= 1
                return approved
        return None

    def wants(self, disposition: str) -> bool:
        """Whether more of a disposition are wanted."""
        return self.in_force.get(disposition, 0) + self.proposed.get(disposition, 0) > 0


def _choose(desk: Desk) -> Iterator[tuple[CaseView, str, bool]]:
    """The cases to decide in random order, each with its disposition and whether it is in force."""
    wanted, today = _Wanted(dict(IN_FORCE), dict(PROPOSED)), datetime.now(UTC).date()
    with_facts, flagged = _positions_with_facts(desk.store), flagged_positions(desk.store)
    suspended: set[str | None] = set()
    for number, position in enumerate(with_facts.tolist()):
        disposition = next((each for each in ("suspend", "remove", "no_action") if wanted.wants(each)), None)
        if disposition is None:
            break
        view = view_at(desk, position, number)
        if disposition == "suspend" and (
            view.file.supplier_id in suspended or not desk.can_decide(view, disposition, today)
        ):
            disposition = "remove"
        if disposition == "remove" and not desk.can_decide(view, disposition, today):
            disposition = "no_action"
        approved = wanted.take(disposition)
        if approved is not None:
            suspended |= {view.file.supplier_id} if disposition == "suspend" else set()
            yield view, disposition, approved
    used = with_facts[: number + 1]
    for number, position in enumerate(np.setdiff1d(flagged, used, assume_unique=True).tolist()):
        disposition = next((each for each in (*wanted.in_force, *wanted.proposed) if wanted.wants(each)), None)
        if disposition is None:
            break
        if disposition in ("suspend", "remove"):
            raise RuntimeError(f"The catalogue has too few SKUs whose facts carry {disposition!r}. Take a larger one.")
        approved = wanted.take(disposition)
        yield view_at(desk, position, number), disposition, bool(approved)


def view_at(desk: Desk, position: int, number: int) -> CaseView:
    """The case of the SKU at a position, as officer `number` sees it."""
    row = desk.store.snapshot.keys(position, position + 1).to_pylist()[0]
    return case_view(desk.context, desk.officers[number % len(desk.officers)], row["sku_id"], row["market"])


def _positions_with_facts(store: OnlineStore) -> NDArray[np.int64]:
    suspect = QueueEvidence.FAILED | QueueEvidence.CERTIFICATE | QueueEvidence.HOLD
    return _shuffle(store, (store.queue.column("evidence") & suspect) > 0)


def flagged_positions(store: OnlineStore) -> NDArray[np.int64]:
    """The positions of SKUs whose band asks for a test, in random order."""
    return _shuffle(store, store.queue.in_bands(flagged_bands(store)))


def _shuffle(store: OnlineStore, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The positions in a mask by number in random order, without cases drawn for an own estimate."""
    numbers = np.flatnonzero(mask & ~store.queue.column("drawn").astype(bool))
    return np.random.default_rng(0).permutation(store.queue.positions(numbers))


def _draft_letter(desk: Desk, decision: Decision, now: datetime) -> None:
    kind = LetterKind.SUSPENSION if decision.disposition == "suspend" else LetterKind.STATEMENT_OF_REASONS
    owed = OwedLetter(
        kind, decision.decision_id, str(decision.supplier_id), decision.sku_id, decision.market, "A product"
    )  # fmt: skip
    insert_draft(desk.context.engine, owed, "en", now)


def _mark_delivered(desk: Desk, count: int) -> None:
    """Mark the oldest letters as delivered."""
    oldest = sa.select(LETTERS.c.letter_id).order_by(LETTERS.c.drafted_at).limit(count).scalar_subquery()
    with write_transaction(desk.context.engine) as connection:
        connection.execute(
            sa.update(LETTERS).where(LETTERS.c.letter_id.in_(oldest)).values(
                state=DELIVERED, sent_at=LETTERS.c.drafted_at, delivered_at=LETTERS.c.drafted_at, sent_row=0,
                subject="Your listing", text="x" * 3_000, html="x" * 6_000,
            )
        )  # fmt: skip


def _hand_in_results(desk: Desk, now: datetime) -> None:
    """Store results of random SKUs, one in five failed, as filed already: no file is written to the workspace."""
    draw, store, day = np.random.default_rng(1), desk.store, desk.store.publication.as_of
    positions = draw.choice(len(store.snapshot), NEW_RESULTS, replace=False)
    results = [result_at(desk, position, f"T-{position}", "pass" if draw.random() < 0.8 else "fail", day)
               for position in positions.tolist()]  # fmt: skip
    store_results(desk.context.engine, desk.context.settings.workspace, results, Sender("lab", "lab", now))
    with write_transaction(desk.context.engine) as connection:
        connection.execute(sa.update(RESULTS).values(filed_at=now.isoformat()))


def result_at(desk: Desk, position: int, test_id: str, result: str, day: date) -> dict[str, Any]:
    """A laboratory's result of a SKU, of the first test that the policy knows for it."""
    view = view_at(desk, position, 0)
    failed = {"severity": "major", "hazard": "fire"} if result == "fail" else {}
    return {
        "test_id": test_id, "sku_id": view.listing.sku_id, "market": view.listing.market, "happened_on": day,
        "known_on": day, "result": result, "origin": "warehouse", "package": view.packages[0].name, "lab_id": "L-1",
        **failed,
    }  # fmt: skip


def create_keys(engine: sa.Engine) -> ServiceKeys:
    """Keys of the service for CLIENTS clients and for the first officer, whose decisions are those of the desk."""
    now = datetime.now(UTC)
    secrets = [create_key(engine, f"client {n}", "scheduler", now, "benchmark")[1] for n in range(CLIENTS)]
    key, officer = create_key(engine, OFFICERS[0], "officer", now, "benchmark")
    with write_transaction(engine) as connection:
        for column in (DECISIONS.c.proposer_key, DECISIONS.c.settler_key):
            own = sa.update(DECISIONS).where(column == _key_id(OFFICERS[0]))
            connection.execute(own.values({column: key.id}))
    return ServiceKeys(secrets, officer)


def _key_id(officer: str) -> str:
    return f"desk-{officer}"
