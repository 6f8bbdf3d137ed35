"""The evidence pack of a quarter: read once, written whole, with checksums that the ledger knows."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from markupsafe import Markup, escape

from data.database.audit_log import AuditEvent, Versions, newest_audit_rows, record_event
from data.errors import UserError
from data.visible_text import escape_formula
from data.workspace import Workspace, replace_atomically
from sampling.estimation.known_rounds import KnownResults, load_rounds
from sampling.estimation.policy import estimation_policy_in_force
from sampling.estimation.prevalence import BY_SKUS, BY_UNITS_SOLD, domains_of, prevalence
from sampling.estimation.publication_policy import publication_policy_in_force
from sampling.estimation.round_views import surface_ratios, weighed_rounds
from sampling.plan_files import round_ids
from sampling.rounds import round_record
from serving.decisions.days import long_date
from serving.decisions.policy import decision_policy_in_force
from serving.evidence.exposure import exposure_tables
from serving.evidence.figures import evidence_figures
from serving.evidence.report import EvidenceContent, markdown, report_sections, report_title
from serving.evidence.tables import (
    EvidenceTable,
    appeals_table,
    decisions_table,
    outside_table,
    prevalence_table,
    rounds_table,
    screens_table,
    status_table,
    strata_table,
    tests_table,
)
from serving.html.csv_text import csv_text
from serving.html.filters import STATIC_FOLDER, template_environment
from serving.trends.edition import Quarter, write_sums
from serving.trends.process_figures import quarter_records
from serving.trends.trend_rows import RoundsAsKnown

REPORT, PAGE = "report.md", "report.html"
ACTION = "write_evidence"
_STYLES = ("base.css", "public.css")


@dataclass(frozen=True)
class EvidencePack:
    """A written pack: its folder, the SHA-256 of its checksums, and what is in it."""

    folder: Path
    digest: str
    content: EvidenceContent


def gather_evidence(engine: sa.Engine, workspace: Workspace, quarter: Quarter, now: datetime) -> EvidenceContent:
    """Everything that a pack says of a quarter, as known by now. Raises UserError before the quarter has ended."""
    if now.date() <= quarter.last:
        raise UserError(f"{quarter} ends on {long_date(quarter.last)}. Write its evidence after that.")
    as_of, estimation = now.date() + timedelta(days=1), estimation_policy_in_force(quarter.last)
    results = KnownResults.of(workspace, as_of)
    drawn = [name for name in round_ids(workspace) if quarter.holds(round_record(workspace, name)["as_of"])]
    answered = [name for name in drawn if len(results.of_round(name))]
    publication, decisions = publication_policy_in_force(quarter.last), decision_policy_in_force(quarter.last)
    known = RoundsAsKnown(workspace, answered, as_of, publication, estimation)
    data = load_rounds(workspace, answered, results, estimation)
    screens = results.screens(as_of, estimation)
    estimates = [
        estimate for measure in (BY_SKUS, BY_UNITS_SOLD) for domain in (domains_of(data) if data else [])
        if (estimate := prevalence(data, domain, measure, estimation)) is not None
    ]  # fmt: skip
    weighed = weighed_rounds(workspace, data, estimation)
    ratios = surface_ratios(weighed, estimation)
    records = quarter_records(engine, workspace, quarter)
    tables = (
        rounds_table(known), prevalence_table(estimates), strata_table(data), tests_table(known, data, results),
        outside_table(data), screens_table(screens), decisions_table(records.restrictions, decisions),
        appeals_table(records.answered, decisions),
        status_table("documents", "a document that sellers named, by its newest status", records.certificates),
        status_table("corrective_actions", "a corrective action that was due in the quarter", records.actions),
        *(exposure_tables(weighed, ratios) if weighed else ()),
    )  # fmt: skip
    newest = newest_audit_rows(engine, 1)
    return EvidenceContent(
        quarter, as_of, tuple(estimates), tables, tuple(evidence_figures(tables)),
        tuple(name for name in drawn if name not in answered),
        (("estimation", estimation.version), ("decisions", decisions.version)),
        (newest[0].number, newest[0].hash) if newest else None, tuple(ratios),
    )  # fmt: skip


@dataclass(frozen=True)
class EvidenceRequest:
    """Which quarter's pack to write where, for whom and when."""

    quarter: Quarter
    folder: Path
    actor: str
    at: datetime


def write_evidence(engine: sa.Engine, workspace: Workspace, request: EvidenceRequest) -> EvidencePack:
    """Write the pack of a quarter into a new folder, whole or not at all, and record its checksums in the ledger.

    Raises UserError where the folder is there already, or the quarter has not ended.
    """
    if request.folder.exists():
        raise UserError(f"{request.folder} is there already, and packs are not overwritten. Give another --out.")
    content = gather_evidence(engine, workspace, request.quarter, request.at)
    with replace_atomically(request.folder) as attempt:
        attempt.mkdir()
        for name, text in _files(content).items():
            (attempt / name).write_text(text, encoding="utf-8", newline="")
        digest = write_sums(attempt)
    recorded = {
        "sha256": digest, "as_of": content.as_of.isoformat(),
        "figures": {each.name: each.value for each in content.figures},
    }  # fmt: skip
    versions = Versions(policy=dict(content.policies)["estimation"])
    event = AuditEvent(request.actor, ACTION, f"evidence {request.quarter}", recorded, versions)
    record_event(engine, event, request.at)
    return EvidencePack(request.folder, digest, content)


def _files(content: EvidenceContent) -> dict[str, str]:
    title, sections = report_title(content), report_sections(content, estimation_policy_in_force(content.quarter.last))
    style = "\n".join((STATIC_FOLDER / name).read_text(encoding="utf-8") for name in _STYLES)
    environment = template_environment(Path(__file__).parent / "templates")
    environment.filters["code"] = _with_code
    page = environment.get_template(PAGE)
    columns = (
        (f"{table.name}.csv", column, means) for table in content.tables for column, means in table.columns.items()
    )
    figures = ((each.name, each.value, f"{each.table}.csv", each.how) for each in content.figures)
    return {
        REPORT: markdown(title, sections),
        PAGE: page.render(title=title, sections=sections, style=style),
        **{f"{table.name}.csv": _table_text(table) for table in content.tables},
        "columns.csv": _text(("file", "column", "means"), columns),
        "figures.csv": _text(("name", "value", "file", "counted_as"), figures),
    }


def _with_code(text: str) -> Markup:
    """The text with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def _table_text(table: EvidenceTable) -> str:
    return _text(tuple(table.columns), (tuple(row.get(name) for name in table.columns) for row in table.rows))


def _text(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    return csv_text([heads, *([escape_formula(value) for value in row] for row in rows)])
