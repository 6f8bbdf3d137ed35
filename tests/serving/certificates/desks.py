"""A desk over an empty state, documents and officers for these tests."""

from datetime import UTC, date, datetime
from pathlib import Path

import sqlalchemy as sa

from data.workspace import Workspace
from serving.certificates.records import IssuerAnswer, Said
from serving.certificates.states import Answer, Reply
from serving.certificates.store import AskedDocument, Desk, open_desk
from serving.decisions.records import SkuKey
from serving.decisions.rules import Officer, Signature
from serving.dossiers.records import Certificate

TODAY = date(2026, 6, 11)
NOW = datetime(2026, 6, 11, 9, tzinfo=UTC)
REPLY = Reply("a" * 64, "desk@lab-g.example")


def document(**values: object) -> Certificate:
    """A claimed EN 71 report of LAB-G."""
    row = {"certificate_id": "D-1", "supplier_id": "S-1", "happened_on": date(2026, 3, 1), "known_on": date(2026, 3, 1),
           "status": "claimed", "sku_id": "K-1", "scheme": "EN 71 report", "issuer": "LAB-G",
           "expires_on": date(2027, 3, 1), "number": "TR-1", "holder": "Acme Co., Ltd."}  # fmt: skip
    return Certificate(**{**row, **values})  # type: ignore[arg-type]


def asked(**values: object) -> AskedDocument:
    """The document with its case."""
    return AskedDocument(document(**values), SkuKey("K-1", "EU"))


def signed_by(name: str, at: datetime = NOW) -> Signature:
    """An officer of that name."""
    return Signature(Officer(name, "officer", f"k-{name}"), at)


def given(answer: Answer, reply: Reply | None = REPLY, **said: object) -> IssuerAnswer:
    """An answer of today."""
    return IssuerAnswer(answer, TODAY, Said(**said), reply)  # type: ignore[arg-type]


def desk_at(engine: sa.Engine, home: Path, day: date = TODAY) -> Desk:
    """The desk of a day."""
    return open_desk(engine, Workspace(home), day)
