"""What a night says: a line per step while it runs, a summary for the morning, and what a dry run would do."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path
from textwrap import fill

from data.ingest.deliveries import find_deliveries, select_new
from data.ingest.record import read_record
from data.lake.store import stored_lake
from data.own_features import contract_of, read_own_features
from data.settings import Settings
from data.sources.configuration import sources_path
from serving.night.configuration import NightConfiguration
from serving.night.record import NightRecord, Outcome, StepName, StepRecord
from serving.night.retention import find_expired, size_of

WIDTH = 110
LABELS = {Outcome.DONE: "done", Outcome.SKIPPED: "skip", Outcome.ASKS: "ASKS", Outcome.FAILED: "FAIL"}


def step_line(record: NightRecord, step: StepRecord) -> str:
    """A step that ended, as a line of JSON."""
    return json.dumps({"run_id": record.run_id, "day": record.day, "event": "step", **asdict(step)}, ensure_ascii=False)


def night_line(record: NightRecord, in_service: str) -> str:
    """The end of a night, as a line of JSON; `in_service` says what the service answers from now."""
    return json.dumps({
        "run_id": record.run_id, "day": record.day, "event": "night", "outcome": record.outcome,
        "exit_code": record.exit_code, "began_at": record.began_at, "ended_at": record.ended_at,
        "seconds": round(sum(each.seconds for each in record.steps), 1), "in_service": in_service,
        "failed": [each.step for each in record.steps if each.outcome == Outcome.FAILED],
    })  # fmt: skip


def night_summary(record: NightRecord, in_service: str) -> str:
    """The night for whoever reads it in the morning: each step with its seconds, and what is in service."""
    lines = [f"The night of {record.day} ({record.run_id}): {record.outcome}."]
    for each in record.steps:
        head = f"  {LABELS[Outcome(each.outcome)]}  {each.step:<10}{each.seconds:>8.1f} s  "
        lines.append(fill(each.sentence, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)))
    missing = [name for name in StepName if record.result_of(name) is None]
    if missing and record.outcome == Outcome.FAILED:
        lines.append(f"Not begun: {', '.join(missing)}. Mend the cause and call touchstone nightly again.")
    return "\n".join([*lines, in_service])


def dry_run(settings: Settings, configuration: NightConfiguration, today: date) -> Iterator[str]:
    """What a night would find to do, a line each; changes nothing."""
    yield _news(settings, configuration, today)
    budget = configuration.allocate.budget_eur
    yield (
        "allocate: no budget_eur, so no round is drawn." if budget is None else
        f"allocate: a round of EUR {budget:,.0f}, {configuration.allocate.every_days} days after the last one."
    )  # fmt: skip
    expired = find_expired(settings, configuration.retention, today)
    size = sum(size_of(path) for path in expired)
    yield f"retention: {len(expired):,} folders and files would be deleted ({size / 1e6:,.0f} MB)."
    home = settings.workspace.home
    yield from (f"  {path.relative_to(home)}" for path in expired)


def _news(settings: Settings, configuration: NightConfiguration, today: date) -> str:
    workspace, source = settings.workspace, configuration.night.source
    if source is None:
        path = sources_path(workspace)
        return f"ingest: what {path} maps." if path.is_file() else "ingest: nothing, there is no source."
    before = stored_lake(workspace)
    contract = contract_of(read_own_features(workspace, today))
    held = before.names() if before else ()
    judged = read_record(before.folder if before and before.contents else None).judged
    news = [
        select_new(each, judged.get(each.source.table.name))
        for each in find_deliveries(Path(source), held, by_key=configuration.night.update, contract=contract)
    ]
    files = {each.delivery.source.table.name: len(each.delivery.source.files) for each in news if each.delivery}
    told = ", ".join(f"{name} ({count:,})" for name, count in files.items())
    return f"ingest: new files of {told}." if files else f"ingest: nothing new in {source}."
