"""Runs the migrations on the connection that `data.state.database` gives, inside its transaction."""

from alembic import context

from data.state.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
