"""Results as versions of reports, each with its round, and keys of laboratories."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ROWS_AT_ONCE = 10_000
_KEPT = ("test_id", "hand_in", "content", "received_at", "received_from", "filed_at", "sku_id", "market")


def upgrade() -> None:
    """Give every earlier result version 1 and the status final, and its round, which its content names."""
    op.add_column("api_keys", sa.Column("lab_id", sa.Text))
    _set_aside()
    op.create_table(
        "results",
        sa.Column("test_id", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hand_in", sa.Text, nullable=False, index=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("received_at", sa.Text, nullable=False),
        sa.Column("received_from", sa.Text, nullable=False),
        sa.Column("filed_at", sa.Text, index=True),
        sa.Column("sku_id", sa.Text),
        sa.Column("market", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("round_id", sa.Text, index=True),
        sa.Index("ix_results_sku", "sku_id", "market"),
        sa.Index("ix_results_received_at", "received_at"),
    )
    _copy(lambda row: {"version": 1, "status": "final", "round_id": json.loads(row["content"])["round_id"]})


def downgrade() -> None:
    """Go back to one result a test; refuse where a report has more versions, which are never thrown away."""
    amended = sa.text("SELECT COUNT(*) FROM results WHERE version > 1")
    if op.get_bind().execute(amended).scalar():
        raise NotImplementedError("Versions of results are never removed. Keep the database, or begin a new one.")
    for index in ("ix_results_received_at", "ix_results_filed_at", "ix_results_round_id"):
        op.drop_index(index, "results")
    _set_aside()
    op.create_table(
        "results",
        sa.Column("test_id", sa.Text, primary_key=True),
        sa.Column("hand_in", sa.Text, nullable=False, index=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("received_at", sa.Text, nullable=False),
        sa.Column("received_from", sa.Text, nullable=False),
        sa.Column("filed_at", sa.Text),
        sa.Column("sku_id", sa.Text),
        sa.Column("market", sa.Text),
        sa.Index("ix_results_sku", "sku_id", "market"),
    )
    _copy(lambda _: {})
    with op.batch_alter_table("api_keys") as keys:
        keys.drop_column("lab_id")


def _set_aside() -> None:
    op.drop_index("ix_results_hand_in", "results")
    op.drop_index("ix_results_sku", "results")
    op.rename_table("results", "results_before")


def _copy(added: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
    """Copy the rows that were set aside, each with the columns `added`, and drop them."""
    connection = op.get_bind()
    before, after = (
        sa.table(name, *(sa.column(column) for column in (*_KEPT, "version", "status", "round_id")))
        for name in ("results_before", "results")
    )
    query = sa.select(*(before.c[name] for name in _KEPT)).order_by(before.c.test_id)
    for rows in connection.execute(query).mappings().partitions(ROWS_AT_ONCE):
        connection.execute(sa.insert(after), [{**row, **added(dict(row))} for row in rows])
    op.drop_table("results_before")
