"""Whatever people do in any order, screening, queue, page and feed tell the same state of every case."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy.pool import StaticPool

from data.database.schema import METADATA
from data.errors import UserError
from data.lab_results.store import Sender, store_results
from data.lake.lab_results import SCHEMA
from serving.api.screen import Listing, screener_of
from serving.api.screening_policy import STAGES
from serving.console.case import case_view, catalogue_cases_of, decisions_of
from serving.console.context import AppContext
from serving.console.letter_sources import letter_sources
from serving.console.session import Person
from serving.decisions.appeals import AppealAnswer, answer_appeal, appeals, file_appeal
from serving.decisions.feed import decision_changes
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import Decision, SkuKey
from serving.decisions.rules import Officer, Proposal, Signature
from serving.letters.drafting import ensure_letters
from serving.letters.facts import STATEMENTS
from serving.letters.sources import facts_of, letter_terms
from serving.letters.store import letters_about
from tests.serving.browser.shop import DAY
from tests.serving.console.conftest import SHOP_NOW, context_of

POLICY = decision_policy_in_force(DAY)
WORDS = "As the case shows, with every paper read."
SKUS = {"K-1": "S-1", "K-5": "S-1", "K-7": "S-3", "K-28": "S-<b onmouseover=\"window.ran='supplier'\">0</b>"}
"""A failed test with an order and a notice, a neighbour of its supplier, an order alone, a failed test alone."""
RESTRICTIONS = ("pause", "remove", "suspend", "recall")
STOPS = {
    "authority_order": {"answer_authority"},
    "notice": {"no_action", "request_documents", "refer", "order_test"},
    "failed_test": {"no_action"},
}
"""The table of clocks: what stops each besides a restriction in force, taken with the row before the officer."""
PEOPLE = tuple(Person(name, "officer", f"k-{name}") for name in ("Anna", "Bernd", "Clara", "Dora"))
PACKAGE = "Charger safety set"


class EveryView(RuleBasedStateMachine):
    """People, laboratories and days; `rows` notes which facts and notices were read before each decision."""

    home: Path

    def __init__(self) -> None:
        super().__init__()
        engine = sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        METADATA.create_all(engine)
        self.now, self.engine, self.numbers = SHOP_NOW, engine, iter(range(10_000))
        self.base = context_of(self.home, engine)
        self.store = self.base.store
        self.rows: dict[str, set[str]] = {}
        self.tests: list[dict[str, Any]] = []

    def teardown(self) -> None:
        """Close the database."""
        self.engine.dispose()

    @property
    def context(self) -> AppContext:
        """The application at this moment."""
        now = self.now
        return replace(self.base, now=lambda: now)

    @rule(
        person=st.sampled_from(PEOPLE),
        sku=st.sampled_from(sorted(SKUS)),
        disposition=st.sampled_from([*RESTRICTIONS, *RESTRICTIONS, *sorted(POLICY.dispositions)]),
        data=st.data(),
        listed=st.booleans(),
    )
    def propose(self, person: Person, sku: str, disposition: str, data: st.DataObject, listed: bool) -> None:
        """Somebody proposes or decides, from the page of the SKU or from a list without reading it."""
        self._propose(person, sku, disposition, data, listed=listed)

    def _propose(self, person: Person, sku: str, disposition: str, data: st.DataObject, *, listed: bool) -> None:
        view = case_view(self.context, person, sku, "EU")
        file = replace(view.file, context=None) if listed else view.file
        codes, kinds = POLICY.disposition(disposition).codes, {each.kind for each in file.grounds}
        code = data.draw(st.sampled_from([each for each in codes if each in kinds] or codes))
        proposal = Proposal(
            disposition, code, WORDS, package=PACKAGE if disposition == "order_test" else None, reference="A-1",
            form_token=f"t-{next(self.numbers)}",
        )  # fmt: skip
        try:
            decision = decisions_of(self.context).propose(proposal, _officer(person), file, self.now)
        except UserError:
            return
        notices = {"I-1"} if sku == "K-1" else set()
        self.rows[decision.decision_id] = set() if listed else {each.row_id for each in view.grounds} | notices

    @rule(person=st.sampled_from(PEOPLE), approves=st.sampled_from([True, True, False]), data=st.data())
    def settle(self, person: Person, approves: bool, data: st.DataObject) -> None:
        """Somebody approves or declines a proposal."""
        decisions = decisions_of(self.context)
        waiting = sorted(each.decision_id for each in decisions.waiting())
        chosen = data.draw(st.sampled_from(waiting)) if waiting else "d-none"
        try:
            if approves:
                decisions.approve(chosen, _officer(person), self.now)
            else:
                decisions.decline(chosen, _officer(person), self.now, WORDS)
        except UserError:
            return

    @rule(sku=st.sampled_from(sorted(SKUS)), disposition=st.sampled_from(RESTRICTIONS), data=st.data())
    def two_at_once(self, sku: str, disposition: str, data: st.DataObject) -> None:
        """Two officers propose the same, and somebody approves all that waits."""
        for person in PEOPLE[:2]:
            self._propose(person, sku, disposition, data, listed=False)
        decisions = decisions_of(self.context)
        for each in decisions.waiting():
            approver = PEOPLE[2] if each.proposed_by == PEOPLE[3].name else PEOPLE[3]
            decisions.approve(each.decision_id, _officer(approver), self.now)

    @rule(person=st.sampled_from(PEOPLE), data=st.data())
    def appeal(self, person: Person, data: st.DataObject) -> None:
        """Somebody records an appeal."""
        decision = decisions_of(self.context).decision(self._any_decision(data)) if self.rows else None
        if decision is not None:
            try:
                file_appeal(self.engine, decision, WORDS, Signature(_officer(person), self.now), POLICY)
            except UserError:
                return

    @rule(
        person=st.sampled_from(PEOPLE),
        outcome=st.sampled_from(["upheld", "modified", "reversed"]),
        data=st.data(),
        gentler=st.sampled_from(["pause", "remove"]),
    )
    def answer(self, person: Person, outcome: str, data: st.DataObject, gentler: str) -> None:
        """Somebody answers an appeal."""
        filed = appeals(self.engine)
        if filed:
            appeal = data.draw(st.sampled_from(filed))
            code = POLICY.disposition(gentler).codes[0]
            answer = AppealAnswer(outcome, WORDS, gentler, code)
            try:
                answer_appeal(self.engine, appeal.appeal_id, answer, Signature(_officer(person), self.now), POLICY)
            except UserError:
                return
            for each in self._decisions():
                if each.replaces:
                    self.rows.setdefault(each.decision_id, self.rows[each.replaces])

    @rule(
        sku=st.sampled_from(sorted(SKUS)),
        result=st.sampled_from(["pass", "fail"]),
        origin=st.sampled_from(["warehouse", "supplier_provided"]),
        severity=st.sampled_from([None, "minor", "critical"]),
    )
    def report(self, sku: str, result: str, origin: str, severity: str | None) -> None:
        """A laboratory reports."""
        values: dict[str, Any] = dict.fromkeys(SCHEMA.names) | {
            "test_id": f"N-{next(self.numbers)}", "sku_id": sku, "market": "EU", "happened_on": self.now.date(),
            "known_on": self.now.date(), "result": result, "origin": origin, "package": PACKAGE,
            "severity": severity if result == "fail" else None,
        }  # fmt: skip
        store_results(self.engine, self.base.settings.workspace, [values], Sender("Lab", "k-lab", self.now))
        self.tests.append(values)

    @rule(days=st.integers(1, 9))
    def wait(self, days: int) -> None:
        """Days pass."""
        self.now += timedelta(days=days)

    @invariant()
    def every_view_tells_the_same(self) -> None:
        """Restrictions, of each kind at most one, failed tests on sale and clocks."""
        cases, feed = catalogue_cases_of(self.context, self.store), self._restricting_in_feed()
        failed, due = set(cases.failed_on_sale.tolist()), set(cases.due.tolist())
        for sku, its_supplier in SKUS.items():
            kinds = {each.disposition: each.decision_id for each in self._restrictions(sku)}
            expected = {each.decision_id for each in self._restrictions(sku)}
            assert len(kinds) == len(expected)
            position = int(self.store.snapshot.find([sku], ["EU"])[0])
            view = case_view(self.context, PEOPLE[0], sku, "EU")
            assert {each.decision_id for each in view.state.restrictions} == expected
            assert bool(cases.restricted[position]) == bool(expected)
            assert {each for each, key, supplier in feed if key == sku or supplier == its_supplier} == expected
            self._screened_as(sku, expected)
            assert (position in failed) == (bool(self._failures(sku)) and not expected)
            clocks = {(each.kind, each.row_id) for each in view.state.deadlines}
            assert {each for each in clocks if each[0] in STOPS} == self._expected_clocks(sku, bool(expected))
            assert (position in due) == bool({each for each in clocks if each[1] not in self._of_neighbours(sku)})

    @invariant()
    def letters_say_what_is_so(self) -> None:
        """Every restriction in force has its statement, which says whether it applies and what else restricts."""
        sources = letter_sources(self.context)
        ensure_letters(sources, self.now)
        for each in self._decisions():
            (letter,) = letters_about(self.engine, each.decision_id, STATEMENTS) or (None,)
            settled = each.state not in ("proposed", "declined")
            assert (letter is not None) == (settled and each.disposition in RESTRICTIONS)
            if letter is not None:
                facts = facts_of(letter, sources, letter_terms("en", self.now.date()))
                assert facts.decision is not None
                applies = each.is_in_force(self.now.date())
                assert (facts.decision.end is None) == applies
                assert (facts.decision.end is not None and facts.decision.end.how == "reversed") == (
                    each.state == "reversed"
                )
                others = {other.decision_id for other in self._restrictions(each.sku_id)}
                replaced_by = {facts.decision.end.decision_id} if facts.decision.end else set()
                said = {other.decision_id for other in facts.still_restricted}
                assert said == (set() if applies else others - {each.decision_id} - replaced_by)

    def _screened_as(self, sku: str, expected: set[str]) -> None:
        dossier = self.store.dossiers.of(int(self.store.snapshot.find([sku], ["EU"])[0]))
        listing = Listing(
            sku_id=sku, market="EU", supplier_id=dossier.listing.supplier_id, category=dossier.listing.category
        )
        stage = STAGES[next(self.numbers) % len(STAGES)]
        answer = screener_of(self.store).decide(listing, stage, self.engine, self.now.date())
        assert {each.decision_id for each in answer.restrictions} == expected
        assert (answer.rule == "restriction_in_force") == bool(expected)
        assert answer.decision == "hold" or not expected

    def _restricting_in_feed(self) -> list[tuple[str, str, str | None]]:
        changes = decision_changes(self.engine, 0, 10_000, POLICY, self.now.date())
        return [
            (each.decision_id, each.sku_id, each.supplier_id if each.binds == "supplier" else None)
            for each in changes
            if each.restricts
        ]

    def _expected_clocks(self, sku: str, restricted: bool) -> set[tuple[str, str]]:
        """By the table, from what this test noted."""
        started = {("failed_test", each) for each in self._failures(sku)}
        if sku in ("K-1", "K-7"):
            started.add(("authority_order", f"H-{sku[2:]}"))
        if sku == "K-1":
            started.add(("notice", "I-1"))
        in_force = [each for each in self._decisions() if each.is_in_force(self.now.date()) and each.sku_id == sku]
        answered = {each.fact_row for each in in_force if each.disposition == "answer_authority"}
        stopped = {
            (kind, row)
            for each in in_force
            for kind, stops in STOPS.items()
            if each.disposition in stops
            for row in self.rows[each.decision_id]
        }
        return set() if restricted else {each for each in started - stopped if each[1] not in answered}

    def _failures(self, sku: str) -> set[str]:
        """The failed independent tests that no later sample of the same package answered."""
        dossier = self.store.dossiers.of(int(self.store.snapshot.find([sku], ["EU"])[0]))
        known = [(each.test_id, each.happened_on, each.result) for each in dossier.tests if each.independent]
        known += [
            (str(each["test_id"]), each["happened_on"], str(each["result"]))
            for each in self.tests
            if each["sku_id"] == sku and each["origin"] != "supplier_provided"
        ]
        passed = [day for _, day, result in known if result == "pass"]
        return {test for test, day, result in known if result == "fail" and not any(each > day for each in passed)}

    def _of_neighbours(self, sku: str) -> set[str]:
        """The appeals against a suspension that was decided on another SKU of the supplier."""
        elsewhere = {each.decision_id for each in self._decisions() if each.sku_id != sku}
        return {each.appeal_id for each in appeals(self.engine) if each.decision_id in elsewhere}

    def _restrictions(self, sku: str) -> list[Decision]:
        return [
            each
            for each in self._decisions()
            if each.disposition in RESTRICTIONS and each.is_in_force(self.now.date())
            and (each.key == SkuKey(sku, "EU") or (each.disposition == "suspend" and each.supplier_id == SKUS[sku]))
        ]  # fmt: skip

    def _decisions(self) -> list[Decision]:
        with self.engine.connect() as connection:
            return [Decision(**row._mapping) for row in connection.execute(sa.text("SELECT * FROM decisions"))]

    def _any_decision(self, data: st.DataObject) -> str:
        return str(data.draw(st.sampled_from(sorted(self.rows)))) if self.rows else "d-none"


def _officer(person: Person) -> Officer:
    return Officer(person.name, person.role, person.key_id)


def test_every_view_tells_the_same_state(shop_home: Path) -> None:
    """Over proposals, approvals, appeals, results, orders and days."""
    machine = type("EveryViewOfTheShop", (EveryView,), {"home": shop_home})
    run_state_machine_as_test(machine, settings=settings(max_examples=15, stateful_step_count=15, deadline=None))
