"""Versions of laboratory reports: which version of a test counts on which day, by one rule for every reader.

On a day a test says what the highest of its versions says that was known before that day; where that one is no result
(cancelled, entered in error), the test has none.
"""

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.contract import NO_RESULT

if TYPE_CHECKING:
    import ibis.expr.types as ir

AMENDED_ON = "amended_on"
"""Column of tests: the first day on which a higher version of the same test is known; missing for the highest one."""


def with_amended_on(tests: "ir.Table") -> "ir.Table":
    """The rows of `lab_tests`, every version of them, with `amended_on`."""
    higher = tests.filter(tests.version > 1).select(
        higher_id="test_id", higher_version="version", higher_known_on="known_on"
    )
    versions = tests.select("test_id", "version")
    pairs = versions.inner_join(
        higher, [versions.test_id == higher.higher_id, versions.version < higher.higher_version]
    )
    ends = pairs.group_by("test_id", "version").aggregate(**{AMENDED_ON: pairs.higher_known_on.min()})
    return tests.left_join(ends, ["test_id", "version"]).select(*tests.columns, AMENDED_ON)


def known_before(events: "ir.Table", day: "date | ir.DateValue") -> "ir.BooleanValue":
    """Whether a row was known before `day` and, of a test, no higher version of it was.

    Rows without `amended_on` have one version each.
    """
    known = events.known_on < day
    if AMENDED_ON not in events.columns:
        return known
    return known & (events[AMENDED_ON].isnull() | (events[AMENDED_ON] >= day))


def has_result(tests: "ir.Table") -> "ir.BooleanValue":
    """Whether a version says what was found, rather than that nothing was."""
    return tests.status.notin(NO_RESULT).fill_null(True)


def newest_reports(tests: "ir.Table", day: date | None = None) -> "ir.Table":
    """Every test, one row each: the version that counts on `day`, or the newest one of all, also without a result."""
    every = with_amended_on(tests)
    counts = every[AMENDED_ON].isnull() if day is None else known_before(every, day)
    return every.filter(counts).select(*tests.columns)


def current_tests(tests: "ir.Table", day: date | None = None) -> "ir.Table":
    """The tests with a result, one row each, in the version that counts."""
    return newest_reports(tests, day).filter(has_result)


def newest_versions(tests: pa.Table, day: date | None = None) -> pa.Table:
    """The version of each test that counts on `day`, or the newest one of all, in the order of the tests.

    Among them are those without a result; `with_result` leaves them out.
    """
    if day is not None:
        tests = tests.filter(pc.less(tests["known_on"], pa.scalar(day, pa.date32())))
    tests = tests.sort_by([("test_id", "ascending"), ("version", "ascending")])
    ids = tests["test_id"].to_numpy(zero_copy_only=False)
    is_last = np.append(ids[1:] != ids[:-1], np.ones(min(len(ids), 1), dtype=np.bool_))
    return tests.filter(pa.array(is_last.astype(np.bool_)))


def with_result(tests: pa.Table) -> pa.Table:
    """The tests among these that have a result."""
    return tests.filter(pc.invert(pc.is_in(tests["status"], pa.array(NO_RESULT, pa.string()))))
