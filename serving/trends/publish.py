"""Editions are drafted by one person and published by another; both steps are rows of the ledger."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, AuditRow, Versions, audit_rows, record_event
from data.errors import UserError
from data.workspace import Workspace, replace_atomically
from sampling.estimation.policy import EstimationPolicy, estimation_policy_in_force
from sampling.estimation.publication_policy import PublicationPolicy, publication_policy_in_force
from sampling.plan_files import round_ids
from sampling.rounds import round_record, round_status
from serving.auth.api_keys import Key, key_by_secret
from serving.decisions.days import long_date
from serving.trends.edition import (
    CELLS_FILE,
    FIGURES_FILE,
    PACKAGE_FILE,
    PAGE_FILE,
    SUMS_FILE,
    Edition,
    EditionFacts,
    Quarter,
    cells_csv,
    check_sums,
    data_package,
    editions_of,
    figures_csv,
    public_reports,
    read_edition,
    read_edition_files,
    write_sums,
)
from serving.trends.process_figures import process_figures, quarter_records
from serving.trends.render import edition_page
from serving.trends.trend_rows import RoundsAsKnown, RowLabel, trend_rows

DRAFT, PUBLISH = "draft_trends", "publish_trends"


@dataclass(frozen=True)
class Publisher:
    """Who acts, and when."""

    key: Key
    at: datetime


def publisher_of(engine: sa.Engine, secret: str, now: datetime) -> Publisher:
    """The person whose key a secret opens. Raises UserError where it opens none, or one of another role."""
    key = key_by_secret(engine, secret.strip(), now.date())
    roles = publication_policy_in_force(now.date()).people.roles
    if key is None:
        raise UserError("This key opens nothing. Give your own key; `touchstone keys list` shows who has one.")
    if key.role not in roles:
        raise UserError(f"A key of the role {key.role} does not publish. Ask somebody with one of: {', '.join(roles)}.")
    return Publisher(key, now)


def draft_folder(workspace: Workspace, quarter: Quarter) -> Path:
    """Where the draft of a quarter waits for the second person."""
    return public_reports(workspace) / f".draft-{quarter}"


def draft_edition(
    engine: sa.Engine, workspace: Workspace, quarter: Quarter, publisher: Publisher, correction: str = ""
) -> Edition:
    """Write the draft of an edition, in place of an earlier one, and record who drafted it.

    A correction has a reason and publishes no row that the edition before hid: together they tell no more than
    the first. Raises UserError where the quarter has not ended, no round was drawn in it, or one has results to come;
    where it has an edition already and no reason is given, or the other way round.
    """
    facts = _facts(workspace, quarter, publisher.at, correction.strip())
    publication, estimation = _policies(quarter)
    known = RoundsAsKnown(workspace, facts.rounds, date.fromisoformat(facts.as_of), publication, estimation)
    rows = trend_rows(known, _closed(workspace, quarter))
    figures = process_figures(quarter_records(engine, workspace, quarter), publication)
    edition = Edition(facts, tuple(rows), tuple(figures))
    with replace_atomically(draft_folder(workspace, quarter)) as attempt:
        digest = write_edition(edition, attempt)
    record_event(engine, _event(DRAFT, publisher.key, edition, digest), publisher.at)
    return edition


def _policies(quarter: Quarter) -> tuple[PublicationPolicy, EstimationPolicy]:
    return publication_policy_in_force(quarter.last), estimation_policy_in_force(quarter.last)


def _facts(workspace: Workspace, quarter: Quarter, now: datetime, correction: str) -> EditionFacts:
    if now.date() <= quarter.last:
        raise UserError(f"{quarter} ends on {long_date(quarter.last)}. Publish it after that.")
    earlier = editions_of(workspace, str(quarter))
    if earlier and not correction:
        raise UserError(
            f"{earlier[0]} is published, and editions never change. To publish a correction beside it, give its "
            'reason: --correction "what was wrong".'
        )
    if correction and not earlier:
        raise UserError(f"{quarter} has no edition to correct. Leave out --correction.")
    publication, estimation = _policies(quarter)
    number = len(earlier) + 1
    as_of = (now.date() + timedelta(days=1)).isoformat()
    rounds = finished_rounds(workspace, quarter)
    return EditionFacts(
        str(quarter),
        number,
        as_of,
        tuple(rounds),
        publication.version,
        estimation.version,
        estimation.level,
        correction,
    )


def finished_rounds(workspace: Workspace, quarter: Quarter) -> list[str]:
    """The rounds drawn in a quarter. Raises UserError where there is none, or where results of one are to come."""
    rounds = [name for name in round_ids(workspace) if quarter.holds(round_record(workspace, name)["as_of"])]
    if not rounds:
        raise UserError(f"No round was drawn in {quarter}, so there is nothing to estimate from.")
    statuses = [round_status(workspace, name) for name in rounds]
    waiting = [
        f"{each.round_id} ({each.planned - each.received - each.not_obtainable:,})"
        for each in statuses
        if each.provisional
    ]
    if waiting:
        raise UserError(
            f"Results of rounds of {quarter} are to come: {', '.join(waiting)}. Failures take longer to confirm than "
            "passes, so an edition waits for 95 % of them. Hand them in, or cancel the rounds."
        )
    return rounds


def _closed(workspace: Workspace, quarter: Quarter) -> Sequence[RowLabel]:
    """The rows that an edition of the quarter hid, which its corrections hide too."""
    return [
        RowLabel(row.level, row.category, row.market)
        for name in editions_of(workspace, str(quarter))
        for row in read_edition(workspace, name).rows
        if not row.published
    ]


def write_edition(edition: Edition, folder: Path) -> str:
    """Write all files of an edition; return the SHA-256 of their list of checksums."""
    folder.mkdir(parents=True)
    files = {CELLS_FILE: cells_csv(edition.rows), FIGURES_FILE: figures_csv(edition.figures)}
    package = json.dumps(data_package(edition, files), indent=2, ensure_ascii=False) + "\n"
    for name, text in {**files, PACKAGE_FILE: package, PAGE_FILE: edition_page(edition)}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return write_sums(folder)


def publish_edition(engine: sa.Engine, workspace: Workspace, quarter: Quarter, publisher: Publisher) -> Edition:
    """Publish the draft of a quarter, exactly as it was drafted.

    Raises UserError where there is no draft, where it was changed since, or where the same person drafted it.
    """
    folder = draft_folder(workspace, quarter)
    if not (folder / SUMS_FILE).is_file():
        raise UserError(f"There is no draft of {quarter}. Somebody else writes one: touchstone trends draft {quarter}.")
    digest, edition = check_sums(folder), read_edition_files(folder)
    drafted = _recorded(engine, DRAFT, edition, digest)
    if drafted is None:
        raise UserError(f"The draft of {quarter} is not the one that the ledger knows. Draft it again.")
    drafter = json.loads(drafted.content)
    if publisher.key.person == drafter["person"] or publisher.key.id == drafter["key"]:
        raise UserError(f"{publisher.key.person} drafted {edition.facts.name}. Let another person publish it.")
    if edition.facts.number != len(editions_of(workspace, str(quarter))) + 1:
        raise UserError(f"Another edition of {quarter} was published since this draft. Draft it again.")
    if _recorded(engine, PUBLISH, edition, digest) is None:
        record_event(engine, _event(PUBLISH, publisher.key, edition, digest), publisher.at)
    folder.rename(public_reports(workspace) / edition.facts.name)
    return edition


def _recorded(engine: sa.Engine, action: str, edition: Edition, digest: str) -> AuditRow | None:
    """The newest row of the ledger that records this step of an edition with these very files."""
    rows = [row for row in audit_rows(engine, _subject(edition)) if row.action == action]
    return next((row for row in reversed(rows) if json.loads(row.content)["sha256"] == digest), None)


def _subject(edition: Edition) -> str:
    return f"trends {edition.facts.name}"


def _event(action: str, key: Key, edition: Edition, digest: str) -> AuditEvent:
    facts = edition.facts
    content = {
        "sha256": digest, "person": key.person, "key": key.id, "as_of": facts.as_of, "rounds": list(facts.rounds),
        "published_rows": sum(row.published for row in edition.rows), "rows": len(edition.rows),
        "correction": facts.correction, "estimation_policy": facts.estimation_policy,
    }  # fmt: skip
    return AuditEvent(key.name, action, _subject(edition), content, Versions(policy=facts.publication_policy))
