"""Requests with an `Idempotency-Key`, each with its first answer."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "idempotent_requests",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("idempotency_key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False, index=True),
        sa.Column("effect", sa.Text),
        sa.Column("status", sa.Integer),
        sa.Column("media_type", sa.Text),
        sa.Column("body", sa.LargeBinary),
    )


def downgrade() -> None:
    """Drop it: a question that is sent again is then carried out again."""
    op.drop_table("idempotent_requests")
