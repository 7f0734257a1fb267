"""The notice that answers are no medical advice."""

import pytest

from app.consistency import assess
from app.errors import InputError
from app.languages import LANGUAGES
from app.notices import NOTICES, notice

CODES = [language.code for language in LANGUAGES]


def test_each_language_has_one_of_its_own() -> None:
    assert set(NOTICES) == set(CODES)
    assert len(set(NOTICES.values())) == len(CODES)


@pytest.mark.parametrize("code", CODES)
def test_it_is_short_and_in_its_language(code: str) -> None:
    assert len(notice(code)) < 100
    assert assess(notice(code), code).verdict in ("consistent", "undetermined")


def test_the_language_may_be_named_in_any_way() -> None:
    assert notice("Hindi") == notice("hi-IN") == NOTICES["hi"]
    with pytest.raises(InputError, match="unknown language"):
        notice("Klingon")
