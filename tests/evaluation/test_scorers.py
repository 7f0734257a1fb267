import pytest

from evaluation.benchmarks.item import Item
from evaluation.results.records import Generation, Score
from evaluation.scorers import score_generation

MCQ = Item(
    id="q1", row=1, number="1", kind="mcq", question="मलेरिया किससे फैलता है?",
    options={"A": "मच्छर", "B": "पानी"}, gold="A", reference="मच्छर", language="hi",
)  # fmt: skip
OPEN = Item(
    id="q2", row=2, number="2", kind="qa", question="विटामिन C की कमी से कौन सा रोग होता है?",
    options=None, gold=None, reference="स्कर्वी", language="hi",
)  # fmt: skip


def scores_of(item: Item, text: str, format: str = "plain", **fields: str) -> dict[str, Score]:
    generation = Generation(sample=0, text=text, **fields)  # type: ignore[arg-type]
    return {score.scorer: score for score in score_generation(item, generation, format)}  # type: ignore[arg-type]


def test_a_choice_is_right_wrong_or_unparsed() -> None:
    assert scores_of(MCQ, "उत्तर: A")["choice"].value == 1.0
    wrong = scores_of(MCQ, "उत्तर: B")["choice"]
    assert (wrong.value, wrong.label) == (0.0, "B")
    unparsed = scores_of(MCQ, "मुझे नहीं पता।")["choice"]
    assert (unparsed.value, unparsed.label) == (None, "unparsed")


def test_a_choice_in_the_reasoning_of_a_cut_off_completion_does_not_count() -> None:
    cut = scores_of(MCQ, "## Thinking\n\nउत्तर: A लगता है", format="himed", finish_reason="length")
    assert cut["choice"].value is None
    assert cut["format"].value == 0.0
    assert cut["cut_off"].value == 1.0
    assert cut["language"].label == "no answer"


def test_reasoning_that_the_endpoint_returned_apart_leaves_the_text_as_the_answer() -> None:
    scores = scores_of(MCQ, "उत्तर: A", format="cure-med", reasoning="<step1>मच्छर से।</step1>")
    assert scores["choice"].value == 1.0
    assert scores["format"].value == 1.0


def test_open_answers_are_matched_exactly_and_normalised() -> None:
    assert scores_of(OPEN, " स्कर्वी ")["exact_match"].value == 1.0
    scores = scores_of(OPEN, "**स्कर्वी**।")
    assert (scores["exact_match"].value, scores["normalised_match"].value) == (0.0, 1.0)
    assert "choice" not in scores
    assert "exact_match" not in scores_of(MCQ, "A")


@pytest.mark.parametrize(
    ("text", "finish_reason", "language", "value"),
    [
        ("यह मलेरिया है", "stop", "hi", 0.0),
        ("यह मलेरिया है।", "length", "hi", 1.0),
        ("रोगी को तुरंत अस्पताल ले जाना चाहिए।", None, "hi", 0.0),
        ("रोगी को तुरंत अस्पताल ले जाना चाहिए और", None, "hi", 1.0),
        ("**The patient should be treated at home.**", None, "en", 0.0),
        ("ታካሚው በፍጥነት ወደ ሆስፒታል መሄድ አለበት።", None, "am", 0.0),
        ("D", None, "hi", None),
        ("ผู้ป่วย ควร ไป โรงพยาบาล ทันที เพื่อ รักษา", None, "th", None),
    ],
)
def test_cut_off_is_read_from_the_finish_reason_or_the_end(
    text: str, finish_reason: str | None, language: str, value: float | None
) -> None:
    item = Item(
        id="q", row=1, number=None, kind="qa", question="?", options=None, gold=None, reference="r", language=language
    )
    generation = Generation(sample=0, text=text, finish_reason=finish_reason)
    scores = {score.scorer: score for score in score_generation(item, generation, "plain")}
    assert scores["cut_off"].value == value


def test_the_share_of_devanagari_is_of_the_non_space_characters_of_hindi_answers() -> None:
    assert scores_of(OPEN, "कख ab")["devanagari_share"].value == 0.5
    assert scores_of(OPEN, "")["devanagari_share"].value is None


def test_a_failed_generation_has_no_scores() -> None:
    assert score_generation(MCQ, Generation(sample=0, text=None, error="HTTP 500"), "plain") == []


def test_language_scores_hold_the_verdict_and_the_foreign_spans() -> None:
    scores = scores_of(OPEN, "यह रोग विटामिन C की कमी से होता है। The patient should eat fresh fruit every day.")
    assert scores["language"].label == "mixed"
    assert scores["language"].detail is not None
    assert "patient should eat" in scores["language"].detail["foreign"][0][0]
