"""Intake of a file of laboratory results: completed from the plans of their rounds, accepted once, filed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import sqlalchemy as sa

from data.errors import UserError
from data.ingest.validation import TableCount
from data.lab_results.file_intake import ResultRules, validate_result_file
from data.lab_results.store import Sender, file_results, store_results
from data.lab_results.versions import VersionKey, broken_report_rules, key_of
from data.lake.lab_results import SCHEMA
from data.workspace import Workspace
from sampling.plan_files import planned_tests, round_ids
from sampling.round_answers import broken_round_rules, complete_from_plan, plans_of


@dataclass(frozen=True)
class ResultIntake:
    """Outcome of a file of results: the count of its rows, and the accepted ones that are `new`.

    `amendments` are those of the new ones that amend a version, with that version. `known` rows had been accepted
    before; `changed` ones had been, with another content, and were left as they were; `refused` says why a version does
    not follow what is known.
    """

    count: TableCount
    new: pa.Table
    amendments: Mapping[VersionKey, int]
    known: int
    changed: int
    refused: Mapping[VersionKey, str]


def receive_results(path: Path, workspace: Workspace, engine: sa.Engine, sender: Sender) -> ResultIntake:
    """Accept a file of results as the service accepts them: each version once, with a row of the ledger, then filed.

    What a row leaves open (propensity, strategy, package, laboratory) its plan fills in. Raises UserError where the
    file can not be read, nothing was ingested yet, or the database or the disk takes nothing more.
    """
    planned = plans_of(workspace, round_ids(workspace))
    rules = ResultRules(
        planned_tests(workspace),
        completed=lambda row: complete_from_plan(row, planned),
        broken=lambda row: [*broken_report_rules(row), *broken_round_rules(row, planned)],
    )
    validated = validate_result_file(path, workspace, sender.now.date(), rules)
    details = {"file": path.name, "quarantined": validated.count.quarantined}
    sound = validated.sound.to_pylist()
    stored = store_results(engine, workspace, sound, replace(sender, details=details))
    try:
        file_results(engine, workspace, sender.now)
    except OSError as error:
        raise UserError(
            f"The results are accepted, but wait for their file: {error.strerror}. Make room and give {path} again."
        ) from error
    new = [row for row in sound if stored.outcomes[key_of(row)].kind == "new"]
    return ResultIntake(
        validated.count, pa.Table.from_pylist(new, schema=SCHEMA), stored.amendments, len(stored.test_ids("known")),
        len(stored.test_ids("changed")), stored.refused,
    )  # fmt: skip
