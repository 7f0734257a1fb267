from pathlib import Path

import pytest
from sqlalchemy import text

from app.database import open_engine
from app.errors import InputError


def test_sqlite_runs_in_wal_mode_with_foreign_keys(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("himed.db", "the database URL cannot be read; write it like"),
        ("mysql://a@b/c", "unsupported database 'mysql'; use"),
        ("sqlite:////no/such/folder/a.db", "/no/such/folder/a.db: the database's folder does not exist; create it"),
    ],
)
def test_a_wrong_url_is_refused_with_a_remedy(url: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_engine(url)
