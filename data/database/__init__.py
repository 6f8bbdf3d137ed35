"""The database of state: connection, schema, migrations, audit log."""
