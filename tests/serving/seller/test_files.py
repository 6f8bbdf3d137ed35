"""What a seller sends in is kept once, by its digest, within limits, and never where it could be run."""

import stat
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from data.database.audit_log import audit_rows
from data.errors import NotFoundError, UserError
from serving.seller.file_types import RefusedFileError
from serving.seller.files import (
    CLEAN,
    NOT_SCANNED,
    FileDescription,
    SellerFileStore,
    clean_name,
    file_by_id,
    files_of,
)
from serving.seller.links import SellerCase, SellerLink
from serving.seller.policy import ScanTerms
from tests.serving.seller.conftest import AT, CASE, link_to, store_of
from tests.serving.seller.sent_files import PDF_FILE, png_file


@pytest.fixture
def link(files: SellerFileStore) -> SellerLink:
    """The link to the case in the database of the files."""
    return link_to(files.engine)


REPORT = FileDescription("report.pdf", "test_report", "X Lab", "26-1", "EN 71-1", date(2027, 1, 1))


def test_a_file_is_kept_once_and_read_back(files: SellerFileStore, link: SellerLink) -> None:
    """A second time, from a second tab, it is the same file; it is readable for this account alone and no program."""
    file = files.take(link, PDF_FILE, REPORT, AT)
    assert files.take(link, PDF_FILE, replace(REPORT, name="again.pdf"), AT) == file
    assert files_of(files.engine, CASE) == [file] == [file_by_id(files.engine, file.file_id)]
    assert files.content(file) == PDF_FILE
    assert (file.scan, file.kind, file.expires_on) == (NOT_SCANNED, "test_report", "2027-01-01")
    (kept,) = [each for each in files.folder.rglob("*") if each.is_file()]
    assert kept.name == file.sha256
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [row.action for row in audit_rows(files.engine, CASE.subject)] == ["make_seller_link", "seller_file"]


def test_a_file_of_one_case_is_none_of_another(files: SellerFileStore, link: SellerLink) -> None:
    files.take(link, PDF_FILE, REPORT, AT)
    other = link_to(files.engine, SellerCase("S-2", "K-1", "EU"))
    assert files_of(files.engine, other.case) == []
    files.take(other, PDF_FILE, REPORT, AT)
    assert len(files_of(files.engine, other.case)) == 1


def test_limits_hold_for_the_case_whatever_the_link(files: SellerFileStore, link: SellerLink) -> None:
    limits = files.policy.files.model_copy(update={"most_files": 2, "most_bytes": 500, "most_total_bytes": 500})
    small = replace(files, policy=files.policy.model_copy(update={"files": limits}))
    with pytest.raises(RefusedFileError, match="too_large"):
        small.take(link, PDF_FILE + b"\n" * 500, REPORT, AT)
    small.take(link, PDF_FILE, REPORT, AT)
    small.take(link_to(files.engine), png_file(), REPORT, AT)
    small.take(link, png_file(), REPORT, AT)
    for content in (png_file(3), PDF_FILE + b"\n"):
        with pytest.raises(RefusedFileError, match="too_many"):
            small.take(link_to(files.engine), content, REPORT, AT)
    assert len(files_of(files.engine, CASE)) == 2


@pytest.mark.parametrize(
    ("code", "scanned"), [("sys.exit(0)", CLEAN), ("sys.exit(2)", NOT_SCANNED), ("time.sleep(9)", NOT_SCANNED)]
)
def test_the_scanner_is_asked_where_there_is_one(
    files: SellerFileStore, link: SellerLink, code: str, scanned: str
) -> None:
    command = (sys.executable, "-S", "-c", f"import sys, time; {code}")
    terms = ScanTerms(command=command, seconds=1)
    asking = replace(files, policy=files.policy.model_copy(update={"scan": terms}))
    assert asking.take(link, PDF_FILE, REPORT, AT).scan == scanned


def test_an_infected_file_is_refused_and_gone(files: SellerFileStore, link: SellerLink, tmp_path: Path) -> None:
    """The scanner gets the path of the file; what it refuses is not kept, and the ledger says so."""
    seen = tmp_path / "seen"
    code = f"import sys, pathlib; pathlib.Path({str(seen)!r}).write_text(sys.argv[1]); sys.exit(1)"
    terms = ScanTerms(command=(sys.executable, "-S", "-c", code), seconds=20)
    asking = replace(files, policy=files.policy.model_copy(update={"scan": terms}))
    with pytest.raises(RefusedFileError, match="infected"):
        asking.take(link, PDF_FILE, REPORT, AT)
    assert not Path(seen.read_text()).exists()
    assert files_of(files.engine, CASE) == []
    assert "infected_file" in [row.action for row in audit_rows(files.engine)]


def test_a_file_that_was_changed_is_not_handed_out(files: SellerFileStore, link: SellerLink) -> None:
    file = files.take(link, PDF_FILE, REPORT, AT)
    (files.folder / file.sha256[:2] / file.sha256).write_bytes(b"MZ")
    with pytest.raises(UserError, match="was changed"):
        files.content(file)
    with pytest.raises(NotFoundError, match="There is no file"):
        file_by_id(files.engine, "f-none")


@pytest.mark.parametrize(
    ("given", "kept"),
    [("../../etc/passwd", "passwd"), ("C:\\Users\\a\\r.pdf", "r.pdf"), ("a\r\nb\u202efdp.exe", "abfdp.exe"), ("", "-"),
     ("x" * 300, "x" * 120)],
)  # fmt: skip
def test_names_are_names_alone(given: str, kept: str) -> None:
    assert clean_name(given) == kept


def test_a_case_without_a_product_is_equal_to_itself(state: sa.Engine, tmp_path: Path) -> None:
    """In either database: it is of a supplier as a whole."""
    files = store_of(state, tmp_path)
    link = link_to(state, SellerCase("S-1"))
    file = files.take(link, PDF_FILE, REPORT, AT)
    assert files_of(files.engine, SellerCase("S-1")) == [file]
    assert files_of(files.engine, CASE) == []
