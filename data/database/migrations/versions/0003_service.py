"""What the service keeps: keys, results handed in, rescorings."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("revoked_at", sa.Text),
    )
    op.create_table(
        "results",
        sa.Column("test_id", sa.Text, primary_key=True),
        sa.Column("hand_in", sa.Text, nullable=False, index=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("received_at", sa.Text, nullable=False),
        sa.Column("received_from", sa.Text, nullable=False),
        sa.Column("filed_at", sa.Text),
    )
    op.create_table(
        "rescorings",
        sa.Column("rescoring_id", sa.Text, primary_key=True),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("asked_at", sa.Text, nullable=False, index=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("heard_at", sa.Text, nullable=False),
        sa.Column("ended_at", sa.Text),
        sa.Column("message", sa.Text),
    )


def downgrade() -> None:
    """Refuse: results that were accepted are not thrown away by a command."""
    raise NotImplementedError("Accepted results are never removed. Keep the database, or begin a new one.")
