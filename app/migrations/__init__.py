"""Alembic migrations of the results database; `app.schema` runs them."""
