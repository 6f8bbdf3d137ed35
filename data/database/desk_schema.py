"""The table of the state that the verification desk keeps."""

import sqlalchemy as sa

from data.database.schema import METADATA

# Questions to issuers and their answers; the newest check of a document gives its state.
ISSUER_CHECKS = sa.Table(
    "issuer_checks",
    METADATA,
    sa.Column("check_id", sa.Text, primary_key=True),
    sa.Column("supplier_id", sa.Text, nullable=False),
    sa.Column("certificate_id", sa.Text, nullable=False),
    sa.Column("issuer", sa.Text),
    sa.Column("sku_id", sa.Text),
    sa.Column("market", sa.Text),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("opened_at", sa.Text, nullable=False, index=True),
    sa.Column("channel", sa.Text),
    sa.Column("asked_at", sa.Text),
    sa.Column("asked_by", sa.Text),
    sa.Column("due_on", sa.Text),
    sa.Column("answer", sa.Text),
    sa.Column("answered_on", sa.Text),
    sa.Column("said", sa.Text),
    sa.Column("reply_digest", sa.Text),
    sa.Column("reply_sender", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("recorded_by", sa.Text),
    sa.Column("recorder_key", sa.Text),
    sa.Column("recorded_at", sa.Text),
    sa.Column("settled_by", sa.Text),
    sa.Column("settler_key", sa.Text),
    sa.Column("settled_at", sa.Text),
    sa.Index("ix_issuer_checks_document", "supplier_id", "certificate_id"),
    sa.Index("ix_issuer_checks_state", "state", "issuer"),
)
