"""Who works on the case of a SKU, and the labels that officers give quotes of its reviews."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import ASSIGNMENTS, QUOTE_VERDICTS
from data.errors import UserError
from data.workspace import replace_atomically
from features.review_text.redaction import redact
from serving.decisions.records import SkuKey
from serving.decisions.rules import Officer

VERDICTS = ("hazard", "no_hazard", "other_product")
LABELS = pa.schema([(name, pa.string()) for name in
                    ("review_id", "hazard", "verdict", "sentence", "language", "decided_at")])  # fmt: skip


@dataclass(frozen=True)
class LabelledQuote:
    """A sentence of a review to label: review, SKU, text, language, and the hazard that the text model read in it."""

    review_id: str
    sku_id: str
    market: str
    sentence: str
    language: str | None
    hazard: str


def give_label(engine: sa.Engine, quote: LabelledQuote, verdict: str, officer: Officer, now: datetime) -> None:
    """Store an officer's label of a quote: one of `VERDICTS`. The newest label of a sentence counts."""
    if verdict not in VERDICTS:
        raise UserError(f"A quote is {', '.join(VERDICTS)}, not {verdict!r}. Choose one.")
    sentence = redact(quote.sentence)
    with write_transaction(engine) as connection:
        content = {"review_id": quote.review_id, "hazard": quote.hazard, "verdict": verdict, "key": officer.key_id}
        row = record_event_in(
            connection, AuditEvent(officer.name, "verdict", f"{quote.sku_id} {quote.market}", content), now
        )
        connection.execute(sa.insert(QUOTE_VERDICTS).values(
            verdict_id=f"v-{row.hash[:12]}", review_id=quote.review_id, sku_id=quote.sku_id, market=quote.market,
            sentence=sentence, language=quote.language, hazard=quote.hazard, verdict=verdict,
            decided_by=officer.name, decided_at=row.recorded_at,
        ))  # fmt: skip


def labels_of(engine: sa.Engine, sku_id: str, market: str) -> dict[tuple[str, str, str], str]:
    """The newest label of each quote of a SKU, by (review_id, hazard, sentence)."""
    table = QUOTE_VERDICTS.c
    query = sa.select(QUOTE_VERDICTS).where(table.sku_id == sku_id, table.market == market).order_by(table.decided_at)
    with read_transaction(engine) as connection:
        return {(row.review_id, row.hazard, row.sentence): row.verdict for row in connection.execute(query)}


def labels(engine: sa.Engine) -> pa.Table:
    """Table with the columns of `LABELS`: the newest label of every sentence and hazard, in order of decision."""
    newest: dict[tuple[str, str, str], dict[str, str | None]] = {}
    with read_transaction(engine) as connection:
        for row in connection.execute(sa.select(QUOTE_VERDICTS).order_by(QUOTE_VERDICTS.c.decided_at)):
            newest[row.review_id, row.hazard, row.sentence] = {name: row._mapping[name] for name in LABELS.names}
    return pa.Table.from_pylist(list(newest.values()), schema=LABELS)


def write_labels(engine: sa.Engine, path: Path) -> int:
    """Write the labels as Parquet for the training of the text model; return their number."""
    table = labels(engine)
    with replace_atomically(path) as attempt:
        pq.write_table(table, attempt)
    return len(table)


LONGEST_NAME = 80


def assign(engine: sa.Engine, key: SkuKey, owner: str, officer: Officer, now: datetime) -> None:
    """Assign the case of a SKU to `owner`; an empty name releases it."""
    (sku_id, market), owner = key, owner.strip()
    if len(owner) > LONGEST_NAME:
        raise UserError(f"The name of an owner has {len(owner)} characters. Use at most {LONGEST_NAME}.")
    mine = sa.and_(ASSIGNMENTS.c.sku_id == sku_id, ASSIGNMENTS.c.market == market)
    with write_transaction(engine) as connection:
        content = {"owner": owner or None, "key": officer.key_id}
        row = record_event_in(connection, AuditEvent(officer.name, "assign", f"{sku_id} {market}", content), now)
        connection.execute(sa.delete(ASSIGNMENTS).where(mine))
        if owner:
            connection.execute(sa.insert(ASSIGNMENTS).values(
                sku_id=sku_id, market=market, owner=owner, assigned_by=officer.name, assigned_at=row.recorded_at,
            ))  # fmt: skip


def owner_of(engine: sa.Engine, sku_id: str, market: str) -> str | None:
    """The name of the person whose case the SKU is, None where it is nobody's."""
    mine = sa.and_(ASSIGNMENTS.c.sku_id == sku_id, ASSIGNMENTS.c.market == market)
    with read_transaction(engine) as connection:
        owner: str | None = connection.execute(sa.select(ASSIGNMENTS.c.owner).where(mine)).scalar_one_or_none()
    return owner


def owners(engine: sa.Engine, owner: str | None = None) -> dict[SkuKey, str]:
    """The owner of every assigned SKU; with a name, only of the SKUs of that owner."""
    query = sa.select(ASSIGNMENTS.c.sku_id, ASSIGNMENTS.c.market, ASSIGNMENTS.c.owner)
    if owner is not None:
        query = query.where(ASSIGNMENTS.c.owner == owner)
    with read_transaction(engine) as connection:
        return {SkuKey(row.sku_id, row.market): row.owner for row in connection.execute(query)}
