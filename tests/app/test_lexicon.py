"""The lexicon against the definition: one regular expression of all the terms."""

import json
import re
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InputError
from app.lexicon import Lexicon, fold_case, normalise_term


class RegexReference:
    """Masking written down plainly, as the design states it: slow, and the oracle for the index."""

    def __init__(self, terms: Iterable[str]) -> None:
        kept = sorted({term for term in map(self.normalise, terms) if len(term) >= 2}, key=len, reverse=True)
        self.pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, kept))})\b" if kept else "(?!)", re.IGNORECASE)

    @staticmethod
    def normalise(term: str) -> str:
        return re.sub("[-_]+", "-", re.sub(r"\s+", " ", term.lower().strip()))

    def spans(self, text: str) -> list[tuple[int, int]]:
        covered: list[tuple[int, int]] = []
        for match in self.pattern.finditer(text):
            left = re.search(r"\(?\s*\Z", text[: match.start()])
            right = re.match(r"\s*\)?", text[match.end() :])
            assert left
            assert right
            start, end = left.start(), match.end() + right.end()
            while covered and start <= covered[-1][1]:
                earlier = covered.pop()
                start, end = min(start, earlier[0]), max(end, earlier[1])
            covered.append((start, end))
        return covered

    def mask(self, text: str) -> str:
        for start, end in reversed(self.spans(text)):
            text = text[:start].rstrip() + text[end:].lstrip()
        return re.sub(r"\s+", " ", text).strip()


def lexicon_of(*terms: str) -> Lexicon:
    return Lexicon((term, "अनुवाद") for term in terms)


def assert_equal_to_reference(lexicon: Lexicon, reference: RegexReference, text: str) -> None:
    assert lexicon.spans(text) == reference.spans(text)
    assert lexicon.mask(text) == reference.mask(text)


def test_a_gloss_is_masked_with_its_parentheses_and_blanks() -> None:
    lexicon = lexicon_of("blood", "heart attack")
    text = "रक्त (blood) और दिल का दौरा ( Heart Attack ) है"
    assert [text[start:end] for start, end in lexicon.spans(text)] == ["(blood)", "( Heart Attack )"]
    assert lexicon.mask(text) == "रक्तऔर दिल का दौराहै"


def test_growth_takes_white_space_before_one_parenthesis_and_nothing_behind_it() -> None:
    text = "क  ((  blood  ))  ख"
    assert [text[start:end] for start, end in lexicon_of("blood").spans(text)] == ["(  blood  )"]
    assert lexicon_of("blood").mask(text) == "क () ख"


def test_full_width_parentheses_stay() -> None:
    assert lexicon_of("blood").spans("（blood）") == [(1, 6)]


def test_the_longest_term_wins_and_a_shorter_one_is_tried_when_the_longer_fails() -> None:
    lexicon = lexicon_of("heart", "heart rate", "heart rate variability")
    assert lexicon.spans("heart rate variability") == [(0, 22)]
    assert lexicon.spans("heart rate variabilityx") == [(0, 11)]
    assert lexicon.spans("heart ratex") == [(0, 6)]


def test_the_leftmost_match_wins_over_a_longer_one_that_begins_inside_it() -> None:
    assert lexicon_of("blood cell", "cell membrane potential").spans("x blood cell membrane potential") == [(1, 13)]


def test_touching_spans_merge() -> None:
    assert lexicon_of("blood", "cell").spans("क blood cell (blood) ख") == [(1, 20)]


def test_a_term_inside_a_word_is_no_match() -> None:
    assert lexicon_of("ph").spans("aph phx ph_ ph1 phक") == []
    # A Devanagari vowel sign is no word character for `re`: the boundary stands, as in the published reward.
    assert lexicon_of("rate").spans("rateी") == [(0, 4)]


