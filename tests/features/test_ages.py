"""A condition on an age, computed over arrays, is what the engine says of it."""

from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.ages import age_in, fulfilled

AS_OF = date(2025, 3, 1)
AGES = [-3, 0, 29, 30, 31, 90, 365, 366, 40_000]
SEEN = ibis.memtable(
    {"happened_on": [AS_OF - timedelta(age) for age in AGES], "units": list(range(len(AGES)))},
    schema={"happened_on": "date", "units": "int64"},
).mutate(age_days=lambda event: ibis.literal(AS_OF).delta(event.happened_on, unit="day"))
COMPARED = st.builds(
    lambda compare, days: compare(SEEN.age_days, days),
    st.sampled_from([lambda age, n: age <= n, lambda age, n: age < n, lambda age, n: age >= n, lambda age, n: age > n]),
    st.sampled_from(AGES),
)
CONDITIONS = st.recursive(
    COMPARED,
    lambda inner: (
        st.tuples(inner, inner).map(lambda two: two[0] & two[1])
        | st.tuples(inner, inner).map(lambda two: two[0] | two[1])
        | inner.map(lambda one: ~one)
    ),
    max_leaves=5,
)


@settings(deadline=None, max_examples=40)
@given(condition=CONDITIONS)
def test_arrays_and_the_engine_agree_on_conditions_of_ages(condition: ir.BooleanValue) -> None:
    expected = SEEN.select("age_days", told=condition).to_pyarrow()
    age = age_in(condition.op())
    assert age == SEEN.age_days.op()
    told = fulfilled(condition.op(), expected["age_days"].to_numpy().astype(np.int32))
    assert told.tolist() == expected["told"].to_pylist()


def test_what_looks_at_more_than_an_age_is_left_to_the_engine() -> None:
    within = SEEN.age_days <= 30
    for condition in (within & (SEEN.units > 1), SEEN.units > 1, within & SEEN.age_days.notnull(), ibis.literal(True)):
        assert age_in(condition.op()) is None
