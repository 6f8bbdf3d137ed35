"""Categories that no policy knows: without a test package, or without required documents."""

from collections.abc import Collection
from datetime import date
from textwrap import fill

from data.lake.store import open_lake
from data.workspace import Workspace
from sampling.policy import categories_without_package, missing_packages_note, sampling_policy_in_force
from sampling.problem import Cell
from serving.decisions.document_policy import document_policy_in_force, missing_documents_note

WIDTH = 110


def catalogue_gaps(workspace: Workspace, as_of: date) -> str:
    """The categories of the catalogue that lack a test package or required document on a day; empty where none does."""
    rows = open_lake(workspace)["skus"].select("category", "market").distinct().to_pyarrow().to_pylist()
    return policy_gaps([Cell(row["category"], row["market"]) for row in rows], as_of)


def policy_gaps(cells: Collection[Cell], as_of: date) -> str:
    """The categories of these cells that lack a test package or required documents on a day; empty where none does."""
    policy = sampling_policy_in_force(as_of)
    notes = (
        missing_packages_note(policy, categories_without_package(policy, cells)),
        missing_documents_note(document_policy_in_force(as_of), {cell.category for cell in cells}),
    )
    return "\n".join(fill(note, WIDTH) for note in notes if note)
