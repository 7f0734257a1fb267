from app.errors import InputError


def test_an_error_names_file_row_field_and_remedy_in_one_line() -> None:
    error = InputError("is empty\nhere", file="a.jsonl", row=3, field="answer", remedy="fill it in")
    assert str(error) == "a.jsonl, row 3, field 'answer': is empty here; fill it in"


def test_an_error_without_a_place_is_its_problem() -> None:
    assert str(InputError("no benchmark is named")) == "no benchmark is named"
