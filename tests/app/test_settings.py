import pytest

from app.errors import InputError
from app.settings import load_settings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIMED_DB", "postgresql://u@h/d")
    monkeypatch.setenv("HIMED_API_KEY", "secret")
    settings = load_settings()
    assert settings.db == "postgresql://u@h/d"
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "secret"
    assert "secret" not in repr(settings)


def test_a_misspelt_variable_is_an_error_that_lists_the_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIMED_DATADIR", "x")
    with pytest.raises(
        InputError, match=r"unknown environment variable HIMED_DATADIR; unset it, or use one of .*HIMED_DATA_DIR"
    ):
        load_settings()
