"""Letters to sellers, from draft to delivered."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; a letter of a kind is written once about one thing."""
    op.create_table(
        "letters",
        sa.Column("letter_id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("supplier_id", sa.Text, nullable=False),
        sa.Column("sku_id", sa.Text),
        sa.Column("market", sa.Text),
        sa.Column("title", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("drafted_at", sa.Text, nullable=False),
        sa.Column("checked_at", sa.Text),
        sa.Column("checked_by", sa.Text),
        sa.Column("checked_digest", sa.Text),
        sa.Column("sent_at", sa.Text),
        sa.Column("sent_by", sa.Text),
        sa.Column("sent_row", sa.BigInteger),
        sa.Column("delivered_at", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("html", sa.Text),
        sa.Column("text", sa.Text),
        sa.UniqueConstraint("kind", "about", name="uq_letters_kind_about"),
        sa.Index("ix_letters_state", "state", "sent_row"),
        sa.Index("ix_letters_about", "about"),
    )


def downgrade() -> None:
    """Remove the table; every step of a letter stays in the ledger."""
    op.drop_table("letters")
