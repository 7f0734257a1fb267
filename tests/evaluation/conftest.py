"""Fixtures of the evaluation tests: a results database of either kind."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from results_sample import fill_database
from sqlalchemy import Engine, make_url
from ulid import ULID

from evaluation.results.schema import open_database

# Taken out of the environment: the settings refuse every HIMED_ variable that they do not know.
POSTGRES = os.environ.pop("HIMED_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database that lives as long as the test."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'results.db'}"
        return
    try:
        admin = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL server at {make_url(POSTGRES)!r} (HIMED_TEST_POSTGRES names another): {error}")
    name = f"himed_test_{ULID()}".lower()
    with admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
        finally:
            # FORCE: a test's engine may still hold pooled connections.
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def filled(database_url: str) -> Iterator[Engine]:
    """A results database with the content of `results_sample`."""
    engine = open_database(database_url)
    fill_database(engine)
    yield engine
    engine.dispose()
