"""Abuse: every try gets what `docs/serving/abuse.md` says, and the gateway serves on.

`python tests/server/test_abuse.py` writes the table.
"""

from collections.abc import Iterator
from pathlib import Path

import abuse_tries_wire  # noqa: F401  # adds its tries
import pytest
from abuse_target import Target
from abuse_tries import TRIES, Try

_TABLE = Path(__file__).parents[2] / "docs" / "serving" / "abuse.md"
_HEAD = """# Abuse: what was tried, and what it got

`tests/server/test_abuse.py` runs every line against a whole gateway with keys in a database; started as a program, it
writes this page. After each try an honest request is answered, no generation runs on, and no key stands in a log line.

| tried | got |
| --- | --- |
"""


def table() -> str:
    """The page."""
    return _HEAD + "".join(f"| {abuse.what} | {abuse.got} |\n" for abuse in TRIES)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with Target(tmp_path_factory.mktemp("abuse")) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("abuse", TRIES, ids=[abuse.what[:60] for abuse in TRIES])
def test_it_gets_what_the_table_says_and_the_gateway_serves_on(target: Target, abuse: Try) -> None:
    before = len(target.log)
    assert abuse.run(target) == abuse.got
    target.wait_until_idle()
    assert target.chat().seen == "200"
    assert not [line for line in target.log for key in target.keys.values() if key in line]
    assert not [line for line in target.log[before:] if '"level":"info"' not in line]


def test_there_are_tries_enough_and_each_is_another() -> None:
    assert len({abuse.what for abuse in TRIES}) == len(TRIES) >= 25


def test_the_page_is_the_table_of_these_tests() -> None:
    assert _TABLE.read_text(encoding="utf-8") == table()


if __name__ == "__main__":
    _TABLE.write_text(table(), encoding="utf-8")
