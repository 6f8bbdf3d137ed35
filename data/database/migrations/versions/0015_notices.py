"""Notices of shoppers, what people wrote in them, and the letters to them."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, empty."""
    op.create_table(
        "notices",
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
    )
    op.create_index("ix_notices_sku", "notices", ["sku_id", "market"])
    op.create_table(
        "notice_reports",
        sa.Column("reference", sa.Text, sa.ForeignKey("notices.reference"), primary_key=True),
        sa.Column("happened", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("bought", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("email", sa.Text),
    )
    op.create_table(
        "notice_letters",
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


def downgrade() -> None:
    """Remove the tables; that notices came stays in the ledger."""
    for name in ("notice_letters", "notice_reports", "notices"):
        op.drop_table(name)
