"""The tables of shoppers' notices, as the newest migration leaves them; the last two hold what identifies people."""

import sqlalchemy as sa

from data.database.schema import METADATA

NOTICES = sa.Table(
    "notices",
    METADATA,
    sa.Column("reference", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, nullable=False, index=True),
    sa.Column("code", sa.Text, nullable=False, index=True),
    sa.Column("sku_id", sa.Text),
    sa.Column("market", sa.Text),
    sa.Column("hazard", sa.Text),
    sa.Column("injury_severity", sa.Integer),
    sa.Column("received_at", sa.Text, nullable=False, index=True),
    sa.Column("form_token", sa.Text, nullable=False, unique=True),
    sa.Column("forgotten_at", sa.Text),
    sa.Index("ix_notices_sku", "sku_id", "market"),
)

NOTICE_REPORTS = sa.Table(
    "notice_reports",
    METADATA,
    sa.Column("reference", sa.Text, sa.ForeignKey("notices.reference"), primary_key=True),
    sa.Column("happened", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("bought", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("email", sa.Text),
)

NOTICE_LETTERS = sa.Table(
    "notice_letters",
    METADATA,
    sa.Column("letter_id", sa.Text, primary_key=True),
    sa.Column("reference", sa.Text, sa.ForeignKey("notices.reference"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("sent_at", sa.Text, nullable=False),
    sa.Column("sent_row", sa.BigInteger, nullable=False, index=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("html", sa.Text, nullable=False),
    sa.Column("delivered_at", sa.Text),
    sa.UniqueConstraint("reference", "kind", name="uq_notice_letters_reference"),
)
