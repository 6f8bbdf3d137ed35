"""Keys that expire and tell their last use; sessions and sign-ins of the console."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables; who is signed in signs in once more."""
    op.add_column("api_keys", sa.Column("expires_on", sa.Text))
    op.add_column("api_keys", sa.Column("last_used_at", sa.Text))
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.Text, primary_key=True),
        sa.Column("key_id", sa.Text, nullable=False, index=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("began_at", sa.Text, nullable=False, index=True),
        sa.Column("ended_at", sa.Text),
    )
    op.create_table(
        "sign_ins",
        sa.Column("sign_in_id", sa.Text, primary_key=True),
        sa.Column("tried_at", sa.Text, nullable=False, index=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text),
        sa.Column("outcome", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Refuse where a key has an expiry: without the column it would open for ever."""
    if op.get_bind().execute(sa.text("SELECT COUNT(*) FROM api_keys WHERE expires_on IS NOT NULL")).scalar():
        raise NotImplementedError("Keys that expire would open for ever. Revoke them first.")
    op.drop_table("sign_ins")
    op.drop_table("sessions")
    with op.batch_alter_table("api_keys") as keys:
        keys.drop_column("last_used_at")
        keys.drop_column("expires_on")
