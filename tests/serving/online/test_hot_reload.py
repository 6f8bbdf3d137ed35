"""The service stays with a whole publication and moves on only to a whole one."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from data.errors import UserError
from data.progress import SilentProgress
from data.workspace import Workspace, write_pointer
from features.snapshot.reader import verify_snapshot
from models.registry import load_champion, set_champion, store_model
from serving.dossiers.reader import verify_dossiers
from serving.online import hot_reload
from serving.online.hot_reload import HotReloader
from serving.online.store import OnlineStore, open_online_store
from serving.publication import (
    Floats,
    Ranks,
    publications,
    published_name,
    put_into_service,
    read_publication,
    write_publication,
)
from serving.schemas import Item
from serving.scoring.batch import prepare_snapshot, score_catalogue
from tests.features.catalogues import DAY
from tests.models.worlds import tiny_parts
from tests.serving.conftest import Scored, scored_workspace


@pytest.fixture
def own(tmp_path: Path) -> Scored:
    """A scored workspace that a test may change."""
    return scored_workspace(tmp_path / "workspace")


def scored_again(own: Scored) -> str:
    """Crown another model, score with it and return its version."""
    version = store_model(own.workspace, tiny_parts(seed=1))
    set_champion(own.workspace, version)
    score_catalogue(own.workspace, own.tables, load_champion(own.workspace), DAY, SilentProgress())
    return version


def next_of(reloader: HotReloader) -> OnlineStore:
    """The publication that the reloader answers from after it has polled."""
    reloader.poll()
    return reloader.store()


def test_nothing_published_is_said_with_what_to_do(tmp_path: Path) -> None:
    """Before the first scores the reloader says to run `touchstone score`."""
    with pytest.raises(UserError, match="Run `touchstone score`"):
        HotReloader(Workspace(tmp_path)).store()


def test_it_moves_on_to_the_next_publication(own: Scored) -> None:
    """After the next scoring the reloader answers by the new model, and not before."""
    reloader = HotReloader(own.workspace)
    first = reloader.store()
    assert reloader.store() is first
    version = scored_again(own)
    assert reloader.store() is first
    assert next_of(reloader).publication.model_version == version


def test_a_publication_that_was_opened_keeps_answering_after_the_next(own: Scored) -> None:
    """An answer in progress is wholly of the old publication, even when the old one has left the disk."""
    first = open_online_store(own.workspace)
    before = first.answer([Item(sku_id="K-1", market="DE")], explain=True)
    scored_again(own)
    assert first.answer([Item(sku_id="K-1", market="DE")], explain=True) == before


def files_of_next(own: Scored) -> dict[str, Path]:
    """Every file that the publication in service rests on, by its name."""
    published = open_online_store(own.workspace)
    folders = (
        publications(own.workspace) / published.name, published.snapshot.folder, published.dossiers.folder,
        own.workspace.models / published.publication.model_version,
    )  # fmt: skip
    return {path.name: path for folder in folders for path in folder.iterdir() if path.is_file()}


def test_it_stays_while_any_file_of_the_next_is_cut_short_and_moves_on_when_it_is_mended(
    own: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of any file leaves the present publication in service, and a new start refuses; the whole file is taken."""
    monkeypatch.setattr(hot_reload, "RETRY_SECONDS", 0.0)
    reloader = HotReloader(own.workspace)
    first = reloader.store()
    scored_again(own)
    files = files_of_next(own)
    assert len(files) > 15
    for path in files.values():
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert next_of(reloader) is first
        with pytest.raises(UserError, match=r"`touchstone score`|train again"):
            HotReloader(own.workspace).store()
        path.write_bytes(whole)
    assert next_of(reloader) is not first


