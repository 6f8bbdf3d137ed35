"""KPIs of answers: every answer counts once, and few answers give no figure."""

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given as each_of
from hypothesis import strategies as st

from serving.certificates.records import Check
from serving.certificates.states import ANSWERS, State
from serving.kpis.issuer_answers import issuer_outcomes
from serving.kpis.kpis import MIN_CASES
from tests.serving.certificates.desks import NOW, document, given

STATES: tuple[State, ...] = ("asked", "unanswered", "proposed", "unchecked", *ANSWERS)


def check(state: State, issuer: str, days: int) -> Check:
    """A question asked so many days before its answer."""
    answer = next((given(each) for each in ANSWERS if each == state), None)
    asked_at = NOW - timedelta(days=days)
    return Check("q-1", document(issuer=issuer), None, None, state, asked_at, "mail", asked_at, "Olga", None, answer,
                 None, None, None, None, None)  # fmt: skip


@each_of(st.lists(st.tuples(st.sampled_from(STATES), st.sampled_from(["A", "B"]), st.integers(0, 30)), max_size=40))
def test_what_issuers_answered_adds_up(drawn: Sequence[tuple[State, str, int]]) -> None:
    """Over all issuers and by issuer; confirmed and refuted are all that was answered."""
    outcomes = issuer_outcomes([check(*each) for each in drawn])
    assert bool(outcomes) == bool(drawn)
    for each in outcomes:
        assert each.confirmed + each.refuted == each.answered <= each.asked
        assert (each.median_days is None) == (each.answered < MIN_CASES)
    for name in ("asked", "answered", "confirmed", "refuted"):
        counts = [getattr(each, name) for each in outcomes]
        assert not counts or counts[0] == sum(counts[1:])


def test_the_median_is_between_question_and_answer() -> None:
    """Ten answers, half after two days and half after four."""
    whole, _ = issuer_outcomes([check("confirmed", "A", 2 + 2 * (number % 2)) for number in range(10)])
    assert (whole.median_days, whole.confirmed_rate.value, whole.refuted_rate.value) == (3, 1, 0)
