"""The work list: required and claimed documents by what an answer would change, then what lapses or is reused."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from data.workspace import Workspace
from serving.certificates import work_list_writer
from serving.certificates.board import Board
from serving.certificates.issuer_policy import issuer_policy_in_force
from serving.certificates.work_list import REASONS, read_work_list, work_list_file
from serving.certificates.work_list_writer import DocumentedCatalogue, standing_rows, write_work_list
from serving.decisions.document_policy import document_policy_in_force
from serving.decisions.new_documents import NewDocuments
from serving.dossiers.reader import scan_table
from serving.online.store import OnlineStore, open_online_store
from tests.serving.browser.shop import DAY


@pytest.fixture(scope="module")
def store(shop_home: Path) -> OnlineStore:
    """The publication of the shop."""
    return open_online_store(Workspace(shop_home))


def catalogue_of(store: OnlineStore) -> DocumentedCatalogue:
    """What the list is made of."""
    publication = store.publication
    return DocumentedCatalogue(publication.as_of, store.dossiers.folder, store.snapshot, store.p_fail, store.scorer)


def test_the_list_is_in_order_and_holds_what_can_be_asked(shop_home: Path, store: OnlineStore) -> None:
    """Declarations of the maker are not in it; what is not required has no value; the order is by reason and value."""
    items = read_work_list(Workspace(shop_home), store.publication)
    found = {item.document.certificate_id: item for item in items}
    assert {"D-10", "D-40", "D-25"} <= set(found)
    assert not any(item.document.scheme == "CE LVD" for item in items)
    assert (found["D-10"].reason, found["D-25"].reason) == ("value", "expiring")
    assert found["D-10"].required
    places = [(REASONS.index(item.reason), -item.value) for item in items]
    assert places == sorted(places)
    item = found["D-10"]
    row = store.snapshot.matrix_at(np.array([item.position]))
    assert item.p_fail == pytest.approx(store.scorer.probabilities(row).p_fail[0])
    assert item.value == pytest.approx(abs(item.p_refuted - item.p_confirmed) * item.units)
    assert (item.market, item.category, item.document.sku_id) == ("EU", "toys_3_plus", "K-10")


def test_batches_neither_split_nor_repeat_a_document(store: OnlineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a row at a time, the standing rows are the same."""
    folder = store.dossiers.folder
    whole = [row for rows in standing_rows(folder) for row in rows.rows()]
    true_scan = scan_table
    monkeypatch.setattr(
        work_list_writer, "scan_table",
        lambda *given: (batch.slice(start, 1) for batch in true_scan(*given) for start in range(batch.num_rows)),
    )  # fmt: skip
    assert [row for rows in standing_rows(folder) for row in rows.rows()] == whole


def test_a_short_list_holds_the_first_of_the_long_one(
    store: OnlineStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept is what stands first."""
    short = issuer_policy_in_force(DAY).model_copy(update={"work_list": 1})
    write_work_list(catalogue_of(store), tmp_path / "long.parquet")
    monkeypatch.setattr(work_list_writer, "issuer_policy_in_force", lambda _: short)
    write_work_list(catalogue_of(store), tmp_path / "short.parquet")
    long, one = (pq.read_table(tmp_path / f"{name}.parquet").to_pylist() for name in ("long", "short"))
    assert one == long[:1]


def test_a_document_stands_on_the_board_once(shop_home: Path, store: OnlineStore) -> None:
    """Whatever markets its product is sold in."""
    workspace = Workspace(shop_home)
    assert work_list_file(workspace, store.publication).is_file()
    items = read_work_list(workspace, store.publication)
    board = Board([*items, *items], {}, NewDocuments(), issuer_policy_in_force(DAY), document_policy_in_force(DAY), DAY)
    assert len(board.rows("to_ask")) == len({item.document.certificate_id for item in items})
    assert board.counts()["asked"] == 0
    assert ("LAB-G", 3) in board.issuers_to_ask()
