"""What a decision answers and replaces, the row of its last change, whose results are whose, and webhooks."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROWS_AT_ONCE = 10_000


def upgrade() -> None:
    """Add columns and tables; earlier decisions get the ledger row of their last step, results their SKU."""
    op.add_column("decisions", sa.Column("ledger_row", sa.BigInteger))
    for name in ("ended_at", "replaces", "reference", "binds"):
        op.add_column("decisions", sa.Column(name, sa.Text))
    for name in ("sku_id", "market"):
        op.add_column("results", sa.Column(name, sa.Text))
    op.create_table(
        "decision_facts",
        sa.Column("decision_id", sa.Text, sa.ForeignKey("decisions.decision_id"), primary_key=True),
        sa.Column("row_id", sa.Text, primary_key=True),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("delivery_id", sa.Text, primary_key=True),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("ledger_row", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Index("ix_webhook_deliveries_due", "state", "due_at"),
        sa.UniqueConstraint("endpoint", "ledger_row", name="uq_webhook_deliveries_row"),
    )
    connection = op.get_bind()
    op.execute("UPDATE decisions SET binds = CASE disposition WHEN 'suspend' THEN 'supplier' ELSE 'sku' END")
    _backfill_ledger_rows(connection)
    _backfill_results(connection)
    with op.batch_alter_table("decisions") as decisions:
        decisions.alter_column("ledger_row", existing_type=sa.BigInteger(), nullable=False)
        decisions.alter_column("binds", existing_type=sa.Text(), nullable=False)
    op.create_index("ix_decisions_ledger_row", "decisions", ["ledger_row"])
    op.create_index("ix_decisions_supplier", "decisions", ["supplier_id", "state"])
    op.create_index("ix_decision_facts_row_id", "decision_facts", ["row_id"])
    op.create_index("ix_results_sku", "results", ["sku_id", "market"])


def downgrade() -> None:
    """Remove them; the ledger holds all of it."""
    for table in ("webhook_deliveries", "decision_facts"):
        op.drop_table(table)
    op.drop_index("ix_results_sku", "results")
    for index in ("ix_decisions_ledger_row", "ix_decisions_supplier"):
        op.drop_index(index, "decisions")
    with op.batch_alter_table("decisions") as decisions:
        for name in ("ledger_row", "ended_at", "replaces", "reference", "binds"):
            decisions.drop_column(name)
    with op.batch_alter_table("results") as results:
        for name in ("sku_id", "market"):
            results.drop_column(name)


def _backfill_ledger_rows(connection: sa.Connection) -> None:
    """Note the last ledger row of every decision, and the facts that its officer had before them."""
    of_decision = {row[0]: 0 for row in connection.execute(sa.text("SELECT decision_id FROM decisions"))}
    steps = sa.text("SELECT number, hash, action, content FROM ledger WHERE action IN "
                    "('propose', 'decide', 'approve', 'decline', 'answer_appeal') ORDER BY number")  # fmt: skip
    for number, digest, action, content in connection.execute(steps).yield_per(ROWS_AT_ONCE):
        values: dict[str, Any] = json.loads(content)
        decision_id = f"d-{digest[:12]}" if action in ("propose", "decide") else values.get("decision")
        if decision_id in of_decision and (action != "answer_appeal" or values.get("outcome") == "reversed"):
            of_decision[decision_id] = number
    for decision_id, number in of_decision.items():
        connection.execute(
            sa.text("UPDATE decisions SET ledger_row = :number WHERE decision_id = :id"),
            {"number": number, "id": decision_id},
        )
    shown = connection.execute(sa.text("SELECT decision_id, shown FROM decisions WHERE shown IS NOT NULL")).all()
    for decision_id, text in shown:
        for row_id in {fact["row_id"] for fact in json.loads(text)["facts"]}:
            connection.execute(
                sa.text("INSERT INTO decision_facts (decision_id, row_id) VALUES (:id, :row)"),
                {"id": decision_id, "row": row_id},
            )


def _backfill_results(connection: sa.Connection) -> None:
    rows = connection.execute(sa.text("SELECT test_id, content FROM results")).all()
    for test_id, content in rows:
        values = json.loads(content)
        connection.execute(
            sa.text("UPDATE results SET sku_id = :sku, market = :market WHERE test_id = :id"),
            {"sku": values["sku_id"], "market": values["market"], "id": test_id},
        )
