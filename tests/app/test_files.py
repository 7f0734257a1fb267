import os
from pathlib import Path

import pytest

from app.errors import InputError
from app.files import check_writable, write_whole


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


def test_what_cannot_be_written_is_found_out_beforehand(tmp_path: Path) -> None:
    check_writable(tmp_path / "report.json")
    with pytest.raises(InputError, match=r"report.json: its folder does not exist; create it first"):
        check_writable(tmp_path / "none" / "report.json")
    with pytest.raises(InputError, match="cannot be written; name another file"):
        check_writable(tmp_path)