def test_terms_are_normalised_and_the_text_is_not() -> None:
    lexicon = lexicon_of("  Non__Hodgkin \t Lymphoma ")
    assert list(lexicon.entries) == ["non-hodgkin lymphoma"]
    assert lexicon.spans("NON-HODGKIN LYMPHOMA") == [(0, 20)]
    assert lexicon.spans("non-hodgkin  lymphoma") == []
    assert lexicon.spans("non_hodgkin lymphoma") == []


def test_a_text_without_terms_has_its_white_space_folded() -> None:
    assert lexicon_of("blood").mask("  यह\n\nवाक्य  है ") == "यह वाक्य है"


def test_translations_of_one_term_are_kept_in_order_and_rows_without_english_counted() -> None:
    lexicon = Lexicon([("Blood", "रक्त"), ("blood ", "खून"), ("BLOOD", "रक्त"), (" ", "हृदय"), ("a", "क"), ("cell", "")])
    assert dict(lexicon.entries) == {"blood": ("रक्त", "खून"), "cell": ()}
    assert len(lexicon) == 2
    assert lexicon.skipped == 1


def test_an_empty_lexicon_matches_nothing() -> None:
    assert Lexicon([]).spans("blood (cell)") == []


def test_folding_equals_the_case_rules_of_re_for_every_character() -> None:
    iota = "\u0345"  # combining iota: documented as left out, because it is a letter to no word boundary
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    folded = fold_case("".join(characters))
    assert len(folded) == len(characters)
    cased = [c for c in characters if (c != c.lower() or c != c.upper() or fold_case(c) != c) and c != iota]
    everything = "".join(cased)
    by_key: dict[str, set[str]] = {}
    for character in cased:
        by_key.setdefault(fold_case(character), set()).add(character)
    for character in cased:
        assert set(re.findall(re.escape(character), everything, re.IGNORECASE)) == by_key[fold_case(character)]


# Letters with odd case rules, white space of several kinds, hyphens, parentheses and Devanagari with combining signs.
ODD_LETTERS = ["a", "B", "s", "\u017f", "S", "k", "\u212a", "i", "I", "\u0130", "\u0131", "\u0307", "ß", "\u1e9e", "Σ"]
ODD_LETTERS += [
    "\u03c2",
    "σ",
    "\u00b5",
    "\u03bc",
    "β",
    "\u03d0",
    "\ufb01",
    "\u1fd3",
    "\u0390",
    "ф",
    "रक्त",
    "्",
    "ी",
    "ab",
]
BETWEEN = [" ", "  ", "\t", "\n", "\u00a0", "-", "_", "--", "(", ")", "((", ".", "’", "5"]
PIECES = st.sampled_from([*ODD_LETTERS, *BETWEEN])
TEXTS = st.lists(PIECES, max_size=24).map("".join)


@settings(max_examples=600, deadline=None)
@given(terms=st.lists(st.lists(PIECES, max_size=5).map("".join), max_size=8), text=TEXTS)
def test_spans_and_mask_equal_the_regular_expression(terms: list[str], text: str) -> None:
    assert_equal_to_reference(lexicon_of(*terms), RegexReference(terms), text)


@settings(max_examples=300, deadline=None)
@given(term=TEXTS)
def test_terms_are_normalised_as_the_design_says(term: str) -> None:
    assert normalise_term(term) == RegexReference.normalise(term)


@pytest.fixture(scope="module")
def real_lexicon(shared_data: Path) -> Lexicon:
    return Lexicon.load(shared_data / "himed" / "lexicon_en_hi.xlsx")


@pytest.fixture(scope="module")
def real_texts(shared_data: Path) -> list[str]:
    corpus = json.loads((shared_data / "himed" / "HiMed-West_Corpus_sample.json").read_text(encoding="utf-8"))
    return [
        f"## Thinking\n\n{row['Complex_CoT']}\n\n## Response\n\n{row['ground_truth']}" for row in corpus["questions"]
    ]


def test_the_real_lexicon_has_its_terms(real_lexicon: Lexicon) -> None:
    assert len(real_lexicon) == 44_350
    assert real_lexicon.entries["abscess"][0] == "फोड़ा"


