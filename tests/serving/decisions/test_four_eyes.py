"""No path by which one person alone restricts a seller, or lifts a restriction."""

from datetime import datetime, timedelta
from itertools import count

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy.pool import StaticPool

from data.database.schema import METADATA
from data.errors import UserError
from serving.decisions.appeals import AppealAnswer, answer_appeal, appeals, file_appeal
from serving.decisions.records import IN_FORCE, REVERSED
from serving.decisions.rules import Officer, Signature
from serving.decisions.store import Decisions
from tests.serving.decisions.cases import ANNA, BERND, FAILED, FAILED_AGAIN, NOON, ORDER, POLICY, file, proposal

RESTRICTIONS = st.sampled_from(["pause", "remove", "suspend", "recall"])
# Three people, each with several keys, in any role and in several spellings of their name.
SPELT = {"Anna": ["Anna", " anna ", "ANNA", "\uff21nna", "Anna\u00a0"], "Bernd": ["Bernd", "BERND"], "Clara": ["Clara"]}
KEYS = {"Anna": ["k-1", "k-2"], "Bernd": ["k-3"], "Clara": ["k-4", "k-5"]}
WORDS = "The sample was of the old batch."


def people() -> st.SearchStrategy[tuple[str, Officer]]:
    """A person with one of their keys, names and roles."""
    roles = st.sampled_from(["officer", "admin", "scheduler"])
    return st.sampled_from(sorted(SPELT)).flatmap(lambda name: st.tuples(
        st.just(name), st.builds(Officer, st.sampled_from(SPELT[name]), roles, st.sampled_from(KEYS[name])),
    ))  # fmt: skip


class SeveralPeople(RuleBasedStateMachine):
    """People try everything in any order; `hands` notes who of them really had a hand in which decision."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = sa.create_engine("sqlite://", poolclass=StaticPool)
        METADATA.create_all(self.engine)
        self.decisions, self.clock = Decisions(self.engine, POLICY), count()
        self.restricted: dict[str, set[str]] = {}
        self.lifted: dict[str, tuple[str, str]] = {}
        self.took_in: dict[str, str] = {}

    def teardown(self) -> None:
        """Close the database."""
        self.engine.dispose()

    @initialize(what=RESTRICTIONS)
    def begin(self, what: str) -> None:
        """One restriction is in force, by Anna and Bernd."""
        decision = self.decisions.propose(proposal(what), ANNA, file(FAILED, FAILED_AGAIN, ORDER), self._now())
        self.decisions.approve(decision.decision_id, BERND, self._now())
        self.restricted[decision.decision_id] = {"Anna", "Bernd"}

    @rule(who=people(), what=RESTRICTIONS)
    def propose(self, who: tuple[str, Officer], what: str) -> None:
        """Somebody proposes a restriction."""
        try:
            decision = self.decisions.propose(proposal(what), who[1], file(FAILED, FAILED_AGAIN, ORDER), self._now())
        except UserError:
            return
        self.restricted[decision.decision_id] = {who[0]}

    @rule(who=people(), data=st.data())
    def approve(self, who: tuple[str, Officer], data: st.DataObject) -> None:
        """Somebody approves any of the proposals."""
        if self.restricted:
            chosen = data.draw(st.sampled_from(sorted(self.restricted)))
            try:
                self.decisions.approve(chosen, who[1], self._now())
            except UserError:
                return
            self.restricted[chosen].add(who[0])

    @rule(who=people(), data=st.data())
    def appeal(self, who: tuple[str, Officer], data: st.DataObject) -> None:
        """Somebody takes an appeal in, which may be their own idea."""
        if self.restricted:
            chosen = self.decisions.decision(data.draw(st.sampled_from(sorted(self.restricted))))
            try:
                taken = file_appeal(self.engine, chosen, WORDS, Signature(who[1], self._now()), POLICY)
            except UserError:
                return
            self.took_in[taken.appeal_id] = who[0]

    @rule(who=people(), data=st.data())
    def answer(self, who: tuple[str, Officer], data: st.DataObject) -> None:
        """Somebody answers any appeal; where the decision is reversed already, nothing changes, whatever they are told.

        A reversal closes the other appeals against the decision, also those that its author took in. The same answer to
        one of these is no second reversal, and no lifting by its author alone.
        """
        if self.took_in:
            chosen = data.draw(st.sampled_from(sorted(self.took_in)))
            reversed_before, stored = self._reversed_decisions(), appeals(self.engine)
            try:
                answered = answer_appeal(
                    self.engine, chosen, AppealAnswer("reversed", WORDS), Signature(who[1], self._now()), POLICY
                )
            except UserError:
                return
            if answered.decision_id in reversed_before:
                assert appeals(self.engine) == stored
            else:
                self.lifted[answered.decision_id] = (self.took_in[chosen], who[0])

    @invariant()
    def nobody_restricts_alone(self) -> None:
        """What is in force, or was, has two people behind it."""
        for decision_id, hands in self.restricted.items():
            if self.decisions.decision(decision_id).state in (IN_FORCE, REVERSED):
                assert len(hands) == 2

    @invariant()
    def nobody_lifts_alone(self) -> None:
        """One takes the appeal in, another answers it, who had no part in the decision."""
        for decision_id, (taken_by, answered_by) in self.lifted.items():
            assert answered_by not in {taken_by, *self.restricted[decision_id]}
        assert self._reversed_decisions() == set(self.lifted)
        assert {each.decision_id for each in appeals(self.engine) if each.outcome == "reversed"} == set(self.lifted)

    def _reversed_decisions(self) -> set[str]:
        return {each for each in self.restricted if self.decisions.decision(each).state == REVERSED}

    def _now(self) -> datetime:
        return NOON + timedelta(seconds=next(self.clock))


SeveralPeople.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestSeveralPeople = SeveralPeople.TestCase
