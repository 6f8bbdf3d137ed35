"""Files in object storage, asked of a real S3 server: fetched once, put there whole; elsewhere refused."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from pyarrow import fs

from data.errors import ExitCode, UnavailableError, UserError
from data.ingest.options import IngestOptions
from data.lake.store import open_lake
from data.object_storage import fetch_files, join_address, upload_folder, write_object
from data.settings import Settings, read_settings
from data.sources.configuration import read_sources
from data.sources.pipeline import ingest_sources
from data.workspace import Workspace
from touchstone import COMMANDS, main

REPOSITORY = Path(__file__).resolve().parents[2]
SERVER = shutil.which("moto_server", path=REPOSITORY / ".venv-s3" / "bin")
"""The pinned server only: another of that name on the machine may be of a version that pyarrow cannot write to."""


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of a bucket: `{}` stands for the path in it."""
    if SERVER is None:
        pytest.skip("there is no S3 server; make setup-s3 installs one")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([SERVER, "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        options = f"?endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1&allow_bucket_creation=true"
        storage, _ = fs.FileSystem.from_uri(f"s3://shop/{options}")
        for _ in range(100):
            try:
                storage.create_dir("shop")
                break
            except OSError:
                time.sleep(0.1)
        yield "s3://shop/{}" + options
    server.kill()
    server.wait()


def put(bucket: str, name: str, text: str) -> None:
    """Write an object."""
    write_object(bucket.format(name), text.encode())


def test_files_are_fetched_once_and_follow_what_is_there(bucket: str, tmp_path: Path) -> None:
    """A new object comes, a changed one comes again, one that is gone goes, another stays as it was fetched."""
    put(bucket, "in/day=1/a.csv", "a")
    put(bucket, "in/day=2/b.csv", "b")
    put(bucket, "in/readme.txt", "c")
    pattern = bucket.format("in/*.csv")
    assert [path.read_text() for path in fetch_files(pattern, tmp_path)] == ["a", "b"]
    kept = (tmp_path / "day=1" / "a.csv").stat()
    put(bucket, "in/day=2/b.csv", "bb")
    put(bucket, "in/day=3/c.csv", "c")
    assert [path.read_text() for path in fetch_files(pattern, tmp_path)] == ["a", "bb", "c"]
    assert (tmp_path / "day=1" / "a.csv").stat().st_ino == kept.st_ino
    storage, path = fs.FileSystem.from_uri(bucket.format("in/day=1/a.csv"))
    storage.delete_file(path)
    assert [path.name for path in fetch_files(pattern, tmp_path)] == ["b.csv", "c.csv"]
    assert [path.name for path in fetch_files(bucket.format("in/readme.txt"), tmp_path / "one")] == ["readme.txt"]


def test_a_folder_is_put_there_in_place_of_what_was(bucket: str, tmp_path: Path) -> None:
    """What another run left in the same place goes."""
    target = bucket.format("scores")
    for names in (("part-0", "part-1"), ("part-0",)):
        folder = tmp_path / str(len(names))
        folder.mkdir()
        for name in names:
            (folder / name).write_text(name, encoding="utf-8")
        assert upload_folder(folder, join_address(target, "as_of=2026-07-01")) == len(names)
    fetched = fetch_files(bucket.format("scores/as_of=2026-07-01/*"), tmp_path / "back")
    assert [path.read_text() for path in fetched] == ["part-0"]


def test_tables_come_from_a_bucket(bucket: str, tmp_path: Path) -> None:
    """`from` names objects as it names files; the lake holds their rows."""
    put(bucket, "shop/suppliers.csv", "supplier_id,onboarded_on\nS,2020-01-01\n")
    put(bucket, "shop/skus.csv", "sku_id,market,supplier_id,category,listed_on\nK,EU,S,toys_3_plus,2024-01-01\n")
    for half in (1, 2):
        put(bucket, f"shop/tests/{half}.csv", "test_id,sku_id,market,happened_on,known_on,result,origin\n"
            f"T{half},K,EU,2025-01-0{half},2025-02-01,pass,warehouse\n")  # fmt: skip
    places = {"suppliers": "suppliers.csv", "skus": "skus.csv", "lab_tests": "tests/*.csv"}
    text = "\n".join(f'[{name}]\nfrom = "{bucket.format("shop/" + place)}"' for name, place in places.items())
    (tmp_path / "sources.toml").write_text(text, encoding="utf-8")
    workspace = Workspace(tmp_path)
    ingest_sources(read_sources(tmp_path / "sources.toml"), workspace, IngestOptions(date(2025, 6, 1)))
    assert open_lake(workspace)["lab_tests"].count().to_pyarrow().as_py() == 2


def test_a_storage_that_does_not_answer_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its address, and without the options, which may hold secrets."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    place = "s3://shop/in/*.csv?endpoint_override=127.0.0.1:1&scheme=http&region=us-east-1"
    with pytest.raises(
        UnavailableError, match=r"^s3://shop/in/\*\.csv cannot be used: .* Check address and credentials\.$"
    ):
        fetch_files(place, tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_workspace_at_an_address_is_refused_by_every_command(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one sentence, and no local folder of that name appears."""
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(main, ["--home", "s3a://bucket/ws", command])
    assert answer.exit_code == ExitCode.REFUSED
    assert answer.output.startswith("Error: s3a://bucket/ws is an address, and a path of this machine is needed here.")
    assert not list(tmp_path.iterdir())


def test_an_address_is_refused_wherever_a_path_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the folder to ingest, and in the environment."""
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(main, ["ingest", "s3://bucket/deliveries"])
    assert (answer.exit_code, answer.output.count("\n")) == (ExitCode.REFUSED, 1)
    with pytest.raises(UserError, match="is an address"):
        read_settings(None, {"TOUCHSTONE_HOME": "s3://bucket/ws"})
    assert isinstance(read_settings(tmp_path, {}), Settings)
