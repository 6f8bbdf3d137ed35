"""`touchstone.toml`: what the operator wants of a night."""

from pathlib import Path

from pydantic import Field

from data.errors import UserError
from data.policy import Count, Days, TomlTable, parse_toml, validate
from data.settings import expand_variables
from data.workspace import Workspace


class NightTable(TomlTable):
    """`[night]`: the folder to ingest (absent: what `sources.toml` of the workspace maps), and how.

    `update`: its files hold changes by key; `strict`: one bad row refuses all.
    """

    source: str | None = None
    update: bool = False
    strict: bool = False


class AllocateTable(TomlTable):
    """`[allocate]`: euros for a round of tests (absent: none is drawn), and days from one round to the next."""

    budget_eur: float | None = Field(default=None, gt=0)
    every_days: Count = 7


class PublishTable(TomlTable):
    """`[publish]`: the address in object storage to which the scores in service are copied (absent: none)."""

    to: str | None = None


class RetentionTable(TomlTable):
    """`[retention]`: for how many days what grows is kept.

    `scored_days`: scored days whose snapshots and dossiers stay (absent: `TOUCHSTONE_KEEP_DAYS`); `scores_days`: files
    of scores; `reports_days`: indicators, estimates and pages of monitoring, and runs of monitoring in MLflow;
    `frames_days`: the frames of rounds, which show how a round was drawn (the plan itself stays); `nights_days`:
    records of nights.
    """

    scored_days: Days | None = None
    scores_days: Days = 90
    reports_days: Days = 400
    frames_days: Days = 400
    nights_days: Days = 90


class NightConfiguration(TomlTable):
    """The tables of `touchstone.toml`; each may be left out."""

    night: NightTable = NightTable()
    allocate: AllocateTable = AllocateTable()
    publish: PublishTable = PublishTable()
    retention: RetentionTable = RetentionTable()


def read_configuration(workspace: Workspace, path: Path | None) -> NightConfiguration:
    """The configuration in `path`, else in `touchstone.toml` of the workspace, else as if that were empty.

    `${NAME}` in a text stands for an environment variable. Raises UserError where the file breaks a rule, is missing
    although it was named, or names a variable that is not set.
    """
    file = path or workspace.home / "touchstone.toml"
    if not file.is_file():
        if path is not None:
            raise UserError(f"There is no file {path}. Name another with --config, or leave it out.")
        return NightConfiguration()
    text = expand_variables(file.read_text(encoding="utf-8"))
    return validate(NightConfiguration, parse_toml(text.encode(), str(file)), str(file))
