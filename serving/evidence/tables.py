"""The tables of an evidence pack: rounds, tests, strata, decisions and appeals of a quarter, without names of people.

Left out are officers, keys, words that people wrote, and suppliers: a sole trader's id is personal data.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sampling.estimation.known_rounds import KnownResults
from sampling.estimation.prevalence import DomainEstimate
from sampling.estimation.round_data import RoundData
from sampling.estimation.screens import Screens
from sampling.plan_files import PLAN_FILE
from sampling.rounds import round_folder, round_record, round_status
from serving.decisions.appeals import answer_due_on
from serving.decisions.deadlines import ground_deadline
from serving.decisions.legal_grounds import Ground
from serving.decisions.policy import DecisionPolicy
from serving.decisions.records import Appeal, Decision
from serving.trends.trend_rows import RoundsAsKnown

Rows = list[dict[str, object]]
_PLANNED = ["sku_id", "market", "category", "stratum", "package", "lab_id", "reason", "p_fail", "exposure",
            "inclusion_probability", "cost_eur", "confirming_package", "confirmed",
            "confirmation_probability"]  # fmt: skip
_REPORTED = ["test_id", "version", "happened_on", "known_on", "origin", "result", "severity", "hazard", "report_number",
             "standard", "clause"]  # fmt: skip
SKU = ["sku_id", "market"]


@dataclass(frozen=True)
class EvidenceTable:
    """A table of the pack: its file without `.csv`, what a row is, what each column means, and the rows."""

    name: str
    about: str
    columns: dict[str, str]
    rows: Rows


def rounds_table(known: RoundsAsKnown) -> EvidenceTable:
    """The rounds of the quarter, and how many of their results are in."""
    rows: Rows = []
    for name in known.rounds:
        record, status = round_record(known.workspace, name), round_status(known.workspace, name)
        rows.append({
            "round_id": name,
            **{key: record[key] for key in ("as_of", "seal", "frame_digest", "frame_size", "policy_version")},
            "planned": status.planned, "received": status.received, "not_obtainable": status.not_obtainable,
            "provisional": status.provisional, "cancelled": status.cancellation is not None,
        })  # fmt: skip
    columns = {
        "round_id": "the round", "as_of": "the day it was drawn",
        "seal": "SHA-256 of seed and nonce, noted before the draw",
        "frame_digest": "digest of the sampling frame", "frame_size": "SKUs that could be drawn",
        "policy_version": "sampling policy", "planned": "tests planned", "received": "results in",
        "not_obtainable": "tests of which no result can be had", "provisional": "results are still to come",
        "cancelled": "it was cancelled; what came in counts",
    }  # fmt: skip
    return EvidenceTable("rounds", "a sampling round", columns, rows)


def tests_table(known: RoundsAsKnown, data: Sequence[RoundData], results: KnownResults) -> EvidenceTable:
    """Every planned test with its chance, its report, and what the estimate makes of it."""
    tables = []
    for each in data:
        plan = pq.read_table(round_folder(known.workspace, each.round_id) / PLAN_FILE)
        planned = plan.select([name for name in _PLANNED if name in plan.column_names])
        used = each.units.select([*SKU, "failed", "noise", "error", "inclusion"])
        used = used.rename_columns([*SKU, "failed", "noise", "error", "inclusion_used"])
        answers = results.of_round(each.round_id).select([*SKU, *_REPORTED])
        newest = answers.group_by(SKU, use_threads=False).aggregate([(name, "last") for name in _REPORTED])
        newest = newest.rename_columns([*SKU, *_REPORTED])
        joined = planned.join(used, SKU).join(newest, SKU).sort_by([(name, "ascending") for name in SKU])
        tables.append(joined.append_column("round_id", pa.repeat(each.round_id, len(joined))))
    rows = pa.concat_tables(tables, promote_options="default").to_pylist() if tables else []
    columns = {
        "round_id": "the round that drew it", "sku_id": "the SKU", "market": "its market", "category": "its category",
        "stratum": "its stratum, see strata", "package": "test package planned", "lab_id": "laboratory planned",
        "reason": "why it had its chance", "p_fail": "predicted probability to fail, fixed before the draw",
        "exposure": "units sold in 90 days", "inclusion_probability": "chance to be drawn",
        "cost_eur": "price of the test", "confirming_package": "full test that may confirm a screen",
        "confirmed": "whether a full test follows even if the screen passes",
        "confirmation_probability": "chance of that once drawn",
        "failed": "1 failed, 0 passed, corrected for errors of laboratories and for what screens overlook",
        "noise": "variance of `failed` by these errors",
        "error": "how much `failed` would fall if the screen found one standard deviation more",
        "inclusion_used": "chance to be drawn times the response rate of its stratum", "test_id": "the report",
        "version": "its version", "happened_on": "sample drawn", "known_on": "report issued",
        "origin": "where the sample came from", "result": "what the laboratory found", "severity": "of a failure",
        "hazard": "what it endangers", "report_number": "number on the report", "standard": "tested by",
        "clause": "clause tested or not met",
    }  # fmt: skip
    return EvidenceTable("tests", "a planned test", columns, rows)


def strata_table(data: Sequence[RoundData]) -> EvidenceTable:
    """The strata of every frame, with the sums that the estimate adds."""
    columns = {
        "round_id": "the round", "category": "category", "market": "market", "stratum": "number within the round",
        "skus": "SKUs", "inclusion": "chance of each to be drawn", "p_fail_sum": "sum of predicted probabilities",
        "foreseen": "variance of its total that was foreseen", "exposure": "units sold in 90 days",
        "exposure_p_fail": "sum of units sold x predicted probability",
        "exposure_foreseen": "variance foreseen of the units sold of failing SKUs",
    }  # fmt: skip
    rows = [
        {"round_id": each.round_id, **{name: row[name] for name in columns if name != "round_id"}}
        for each in data for row in each.strata.to_pylist()
    ]  # fmt: skip
    return EvidenceTable("strata", "a stratum of a round's frame", columns, rows)


def screens_table(screens: Screens) -> EvidenceTable:
    """What is known of the sensitivity of screens."""
    columns = {
        "screen": "test package that is a screen", "value": "share of failures that it finds, estimated",
        "low": "lower limit", "high": "upper limit", "spread": "standard deviation", "stated": "share stated",
        "stated_spread": "standard deviation of what was stated", "found": "failures that it found",
        "overlooked": "failures that full tests found among what it passed",
        "hidden_ratio": "failures hidden among its other passes per failure expected",
        "hidden_error": "standard error of that",
    }  # fmt: skip
    return EvidenceTable("screens", "a screen among the packages", columns, [asdict(each) for each in screens.values()])


def outside_table(data: Sequence[RoundData]) -> EvidenceTable:
    """SKUs outside the frames whose state was known, summed by cell."""
    rows: Rows = []
    key = ["category", "market", "screen"]
    for each in data:
        table = each.outside.append_column("skus", pa.repeat(1, len(each.outside)))
        for name, source in (("failing", "failed"), ("failing_error", "error")):
            table = table.append_column(name, table[source])
            table = table.append_column(f"{name}_exposure", pc.multiply(table[source], table["exposure"]))
        sums = ("skus", "exposure", "failing", "failing_exposure", "failing_error", "failing_error_exposure")
        summed = table.group_by(key).aggregate([(name, "sum") for name in sums])
        rows += [
            {"round_id": each.round_id, **{name.removesuffix("_sum"): value for name, value in row.items()}}
            for row in summed.sort_by([(name, "ascending") for name in key]).to_pylist()
        ]
    columns = {
        "round_id": "the round", "category": "category", "market": "market",
        "screen": "the screen that passed them, empty where a full test said so or it failed",
        "skus": "SKUs in test or validly tested when it was drawn, whose result is known",
        "exposure": "their units sold",
        "failing": "those that failed; of SKUs that only a screen passed, those expected to fail",
        "failing_exposure": "the units sold of those",
        "failing_error": "how much `failing` would fall if the screen found one standard deviation more",
        "failing_error_exposure": "the same of `failing_exposure`",
    }  # fmt: skip
    return EvidenceTable("outside", "a cell of SKUs outside a round's frame", columns, rows)


def prevalence_table(estimates: Sequence[DomainEstimate]) -> EvidenceTable:
    """The prevalence of every domain; a withheld one has its upper limit only."""
    rows: Rows = [
        {
            "measure": each.measure, "category": each.domain.category, "market": each.domain.market,
            "share": None if each.withheld else each.share.value, "low": None if each.withheld else each.share.low,
            "high": each.share.high, "variance": None if each.withheld else each.share.variance,
            "tests": each.tests, "failures": each.failures, "withheld": each.withheld,
            "provisional": each.provisional, "rounds": " ".join(each.rounds),
        }
        for each in estimates
    ]  # fmt: skip
    columns = {
        "measure": "what is counted: SKUs, or units sold", "category": "category, empty for all",
        "market": "market, empty for all", "share": "share that would fail", "low": "lower end of its interval",
        "high": "upper end", "variance": "variance of the share", "tests": "tests with a result",
        "failures": "failures among them; chosen to, so no prevalence", "withheld": "why only the upper limit is told",
        "provisional": "results are still to come", "rounds": "rounds it is pooled from",
    }  # fmt: skip
    return EvidenceTable("prevalence", "the share of one domain", columns, rows)


def decisions_table(decisions: Sequence[Decision], policy: DecisionPolicy) -> EvidenceTable:
    """The restrictions that took effect, with the fact that each rests on and its clock."""
    rows: Rows = []
    for each in decisions:
        fact = _fact(each)
        deadline = ground_deadline(fact, policy.deadlines) if fact else None
        settled = date.fromisoformat(each.since[:10])
        rows.append({
            "decision_id": each.decision_id, "sku_id": each.sku_id, "market": each.market, "category": _category(each),
            "disposition": each.disposition, "code": each.code, "binds": each.binds, "state": each.state,
            "fact_kind": each.fact_kind, "fact_row": each.fact_row, "severity": fact.severity if fact else None,
            "fact_known_on": fact.since if fact else None, "due_on": deadline.on if deadline else None,
            "in_force_on": settled, "in_time": settled <= deadline.on if deadline else None,
            "ended_on": (each.ended_at or "")[:10] or None, "ends_on": each.ends_on,
            "second_person": each.settler_key is not None and each.settler_key != each.proposer_key,
            "predicted": each.p_fail, "model_version": each.model_version, "policy_version": each.policy_version,
            "ledger_row": each.ledger_row,
        })  # fmt: skip
    columns = {
        "decision_id": "the decision", "sku_id": "the SKU", "market": "its market", "category": "its category",
        "disposition": "what was decided", "code": "reason", "binds": "the SKU or all SKUs of its supplier",
        "state": "its state by now", "fact_kind": "kind of the fact it rests on", "fact_row": "row of that fact",
        "severity": "severity of a failed test", "fact_known_on": "the day the fact became known",
        "due_on": "the day by which to decide", "in_force_on": "the day it took effect",
        "in_time": "not after the due day",
        "ended_on": "the day it was reversed or replaced", "ends_on": "last day of a pause",
        "second_person": "another key approved than proposed", "predicted": "predicted probability to fail, no ground",
        "model_version": "model", "policy_version": "policy", "ledger_row": "row of the ledger of its last change",
    }  # fmt: skip
    return EvidenceTable("decisions", "a restriction that took effect in the quarter", columns, rows)


def _fact(decision: Decision) -> Ground | None:
    context = decision.decision_context
    return next((fact for fact in context.facts if fact.row_id == decision.fact_row), None) if context else None


def _category(decision: Decision) -> str | None:
    context = decision.decision_context
    return context.offer.category if context else None


def appeals_table(answered: Sequence[Appeal], policy: DecisionPolicy) -> EvidenceTable:
    """The appeals that were answered in the quarter."""
    rows: Rows = []
    for each in answered:
        due = answer_due_on(each, policy)
        answered_on = (each.reviewed_at or "")[:10]
        rows.append({
            "appeal_id": each.appeal_id, "decision_id": each.decision_id, "filed_on": each.filed_at[:10], "due_on": due,
            "answered_on": answered_on, "outcome": each.outcome, "in_time": answered_on <= due.isoformat(),
        })  # fmt: skip
    columns = {
        "appeal_id": "the appeal", "decision_id": "the decision, see decisions", "filed_on": "the day it was filed",
        "due_on": "the day by which to answer", "answered_on": "the day it was answered",
        "outcome": "upheld, modified or reversed", "in_time": "not after the due day",
    }  # fmt: skip
    return EvidenceTable("appeals", "an appeal answered in the quarter", columns, rows)


def status_table(name: str, about: str, table: pa.Table) -> EvidenceTable:
    """A table of the lake as it is, its columns named by themselves."""
    return EvidenceTable(
        name, about, {column: column.replace("_", " ") for column in table.column_names}, table.to_pylist()
    )