def test_a_slice_of_the_real_lexicon_equals_the_regular_expression(
    real_lexicon: Lexicon, real_texts: list[str]
) -> None:
    terms = list(real_lexicon.entries)[::10]
    lexicon, reference = lexicon_of(*terms), RegexReference(terms)
    found = 0
    for text in real_texts[::10]:
        assert_equal_to_reference(lexicon, reference, text)
        found += len(lexicon.spans(text))
    assert found > 50


@pytest.mark.slow
def test_the_whole_real_lexicon_equals_the_regular_expression(real_lexicon: Lexicon, real_texts: list[str]) -> None:
    reference = RegexReference(real_lexicon.entries)
    for text in real_texts[:8]:
        assert_equal_to_reference(real_lexicon, reference, text)


def write_xlsx(path: Path, rows: list[list[object]]) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_xlsx_and_csv_of_the_same_rows_give_the_same_lexicon(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["Hindi", "english ", "Note"],
        ["रक्त", "Blood", "x"],
        ["बारह", 12, ""],
        [None, None],
        ["?", None],
    ]
    book = Lexicon.load(write_xlsx(tmp_path / "lexicon.xlsx", rows))
    table = tmp_path / "lexicon.csv"
    table.write_text("\ufeffHindi,english ,Note\nरक्त,Blood,x\nबारह,12\n\n?,,\n", encoding="utf-8")
    assert dict(book.entries) == dict(Lexicon.load(table).entries) == {"blood": ("रक्त",), "12": ("बारह",)}
    assert book.skipped == Lexicon.load(table).skipped == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.xlsx: the lexicon does not exist; give"):
        Lexicon.load(tmp_path / "none.xlsx")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lexicon.json").write_text("[]")
    with pytest.raises(InputError, match=r"lexicon\.json: unknown kind of lexicon file; give an \.xlsx or \.csv file"):
        Lexicon.load(tmp_path / "lexicon.json")


def test_a_missing_column_is_named_with_those_found(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "l.xlsx", [["Eng", "Hindi"], ["blood", "रक्त"]])
    with pytest.raises(InputError, match=r"l\.xlsx, row 1, field 'English': .*found: eng, hindi"):
        Lexicon.load(path)


@pytest.mark.parametrize("rows", [[["English", "Hindi"]], [["English", "Hindi"], ["a", "क"], ["", "ख"]]])
def test_a_lexicon_without_a_term_is_refused(tmp_path: Path, rows: list[list[object]]) -> None:
    with pytest.raises(InputError, match=r"l\.xlsx, field 'English': the lexicon holds no English term"):
        Lexicon.load(write_xlsx(tmp_path / "l.xlsx", rows))


def test_an_empty_csv_lacks_its_columns(tmp_path: Path) -> None:
    (tmp_path / "l.csv").touch()
    with pytest.raises(InputError, match=r"l\.csv, row 1, field 'English'.*found: none"):
        Lexicon.load(tmp_path / "l.csv")


def test_a_corrupt_workbook_is_one_clear_error(tmp_path: Path) -> None:
    whole = write_xlsx(tmp_path / "l.xlsx", [["English", "Hindi"], ["blood", "रक्त"]]).read_bytes()
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("readme.txt", "no workbook")
    for content in (b"", b"English,Hindi\n", whole[: len(whole) // 2], (tmp_path / "other.zip").read_bytes()):
        path = tmp_path / "broken.xlsx"
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"broken\.xlsx: the workbook cannot be read .*; save it again"):
            Lexicon.load(path)


def test_a_csv_in_another_encoding_or_with_an_open_quote_names_the_row(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_bytes("English,Hindi\nblood,रक्त\ncaf".encode() + b"\xe9,x\n")
    with pytest.raises(InputError, match=r"l\.csv, row \d+: the file cannot be read .*; save it as UTF-8 CSV"):
        Lexicon.load(path)
    path.write_text('English,Hindi\nblood,रक्त\n"heart,हृदय\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"l\.csv, row \d+: the file cannot be read"):
        Lexicon.load(path)
