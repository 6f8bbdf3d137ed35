"""The results that answer planned tests, and the rules of a result that names a round: one truth for every door."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data.contract import CANCELLED, ENTERED_IN_ERROR
from data.lake.lab_results import SCHEMA, current_results
from data.lake.report_versions import with_result
from data.workspace import Workspace
from sampling.plan_files import planned_tests

SUPPLIER_PROVIDED = "supplier_provided"
UNIT = ["round_id", "sku_id", "market"]
"""The key of a planned test."""
_FILLED = {"propensity": "inclusion_probability", "package": "package", "lab_id": "lab_id"}
"""Columns of results that a plan fills in, by its own names."""

Record = Mapping[str, Any]
PlannedTests = Mapping[tuple[str, str, str], Record]


def plans_of(workspace: Workspace, rounds: Collection[str]) -> PlannedTests:
    """The planned tests of these rounds, by round, SKU and market; none of rounds that do not exist."""
    rows = planned_tests(workspace, rounds).to_pylist() if rounds else []
    return {(row["round_id"], row["sku_id"], row["market"]): row for row in rows}


def plan_of(result: Record, planned: PlannedTests) -> Record | None:
    """The planned test that a result names; None where it names none, or one that nobody planned."""
    return planned.get((str(result["round_id"]), str(result["sku_id"]), str(result["market"])))


def complete_from_plan(result: Record, planned: PlannedTests) -> Record:
    """The result with what it leaves open (propensity, strategy, package, laboratory) as its plan says it.

    One of another package than planned has neither propensity nor laboratory of the plan: the planned test alone stands
    for the SKUs that were not drawn.
    """
    plan = plan_of(result, planned)
    if plan is None:
        return result
    own = result["package"] in (None, plan["package"])
    filled = {"strategy": "model", **{name: plan[source] for name, source in _FILLED.items() if own}}
    return {**result, **{name: value for name, value in filled.items() if result[name] is None}}


def broken_round_rules(result: Record, planned: PlannedTests) -> list[str]:
    """The rules of its round that a result breaks: its SKU is planned, its sample independent and drawn no earlier."""
    round_id, happened_on = result["round_id"], result["happened_on"]
    if round_id is None or result["sku_id"] is None or result["market"] is None:
        return []
    plan = plan_of(result, planned)
    if plan is None:
        return ["unknown round_id, sku_id, market"]
    broken = []
    if result["origin"] == SUPPLIER_PROVIDED:
        broken.append(
            "origin is supplier_provided: a supplier's own sample answers no planned test; leave out round_id"
        )
    if happened_on is not None and happened_on < plan["as_of"]:
        broken.append(
            f"drawn before its round: the sample is of {happened_on}, round {round_id} was drawn on {plan['as_of']}"
        )
    return broken


def round_answers(workspace: Workspace, day: date | None = None) -> pa.Table:
    """The results that answer planned tests as far as known before `day`, or at all; see `answers_among`."""
    return answers_among(current_results(workspace, day), planned_tests(workspace))


def answers_among(results: pa.Table, planned: pa.Table) -> pa.Table:
    """The current versions among `results` that answer a planned test, in the order in which they became known.

    An answer is of an independent sample, drawn with or after the round, and of the planned package, from whatever
    laboratory. It may be that no result can be had (status cancelled); a report that was withdrawn is none. Of a
    confirmed screen, the full test's result answers in place of the screen's as soon as it is in.
    """
    joined = _independent(results, planned)
    own = joined.filter(_is_planned(joined))
    full = joined.filter(_is_confirming(joined))
    last = own.join(with_result(full).select(UNIT).group_by(UNIT).aggregate([]), UNIT, join_type="left anti")
    return _in_order(pa.concat_tables([last.select(joined.column_names), with_result(full)]))


def screen_answers(results: pa.Table, planned: pa.Table) -> pa.Table:
    """The answers of the planned packages themselves, whatever confirmed them, else as `answers_among`."""
    joined = _independent(results, planned)
    return _in_order(joined.filter(_is_planned(joined)))


def confirmations_among(results: pa.Table, planned: pa.Table) -> pa.Table:
    """The answers of full tests that confirm planned screens, else as `answers_among`."""
    joined = _independent(results, planned)
    return _in_order(joined.filter(_is_confirming(joined)))


def of_another_package(results: pa.Table, planned: pa.Table) -> pa.Table:
    """The results that name a planned test and are neither of its package nor of what confirms it: they answer none."""
    joined = _join_plans(with_result(results), planned)
    return joined.filter(pc.invert(pc.or_(_is_planned(joined), _is_confirming(joined)))).select(SCHEMA.names)


def _is_planned(joined: pa.Table) -> pa.ChunkedArray:
    return pc.equal(joined["package"], joined["planned_package"])


def _is_confirming(joined: pa.Table) -> pa.ChunkedArray:
    full = pc.fill_null(pc.equal(joined["package"], joined["confirming_package"]), False)
    return pc.and_(full, pc.fill_null(joined["confirmed"], False))


def _independent(results: pa.Table, planned: pa.Table) -> pa.Table:
    joined = _join_plans(results, planned)
    counts = pc.and_(pc.is_valid(joined["planned_on"]), pc.greater_equal(joined["happened_on"], joined["planned_on"]))
    counts = pc.and_(counts, pc.invert(pc.equal(pc.fill_null(joined["origin"], ""), SUPPLIER_PROVIDED)))
    counts = pc.and_(counts, pc.invert(pc.equal(pc.fill_null(joined["status"], ""), ENTERED_IN_ERROR)))
    return joined.filter(counts)


def _in_order(answers: pa.Table) -> pa.Table:
    ordered = answers.sort_by([("known_on", "ascending"), ("test_id", "ascending")])
    return ordered.select([*SCHEMA.names, "other_laboratory"])


def _join_plans(results: pa.Table, planned: pa.Table) -> pa.Table:
    """The results with planned_on, planned_package, confirming_package, confirmed and other_laboratory.

    One that states no package has the planned; a confirming test has no planned laboratory.
    """
    plans = planned.select([*UNIT, "as_of", "package", "lab_id", "confirming_package", "confirmed"])
    names = [*UNIT, "planned_on", "planned_package", "planned_lab", "confirming_package", "confirmed"]
    joined = results.join(plans.rename_columns(names), UNIT)
    package = pc.coalesce(joined["package"], joined["planned_package"])
    joined = joined.set_column(joined.column_names.index("package"), "package", package)
    other = pc.fill_null(pc.not_equal(joined["lab_id"], joined["planned_lab"]), False)
    return joined.append_column("other_laboratory", pc.and_(other, _is_planned(joined)))


def is_cancelled(answers: pa.Table) -> pa.ChunkedArray:
    """Which answers say that no result could be had."""
    return pc.equal(pc.fill_null(answers["status"], ""), CANCELLED)
