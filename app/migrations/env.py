"""Alembic's entry: migrates on the connection, and in the transaction, that `app.schema` opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
