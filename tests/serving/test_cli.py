"""What a person reads on a terminal."""

from pathlib import Path

import pytest

from data.errors import UserError
from serving.cli import explanation
from serving.online.store import open_online_store
from tests.serving.conftest import scored_workspace


@pytest.mark.parametrize("sku_id", ["", "K" * 300])
def test_a_sku_that_no_request_could_name_is_refused_like_any_unknown_one(tmp_path: Path, sku_id: str) -> None:
    """An empty or endless SKU gets the sentence of an unknown SKU."""
    published = open_online_store(scored_workspace(tmp_path).workspace)
    with pytest.raises(UserError, match="has no SKU"):
        explanation(published, sku_id, "EU")
