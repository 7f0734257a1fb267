from collections import Counter

import pytest

from app.errors import InputError
from app.languages import LANGUAGES, find_language, get_language


def test_there_are_fourteen_languages_in_cure_meds_tiers() -> None:
    assert len({language.code for language in LANGUAGES}) == 14
    assert Counter(language.tier for language in LANGUAGES) == {"high": 4, "medium": 4, "low": 5, None: 1}


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("hi", "hi"),
        ("HI", "hi"),
        ("Hindi", "hi"),
        (" hindi ", "hi"),
        ("हिन्दी", "hi"),
        ("हिंदी", "hi"),
        ("hin", "hi"),
        ("hi-IN", "hi"),
        ("hi_Deva_IN", "hi"),
        ("yo-NG", "yo"),
        ("Yorùbá", "yo"),
        ("swa-KE", "sw"),
        ("zh", None),
        ("", None),
        ("French-Canadian", None),
        ("日本語", "ja"),
    ],
)
def test_a_language_is_found_by_code_name_and_tag(key: str, code: str | None) -> None:
    found = find_language(key)
    assert (found.code if found else None) == code


def test_every_language_is_found_by_each_of_its_names() -> None:
    for language in LANGUAGES:
        for key in (language.code, language.iso639_3, language.english, language.own, f"{language.code}-XX"):
            assert get_language(key) is language


def test_an_unknown_language_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"unknown language 'Klingon'; use one of Amharic \(am\), .*Yoruba \(yo\)"):
        get_language("Klingon")
