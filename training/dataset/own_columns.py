"""The tables that training reads, with the features that the marketplace declares of its own columns."""

from dataclasses import replace
from datetime import date

from data.errors import UserError
from data.lake.tables import Tables
from data.own_features import FILE, OwnFeature, read_own_features
from data.progress import Progress
from data.workspace import Workspace
from features.registry import BY_NAME
from features.review_text.incremental import read_lake


def read_training_tables(workspace: Workspace, today: date, progress: Progress) -> Tables:
    """The current tables with what reviews say of hazards, and the own features that the workspace declares.

    Raises UserError where nothing has been ingested, `features.toml` breaks a rule, or a declared feature has the name
    of another, or nothing in the tables to be read from.
    """
    declared = read_own_features(workspace, today)
    tables = read_lake(workspace, progress)
    for each in declared:
        _require_source(tables, each)
    return replace(tables, own_features=declared)


def _require_source(tables: Tables, declared: OwnFeature) -> None:
    if declared.name in BY_NAME:
        raise UserError(f"{FILE}: there is a feature {declared.name} already. Give it another name.")
    column = declared.source_column
    if declared.table != "attributes":
        if column not in tables[declared.table].columns:
            raise UserError(
                f"{FILE}: feature.{declared.name} is of the column {column} of {declared.table}, which the tables were "
                "ingested without. Run `touchstone ingest` again; it takes the columns that the file declares."
            )
        return
    rows = tables["attributes"]
    named = rows.filter((rows.entity == declared.entity) & (rows.name == column)).limit(1).count()
    if not tables.backend.to_pyarrow(named).as_py():
        raise UserError(
            f"{FILE}: feature.{declared.name} is of the attribute {column} of each {declared.entity}, of which the "
            "table attributes has no row. Ingest it, or take the entry out."
        )
