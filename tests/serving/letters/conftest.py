"""What letters are made of: a database of the state, a workspace, and the dossier of one product."""

from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from data.workspace import Workspace
from serving.dossiers.records import Dossier, DossierListing
from serving.letters.sources import LetterSources
from tests.serving.decisions.cases import case

SKU = case().sku_id
LISTING = DossierListing(
    SKU, "EU", "S-1", None, "mains_chargers", "USB charger 20 W", None, 9.9, date(2025, 3, 1), None, None, True, None,
    None, None, True,
)  # fmt: skip
DOSSIER = Dossier(date(2026, 7, 1), LISTING, (), (), (), (), (), (), (), ())


@pytest.fixture
def sources(state: sa.Engine, tmp_path: Path) -> LetterSources:
    """The sources of letters over an empty database; the catalogue has one product."""

    def find_dossier(sku_id: str, market: str) -> Dossier | None:
        return DOSSIER if (sku_id, market) == (SKU, "EU") else None

    return LetterSources(state, Workspace(tmp_path / "workspace"), find_dossier)
