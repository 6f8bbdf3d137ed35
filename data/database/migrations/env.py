"""Runs the migrations on the connection that `data.database.connection` gives, inside its transaction."""

from alembic import context

from data.database.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
