"""Gaps of the catalogue: SKUs that are not scored, and categories without a test package or required documents."""

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


def unlisted_note(workspace: Workspace, as_of: date) -> str:
    """A sentence that counts the SKUs left out of the scores of a day, with an example; empty where none is."""
    skus = open_lake(workspace)["skus"]
    later = skus.filter(skus.listed_on > as_of)
    counted = later.aggregate(n=later.count(), day=later.listed_on.min(), sku_id=later.sku_id.argmin(later.listed_on))
    row = counted.to_pyarrow().to_pylist()[0]
    if not row["n"]:
        return ""
    total = int(skus.count().to_pyarrow().as_py())
    return (
        f"{row['n']:,} of {total:,} SKUs are not scored: they are listed after {as_of}, such as {row['sku_id']} on "
        f"{row['day']}."
    )


def policy_gaps(cells: Collection[Cell], as_of: date) -> str:
    """The categories of these cells that lack a test package or required documents on a day; empty where none does."""
    policy = sampling_policy_in_force(as_of)
    notes = (
        missing_packages_note(policy, categories_without_package(policy, cells)),
        missing_documents_note(document_policy_in_force(as_of), {cell.category for cell in cells}),
    )
    return "\n".join(fill(note, WIDTH) for note in notes if note)