@pytest.mark.parametrize("broken", ["publication.json", "scores.arrow", "snapshot.json", "dossiers.json"])
def test_it_stays_while_one_bit_of_the_next_is_wrong(own: Scored, broken: str) -> None:
    """A flipped bit in what names and ranks the catalogue is never served."""
    reloader = HotReloader(own.workspace)
    first = reloader.store()
    scored_again(own)
    path = files_of_next(own)[broken]
    content = bytearray(path.read_bytes())
    content[len(content) * 2 // 3] ^= 1
    path.write_bytes(bytes(content))
    assert next_of(reloader) is first
    with pytest.raises(UserError, match="Run `touchstone score`"):
        HotReloader(own.workspace).store()


def test_a_broken_publication_is_said_once_and_not_opened_at_every_poll(
    own: Scored, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hundred looks at a broken publication one opens it and says so in the log, whatever the clock shows."""
    reloader = HotReloader(own.workspace)
    first = reloader.store()
    scored_again(own)
    files_of_next(own)["scores.arrow"].write_bytes(b"")
    monkeypatch.setattr(time, "time", lambda: 0.0)
    opened = 0

    def count(workspace: Workspace) -> OnlineStore:
        nonlocal opened
        opened += 1
        return open_online_store(workspace)

    monkeypatch.setattr(hot_reload, "open_online_store", count)
    assert all(next_of(reloader) is first for _ in range(100))
    assert opened == 1
    assert [record.message for record in caplog.records if f"Still answering from {first.name}" in record.message] == [
        record.message for record in caplog.records
    ]
    assert len(caplog.records) == 1


def test_while_the_next_is_opened_everybody_is_answered(own: Scored, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reloader that polls opens the next publication and keeps nobody waiting for it."""
    reloader = HotReloader(own.workspace)
    first = reloader.store()
    scored_again(own)
    opening, go_on = threading.Event(), threading.Event()

    def slowly(workspace: Workspace) -> OnlineStore:
        opening.set()
        assert go_on.wait(10)
        return open_online_store(workspace)

    monkeypatch.setattr(hot_reload, "open_online_store", slowly)
    reloader.start_polling()
    assert opening.wait(10)
    assert all(reloader.store() is first for _ in range(100))
    go_on.set()
    latest = time.monotonic() + 10
    while reloader.store() is first and time.monotonic() < latest:
        time.sleep(0.01)
    assert reloader.store().name == published_name(own.workspace) != first.name


def test_polling_survives_whatever_happens(own: Scored, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody foresaw keeps the present publication in service, and only as long as it lasts."""
    monkeypatch.setattr(hot_reload, "RETRY_SECONDS", 0.0)
    reloader, failed = HotReloader(own.workspace), threading.Event()
    first = reloader.store()
    scored_again(own)

    def break_once(workspace: Workspace) -> OnlineStore:
        if not failed.is_set():
            failed.set()
            raise MemoryError
        return open_online_store(workspace)

    monkeypatch.setattr(hot_reload, "open_online_store", break_once)
    reloader.start_polling()
    latest = time.monotonic() + 10
    while reloader.store() is first and time.monotonic() < latest:
        time.sleep(0.01)
    assert failed.is_set()
    assert reloader.store() is not first


@pytest.mark.parametrize("broken", ["sku.arrow", "sku_index.arrow", "tests.arrow", "listing.arrow"])
def test_a_changed_file_is_not_published_and_the_next_run_writes_it_anew(own: Scored, broken: str) -> None:
    """Publishing reads every file; a wrong bit leaves the present publication, and scoring again mends it."""
    before, published = published_name(own.workspace), open_online_store(own.workspace)
    path = files_of_next(own)[broken]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    other = replace(published.publication, policy_version="other")
    with pytest.raises(UserError, match="changed since it was written"):
        put_into_service(own.workspace, write_publication(own.workspace, other, *ranks_and_p_fail(own)))
    assert published_name(own.workspace) == before
    score_catalogue(own.workspace, own.tables, load_champion(own.workspace), DAY, SilentProgress(), rows_per_part=64)
    verify_snapshot(published.snapshot.folder)
    verify_dossiers(published.dossiers.folder)
    assert HotReloader(own.workspace).store().p_fail.tolist() == published.p_fail.tolist()


def ranks_and_p_fail(own: Scored) -> tuple[Ranks, Floats]:
    """The columns of the publication in service."""
    _, ranks, p_fail = read_publication(own.workspace, str(published_name(own.workspace)))
    return ranks, p_fail


def test_it_stays_while_the_next_model_was_tampered_with(own: Scored) -> None:
    """A changed model file is never served."""
    reloader = HotReloader(own.workspace)
    first = reloader.store()
    version = scored_again(own)
    booster = own.workspace.models / version / "booster.txt"
    booster.write_text(booster.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert next_of(reloader) is first
    with pytest.raises(UserError, match=r"booster\.txt has changed"):
        HotReloader(own.workspace).store()


def test_a_pointer_to_nothing_is_refused(own: Scored) -> None:
    """A pointer that names no publication is a sentence, not a crash."""
    write_pointer(publications(own.workspace) / "CURRENT", "p-000000000000")
    with pytest.raises(UserError, match=r"no complete publication in .*p-000000000000: publication\.json is missing"):
        HotReloader(own.workspace).store()


def test_only_the_present_and_the_previous_publication_are_kept(own: Scored) -> None:
    """Publishing three times leaves two publications."""
    names = [str(published_name(own.workspace))]
    scored_again(own)
    names.append(str(published_name(own.workspace)))
    score_catalogue(own.workspace, own.tables, load_champion(own.workspace), DAY.replace(day=11), SilentProgress())
    names.append(str(published_name(own.workspace)))
    folders = {path.name for path in publications(own.workspace).iterdir() if path.is_dir()}
    assert folders == set(names[1:])


def test_the_riskiest_are_the_first_ranks_with_their_reasons(own: Scored) -> None:
    """The riskiest five are ranks 1 to 5 and each comes with reasons."""
    riskiest = open_online_store(own.workspace).riskiest(5)
    assert [row.rank for row in riskiest] == [1, 2, 3, 4, 5]
    assert all(row.reasons for row in riskiest)


def test_an_unknown_sku_is_refused_by_name(own: Scored) -> None:
    """Asking for one unknown SKU names it."""
    with pytest.raises(UserError, match="no SKU 'nope' in market 'DE'"):
        open_online_store(own.workspace).score_row(Item(sku_id="nope", market="DE"))


def test_the_dossiers_of_a_publication_are_those_of_its_rows(own: Scored) -> None:
    """Every position that the snapshot finds has the dossier of the SKU asked for."""
    published = open_online_store(own.workspace)
    keys = published.snapshot.keys(0, len(published.snapshot)).to_pylist()
    listings = [published.dossiers.of(position).listing for position in range(len(keys))]
    assert [(listing.sku_id, listing.market) for listing in listings] == [
        (key["sku_id"], key["market"]) for key in keys
    ]


def test_scores_without_dossiers_are_served_and_say_so_when_asked(own: Scored) -> None:
    """A snapshot scored by itself answers questions of scores; only what is known of a SKU is refused."""
    snapshot = open_online_store(own.workspace).snapshot
    name = prepare_snapshot(own.workspace, snapshot, load_champion(own.workspace), SilentProgress())
    put_into_service(own.workspace, name)
    published = open_online_store(own.workspace)
    assert published.score_row(Item(sku_id="K-1", market="DE")).reasons
    with pytest.raises(UserError, match=r"has no dossiers\. Run `touchstone score`"):
        _ = published.dossiers


def test_dossiers_of_another_catalogue_are_refused(own: Scored) -> None:
    """Dossiers whose lake is not the snapshot's are never served beside it."""
    published = open_online_store(own.workspace)
    manifest = published.dossiers.folder / "dossiers.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"in-memory"', '"l-0"'), encoding="utf-8")
    with pytest.raises(UserError, match="another set of dossiers than the one that was published"):
        open_online_store(own.workspace)
