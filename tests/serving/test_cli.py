"""What a person reads on a terminal."""

from datetime import date
from pathlib import Path

import pytest

from data.errors import UserError
from data.workspace import Workspace
from serving.explanation_text import explanation
from serving.online.store import open_online_store
from serving.uncovered_categories import catalogue_gaps, unlisted_note
from tests.data.small_marketplace import TODAY, good_frames, ingested, spoiled
from tests.serving.conftest import scored_workspace


@pytest.mark.parametrize("sku_id", ["", "K" * 300])
def test_a_sku_that_no_request_could_name_is_refused_like_any_unknown_one(tmp_path: Path, sku_id: str) -> None:
    """An empty or endless SKU gets the sentence of an unknown SKU."""
    published = open_online_store(scored_workspace(tmp_path).workspace)
    with pytest.raises(UserError, match="has no SKU"):
        explanation(published, sku_id, "EU")


def test_scoring_says_which_categories_have_no_test_package_and_no_required_document(tmp_path: Path) -> None:
    """Before any money is planned for them; nothing is said where every category has one."""
    ingested(spoiled("skus", 1, category="toys_3_plus"), tmp_path / "toys")
    said = " ".join(catalogue_gaps(Workspace(tmp_path / "toys" / "workspace"), TODAY).split())
    assert said == (
        "1 category has no test package in policy/sampling: toy. It gets 'Document and marking check' for EUR 60, "
        "which finds no laboratory failure. Add its package to the policy. 1 category has no required document in "
        "policy/documents: toy. A refuted document of it justifies no restriction. Add what the law requires to the "
        "policy."
    )
    known = good_frames()
    known["skus"]["category"] = "toys_3_plus"
    ingested(known, tmp_path / "known")
    assert catalogue_gaps(Workspace(tmp_path / "known" / "workspace"), TODAY) == ""


def test_scoring_says_how_many_skus_it_left_out_and_why(tmp_path: Path) -> None:
    """A SKU that is listed after the day of the scores has none."""
    ingested(spoiled("skus", 1, listed_on="2026-06-15"), tmp_path)
    workspace = Workspace(tmp_path / "workspace")
    assert unlisted_note(workspace, date(2026, 6, 14)) == (
        "1 of 3 SKUs are not scored: they are listed after 2026-06-14, such as k2 on 2026-06-15."
    )
    assert unlisted_note(workspace, date(2026, 6, 15)) == ""
