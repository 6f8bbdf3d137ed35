"""The steps of a night, each a function that does its part, or says why there is nothing to do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from data.database.connection import read_transaction
from data.database.schema import LEDGER
from data.errors import ExitCode, UserError
from data.ingest.options import IngestOptions
from data.ingest.pipeline import ingest_folder
from data.ingest.report import IngestReport
from data.lake.tables import Tables
from data.object_storage import join_address, upload_folder, write_object
from data.own_features import contract_of, read_own_features
from data.progress import Progress
from data.settings import Settings
from data.sources.configuration import read_sources, sources_path
from data.sources.pipeline import ingest_sources
from features.review_text.incremental import read_lake
from models.registry import load_champion
from sampling.estimation.policy import estimation_policy_in_force
from sampling.estimation.report import estimate_prevalence, estimate_text, latest_rounds, write_estimate
from serving.api.allocate import Planner, draw_round
from serving.dossiers.records import Dossier
from serving.letters.drafting import ensure_letters
from serving.letters.sources import LetterSources
from serving.night.configuration import NightConfiguration
from serving.night.record import StepName, StepResult, newest_prepared
from serving.night.retention import apply_retention
from serving.notices.letters import send_outcomes
from serving.notices.policy import notice_policy_in_force
from serving.notices.store import forget_old_notices
from serving.online.store import open_online_store
from serving.publication import put_into_service, read_publication
from serving.scoring.batch import prepare_catalogue
from serving.seller.handed_in import hand_in_missing
from serving.trust.publication import publish_trust

ROUNDS_ESTIMATED = 4
"""The newest rounds with results that a nightly estimate rests on, as `touchstone estimate` does."""
ACTOR = "nightly"
POINTER = "CURRENT"
"""The object that names the newest scores beside it, written last."""


class ChampionReport(Protocol):
    """What monitoring of the champion says; `missing_rows` is empty where the lake holds what it was trained on."""

    @property
    def missing_rows(self) -> str: ...  # noqa: D102 - said above
    @property
    def exit_code(self) -> ExitCode: ...  # noqa: D102 - said above
    @property
    def reasons(self) -> str: ...  # noqa: D102 - why a new model is needed, empty where none is
    @property
    def page(self) -> Path: ...  # noqa: D102 - where it is told at length


@dataclass(frozen=True)
class TrainingSteps:
    """What a night does with the room of training, which this one may not import.

    `monitor` watches the champion; `delete_runs` deletes the runs of monitoring from before a day, and counts them.
    """

    monitor: Callable[[Tables, Settings, Progress], ChampionReport]
    delete_runs: Callable[[Settings, date], int]


@dataclass
class NightWork:
    """What the steps of one night share: settings, what is asked of them, the moment it began, and what is prepared."""

    settings: Settings
    configuration: NightConfiguration
    engine: sa.Engine
    began: datetime
    progress: Progress
    training: TrainingSteps
    publication: str | None = field(default=None)

    @cached_property
    def tables(self) -> Tables:
        """The lake with its reviews read; after the step ingest."""
        return read_lake(self.settings.workspace, self.progress)

    @property
    def today(self) -> date:
        """The day on which the night began."""
        return self.began.date()

    def prepared(self) -> str:
        """The name of the publication that was prepared last. Raises UserError where there is none."""
        name = self.publication or newest_prepared(self.settings.workspace)
        if name is None:
            raise UserError("No night has prepared scores yet. Run `touchstone nightly --from score`.")
        return name


def _ingest(work: NightWork) -> StepResult:
    workspace, asked = work.settings.workspace, work.configuration.night
    options = IngestOptions(work.today, asked.strict, asked.update)
    if asked.source is not None:
        report = ingest_folder(Path(asked.source), workspace, options, work.progress)
    elif sources_path(workspace).is_file():
        contract = contract_of(read_own_features(workspace, work.today))
        report = ingest_sources(read_sources(sources_path(workspace), contract), workspace, options, work.progress)
    else:
        return StepResult(
            f"Nothing to ingest: no source under [night] in touchstone.toml, and no {sources_path(workspace)}.",
            skipped=True,
        )
    return StepResult(_ingest_sentence(report), _ingest_facts(report))


def _ingest_facts(report: IngestReport) -> Mapping[str, int]:
    counts = report.counts
    return {
        "read": sum(each.read for each in counts), "accepted": sum(each.accepted for each in counts),
        "quarantined": sum(each.quarantined for each in counts), "warnings": sum(len(each.warnings) for each in counts),
        "outstanding": sum(each.outstanding for each in report.tables),
    }  # fmt: skip


def _ingest_sentence(report: IngestReport) -> str:
    facts = _ingest_facts(report)
    if not facts["read"]:
        return "Nothing new was delivered."
    warned = [f"{each.table}: {sentence}" for each in report.counts for sentence in each.warnings]
    return " ".join([
        f"{facts['read']:,} new rows: {facts['accepted']:,} accepted, {facts['quarantined']:,} quarantined.", *warned
    ])  # fmt: skip


def _signals(work: NightWork) -> StepResult:
    reviews = work.tables.has("reviews")
    return StepResult("All reviews are read." if reviews else "There are no reviews.", skipped=not reviews)


def _score(work: NightWork) -> StepResult:
    workspace = work.settings.workspace
    name = prepare_catalogue(workspace, work.tables, load_champion(workspace), None, work.progress)
    work.publication = name
    publication, ranks, p_fail = read_publication(workspace, name)
    return StepResult(
        f"{len(ranks):,} SKUs scored as of {publication.as_of} by model {publication.model_version}; they are in "
        f"{publication.scores}.",
        {"skus": len(ranks), "as_of": str(publication.as_of), "model": publication.model_version,
         "mean_p_fail": float(p_fail.mean()) if len(p_fail) else 0.0},
    )  # fmt: skip


def _estimate(work: NightWork) -> StepResult:
    workspace, day = work.settings.workspace, work.today + timedelta(days=1)
    try:
        rounds = latest_rounds(workspace, ROUNDS_ESTIMATED)
    except UserError as nothing:
        return StepResult(str(nothing), skipped=True)
    estimate = estimate_prevalence(workspace, rounds, day, estimation_policy_in_force(day))
    path = write_estimate(estimate, workspace.reports)
    return StepResult(
        f"{estimate_text(estimate).splitlines()[0]} The whole estimate is in {path}.", {"rounds": len(rounds)}
    )


def _monitor(work: NightWork) -> StepResult:
    report = work.training.monitor(work.tables, work.settings, work.progress)
    said = "No new model is needed."
    if report.reasons:
        said = f"A new model is needed: {report.reasons}. Next: touchstone retrain."
    if report.missing_rows:
        said = f"{report.missing_rows.capitalize()} Ingest them; nothing is published until then."
    return StepResult(f"{said} See {report.page}.", exit_code=report.exit_code)


def _publish(work: NightWork) -> StepResult:
    workspace, name = work.settings.workspace, work.prepared()
    put_into_service(workspace, name)
    withdrawn = publish_trust(work.engine, workspace, work.began)
    publication, to = open_online_store(workspace).publication, work.configuration.publish.to
    said = f"The scores of {publication.as_of} are in service."
    if withdrawn:
        said += f" {withdrawn:,} public test summaries were withdrawn."
    if to is None:
        return StepResult(said, {"as_of": str(publication.as_of)})
    scores = workspace.home / publication.scores
    files = upload_folder(scores, join_address(to, scores.name))
    write_object(join_address(to, POINTER), f"{scores.name}\n".encode())
    return StepResult(
        f"{said} They were copied to {to.partition('?')[0]}.", {"as_of": str(publication.as_of), "files": files}
    )


def _allocate(work: NightWork) -> StepResult:
    workspace, asked = work.settings.workspace, work.configuration.allocate
    if asked.budget_eur is None:
        return StepResult("No round is drawn: no budget_eur under [allocate] in touchstone.toml.", skipped=True)
    due = next_round_due(work)
    if due is not None and due > work.today:
        return StepResult(f"The next round is due on {due}.", skipped=True)
    store = open_online_store(workspace)
    summary = draw_round(workspace, store, asked.budget_eur, Planner(work.engine, ACTOR, work.began))
    return StepResult(
        f"Round {summary.round_id} tests {summary.tests:,} SKUs for EUR {summary.cost_eur:,.0f}. Next: touchstone "
        "lab-orders.",
        {"round_id": summary.round_id, "tests": summary.tests, "cost_eur": summary.cost_eur},
    )


def next_round_due(work: NightWork) -> date | None:
    """The day on which the next round is due, counted from the newest in the ledger; None before the first."""
    newest = sa.select(sa.func.max(LEDGER.c.recorded_at)).where(LEDGER.c.action == "plan")
    with read_transaction(work.engine) as connection:
        drawn_at = connection.execute(newest).scalar()
    if drawn_at is None:
        return None
    return datetime.fromisoformat(drawn_at).date() + timedelta(days=work.configuration.allocate.every_days)


def _letters(work: NightWork) -> StepResult:
    store = open_online_store(work.settings.workspace)

    def find_dossier(sku_id: str, market: str) -> Dossier | None:
        position = int(store.snapshot.find([sku_id], [market])[0])
        return store.dossiers.of(position) if position >= 0 else None

    drafted = ensure_letters(LetterSources(work.engine, work.settings.workspace, find_dossier), work.began)
    send_outcomes(work.engine, work.began)
    hand_in_missing(work.engine, work.settings.workspace, work.began)
    return StepResult(f"{drafted:,} letters were drafted; the console lists them.", {"drafted": drafted})


def _retention(work: NightWork) -> StepResult:
    forget_old_notices(work.engine, notice_policy_in_force(work.today), ACTOR, work.began)
    deleted = apply_retention(work.settings, work.configuration.retention, work.today)
    before = work.today - timedelta(days=work.configuration.retention.reports_days)
    runs = work.training.delete_runs(work.settings, before)
    return StepResult(
        f"{len(deleted.paths):,} folders and files ({deleted.bytes / 1e6:,.0f} MB) and {runs:,} MLflow runs deleted.",
        {"deleted": len(deleted.paths), "bytes": deleted.bytes, "mlflow_runs": runs},
    )


STEPS: dict[StepName, Callable[[NightWork], StepResult]] = {
    StepName.INGEST: _ingest,
    StepName.SIGNALS: _signals,
    StepName.SCORE: _score,
    StepName.ESTIMATE: _estimate,
    StepName.MONITOR: _monitor,
    StepName.PUBLISH: _publish,
    StepName.ALLOCATE: _allocate,
    StepName.LETTERS: _letters,
    StepName.RETENTION: _retention,
}
"""Each step by its name, in their order."""

REQUIRED = frozenset({StepName.INGEST, StepName.SIGNALS, StepName.SCORE, StepName.PUBLISH})
"""Steps without which those after them are not begun."""


def stops_the_night(step: StepName, code: ExitCode) -> bool:
    """Whether a step that ended with this code keeps those after it from beginning: missing rows are not published."""
    failed = code not in (ExitCode.DONE, ExitCode.ASKS_FOR_A_PERSON)
    return (failed and step in REQUIRED) or code in (ExitCode.GUARD, ExitCode.FAULT)
