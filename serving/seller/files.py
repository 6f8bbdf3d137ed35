"""Files that sellers send in: bounded, typed by content, kept by digest, scanned by the operator's command."""

import hashlib
import subprocess
import unicodedata
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path, PurePosixPath

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.seller_schema import SELLER_FILES
from data.errors import NotFoundError, UserError
from data.workspace import replace_atomically
from serving.seller.file_types import ENDINGS, RefusedFileError, tell_type
from serving.seller.links import SellerCase, SellerLink, is_of_case
from serving.seller.policy import FileLimits, ScanTerms, SellerPolicy

CLEAN, INFECTED, NOT_SCANNED = "clean", "infected", "not_scanned"
OTHER = "other"
"""The kind of a file that is no document of conformity, such as a photo."""

LONGEST_NAME = 120


@dataclass(frozen=True)
class FileDescription:
    """What a seller says of a file: its name, the kind of document, and what the document says of itself."""

    name: str
    kind: str = OTHER
    issuer: str | None = None
    number: str | None = None
    standard: str | None = None
    expires_on: date | None = None


@dataclass(frozen=True)
class SellerFile:
    """A row of the table `seller_files`; `scan` is clean or not_scanned, days and times are ISO 8601."""

    file_id: str
    supplier_id: str
    sku_id: str | None
    market: str | None
    link_id: str
    sha256: str
    bytes: int
    media_type: str
    name: str
    kind: str
    issuer: str | None
    number: str | None
    standard: str | None
    expires_on: str | None
    scan: str
    uploaded_at: str

    @property
    def case(self) -> SellerCase:
        """The case that it belongs to."""
        return SellerCase(self.supplier_id, self.sku_id, self.market)

    @property
    def download_name(self) -> str:
        """A name for the download that says the type that its content has, whatever the seller called it."""
        return f"{self.file_id}{ENDINGS[self.media_type]}"


@dataclass(frozen=True)
class SellerFileStore:
    """Where files go: the database, the folder that holds them by digest, and the policy."""

    engine: sa.Engine
    folder: Path
    policy: SellerPolicy

    def take(self, link: SellerLink, content: bytes, description: FileDescription, now: datetime) -> SellerFile:
        """Store a file of a case; the same content once more is the same file.

        Raises RefusedFileError with what `tell_type` says, `too_large`, `too_many` or `infected`; then nothing is kept.
        """
        limits = self.policy.files
        if len(content) > limits.most_bytes:
            raise RefusedFileError("too_large")
        media_type, digest = tell_type(content, limits.most_pixels), hashlib.sha256(content).hexdigest()
        with read_transaction(self.engine) as connection:
            known = _require_room(connection, link.case, digest, len(content), limits)
        if known is not None:
            return known
        scanned = self._keep(digest, content)
        if scanned == INFECTED:
            self._refuse_infected(link, digest, now)
        with write_transaction(self.engine) as connection:
            known = _require_room(connection, link.case, digest, len(content), limits)
            if known is not None:
                return known
            said = {"sha256": digest, "bytes": len(content), "type": media_type, "kind": description.kind,
                    "scan": scanned, "link": link.link_id}  # fmt: skip
            row = record_event_in(connection, AuditEvent(link.case.actor, "seller_file", link.case.subject, said), now)
            expires_on = description.expires_on.isoformat() if description.expires_on else None
            file = SellerFile(
                f"f-{row.hash[:12]}", link.supplier_id, link.sku_id, link.market, link.link_id, digest, len(content),
                media_type, clean_name(description.name), description.kind, description.issuer, description.number,
                description.standard, expires_on, scanned, row.recorded_at,
            )  # fmt: skip
            connection.execute(sa.insert(SELLER_FILES).values(**asdict(file)))
        return file

    def content(self, file: SellerFile) -> bytes:
        """The bytes of a file; UserError where they are gone, or are not those that were sent in."""
        path = self._path(file.sha256)
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise UserError(f"The file {file.file_id} is gone or was changed. Restore seller_files from a backup.")
        return content

    def _keep(self, digest: str, content: bytes) -> str:
        """Write a file under its digest, readable for this account alone, and scan it."""
        path = self._path(digest)
        if not path.is_file():
            with replace_atomically(path) as attempt:
                attempt.touch(0o600)
                attempt.write_bytes(content)
        return scan(path, self.policy.scan)

    def _refuse_infected(self, link: SellerLink, digest: str, now: datetime) -> None:
        with write_transaction(self.engine) as connection:
            said = {"sha256": digest, "link": link.link_id}
            record_event_in(connection, AuditEvent(link.case.actor, "infected_file", link.case.subject, said), now)
            taken = sa.select(SELLER_FILES.c.file_id).where(SELLER_FILES.c.sha256 == digest).limit(1)
            if connection.execute(taken).first() is None:
                self._path(digest).unlink(missing_ok=True)
        raise RefusedFileError("infected")

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:2] / digest


def scan(path: Path, terms: ScanTerms) -> str:
    """What the scanner says of a file: `clean`, `infected`, or `not_scanned` where it does not say."""
    if not terms.command:
        return NOT_SCANNED
    try:
        ended = subprocess.run(  # noqa: S603 - the operator's own command, from the policy
            [*terms.command, str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=terms.seconds, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return NOT_SCANNED
    return {0: CLEAN, 1: INFECTED}.get(ended.returncode, NOT_SCANNED)


def files_of(engine: sa.Engine, case: SellerCase) -> list[SellerFile]:
    """The files of a case, the newest first."""
    query = sa.select(SELLER_FILES).where(is_of_case(SELLER_FILES, case)).order_by(SELLER_FILES.c.uploaded_at.desc())
    with read_transaction(engine) as connection:
        return [SellerFile(**row._mapping) for row in connection.execute(query)]


def all_files(engine: sa.Engine) -> list[SellerFile]:
    """The files of every case, the oldest first."""
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(SELLER_FILES).order_by(SELLER_FILES.c.uploaded_at))
        return [SellerFile(**row._mapping) for row in rows]


def file_by_id(engine: sa.Engine, file_id: str) -> SellerFile:
    """The file of this id; NotFoundError where there is none."""
    with read_transaction(engine) as connection:
        row = connection.execute(sa.select(SELLER_FILES).where(SELLER_FILES.c.file_id == file_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no file {file_id!r}. Open the page of the seller's case.")
    return SellerFile(**row._mapping)


def clean_name(name: str) -> str:
    """The last part of a file's name, without control and direction characters, at most `LONGEST_NAME` long."""
    last = PurePosixPath(name.replace("\\", "/")).name
    kept = "".join(each for each in last if unicodedata.category(each)[0] != "C")
    return " ".join(kept.split())[:LONGEST_NAME] or "-"


def _require_room(
    connection: sa.Connection, case: SellerCase, digest: str, size: int, limits: FileLimits
) -> SellerFile | None:
    """The file of this content, None where the case has none; RefusedFileError where the case is full."""
    rows = connection.execute(sa.select(SELLER_FILES).where(is_of_case(SELLER_FILES, case)))
    files = [SellerFile(**row._mapping) for row in rows]
    known = next((each for each in files if each.sha256 == digest), None)
    if known is None and (
        len(files) >= limits.most_files or sum(each.bytes for each in files) + size > limits.most_total_bytes
    ):
        raise RefusedFileError("too_many")
    return known
