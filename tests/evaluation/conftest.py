"""Fixtures of the evaluation tests: a filled results database of either kind."""

from collections.abc import Iterator

import pytest
from results_sample import fill_database
from sqlalchemy import Engine

from app.schema import open_database


@pytest.fixture
def filled(database_url: str) -> Iterator[Engine]:
    """A results database with the content of `results_sample`."""
    engine = open_database(database_url)
    fill_database(engine)
    yield engine
    engine.dispose()
