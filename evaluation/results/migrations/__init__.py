"""Alembic migrations of the results database; `evaluation.results.schema` runs them."""
