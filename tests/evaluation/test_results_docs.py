"""The schema's page says what the schema is."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from app.schema import HEAD
from app.tables import Base

PAGE = Path(__file__).parents[2] / "docs" / "results-schema.md"
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def _documented() -> dict[str, list[str]]:
    tables = PAGE.read_text(encoding="utf-8").partition("## Tables")[2].partition("\n## ")[0]
    sections = re.split(r"^### (\w+)$", tables, flags=re.MULTILINE)[1:]
    return {
        name: re.findall(r"^\| `(\w+)` \| \S", section, re.MULTILINE)
        for name, section in zip(sections[::2], sections[1::2], strict=True)
    }


def test_every_table_and_column_is_on_the_page_and_no_other() -> None:
    assert _documented() == {
        name: [column.name for column in table.columns] for name, table in Base.metadata.tables.items()
    }


def test_the_newest_version_is_on_the_page() -> None:
    assert re.findall(r"^\| (\d{4}) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)[-1] == HEAD


def test_there_are_queries_to_run() -> None:
    assert len(QUERIES) == 6


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_every_query_of_the_page_finds_something(filled: Engine, query: str) -> None:
    with filled.connect() as connection:
        assert connection.execute(text(query)).all()


def test_the_first_query_gives_the_reports_accuracy(filled: Engine) -> None:
    with filled.connect() as connection:
        rows = connection.execute(text(QUERIES[0])).all()
    assert [(row.model, row.language, round(row.accuracy, 4), row.n) for row in rows] == [
        ("himed-8b", "hi", 0.6667, 3),
        ("claude-3-haiku", "hi", 0.3333, 3),
        ("himed-8b", "en", 1.0, 3),
    ]
