import os
from pathlib import Path

import pytest

from app.errors import InputError
from app.files import write_whole


def test_a_file_is_written_whole_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    write_whole(file, "एक")
    write_whole(file, b"two")
    assert file.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_missing_folder_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"report.json: cannot be written \(No such file or directory\); check the folder"
    ):
        write_whole(tmp_path / "none" / "report.json", "x")
