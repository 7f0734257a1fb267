"""Language consistency on sentences of our own, in all fourteen languages."""

import subprocess
import sys
import unicodedata

import pytest

from app.consistency import Assessment, assess, langdetect_agrees
from app.errors import InputError
from app.languages import LANGUAGES

ANSWERS = {
    "am": "ታካሚው ብዙ ውሃ መጠጣት እና እረፍት ማድረግ አለበት። ትኩሳቱ ከሦስት ቀን በላይ ከቆየ ወደ ሐኪም መሄድ ያስፈልጋል።",
    "bn": "রোগীর প্রচুর পানি পান করা এবং বিশ্রাম নেওয়া উচিত। জ্বর তিন দিনের বেশি থাকলে চিকিৎসকের কাছে যেতে হবে।",
    "en": "The patient should drink plenty of water and rest. See a doctor if the fever lasts longer than three days.",
    "es": "El paciente debe beber mucha agua y descansar. Si la fiebre dura más de tres días, debe ir al médico.",
    "fr": "Le patient doit boire de l'eau et se reposer. Si la fièvre dure plus de trois jours, il doit consulter.",
    "ha": "Ya kamata mara lafiya ya sha ruwa da yawa kuma ya huta. Idan zazzabin ya wuce kwana uku, a je asibiti.",
    "hi": "मरीज को खूब पानी पीना चाहिए और आराम करना चाहिए। बुखार तीन दिन से ज्यादा रहे तो डॉक्टर को दिखाएँ।",
    "ja": "患者は水分を十分にとり、休息することが大切です。熱が三日以上続く場合は医師の診察を受けてください。",
    "ko": "환자는 물을 충분히 마시고 쉬어야 합니다. 열이 사흘 넘게 계속되면 의사의 진료를 받으십시오.",
    "sw": "Mgonjwa anapaswa kunywa maji mengi na kupumzika. Homa ikiendelea zaidi ya siku tatu, amwone daktari.",
    "th": "ผู้ป่วยควรดื่มน้ำมากๆ และพักผ่อนให้เพียงพอ หากมีไข้นานเกินสามวันควรไปพบแพทย์",
    "tr": "Hasta bol su içmeli ve dinlenmelidir. Ateş üç günden uzun sürerse bir doktora başvurmak gerekir.",
    "vi": "Bệnh nhân nên uống nhiều nước và nghỉ ngơi. Nếu sốt kéo dài hơn ba ngày thì cần đi khám bác sĩ.",
    "yo": "Aláìsàn náà gbọ́dọ̀ mu omi púpọ̀ kí ó sì sinmi. Bí ibà náà bá ju ọjọ́ mẹ́ta lọ, ó yẹ kí ó lọ rí dókítà.",
}
ENGLISH = "Antibiotics should not be given because the infection is caused by a virus."
HINDI = ANSWERS["hi"]


def spans_are_in_place(text: str, assessment: Assessment) -> bool:
    return all(text[span.start : span.end] == span.text for span in assessment.foreign)


def test_every_language_has_an_answer_here() -> None:
    assert set(ANSWERS) == {language.code for language in LANGUAGES}


@pytest.mark.parametrize("code", ANSWERS)
def test_an_answer_in_its_language_is_consistent(code: str) -> None:
    assert assess(ANSWERS[code], code) == Assessment("consistent", 1.0, ())


@pytest.mark.parametrize("code", ANSWERS)
def test_an_answer_in_another_language_is_inconsistent_and_its_language_is_guessed(code: str) -> None:
    for target in ANSWERS:
        if target != code:
            found = assess(ANSWERS[code], target)
            assert found.verdict == "inconsistent", target
            assert found.target_share == 0.0
            assert {span.language for span in found.foreign} == {code}, target
            assert spans_are_in_place(ANSWERS[code], found)


@pytest.mark.parametrize("code", [code for code in ANSWERS if code != "en"])
def test_an_english_sentence_within_is_the_foreign_span(code: str) -> None:
    text = f"{ANSWERS[code]} {ENGLISH} {ANSWERS[code]}"
    found = assess(text, code)
    assert found.verdict == "mixed"
    assert 0.3 < (found.target_share or 0) < 1
    (span,) = found.foreign
    assert span.language == "en"
    assert span.text.rstrip(".") == ENGLISH.rstrip(".")
    assert text[span.start : span.end] == span.text


def test_the_language_may_be_named_in_any_way() -> None:
    assert assess(HINDI, "Hindi") == assess(HINDI, "hi-IN") == assess(HINDI, "हिन्दी") == assess(HINDI, "hi")


def test_an_unknown_language_is_an_error() -> None:
    with pytest.raises(InputError, match="unknown language"):
        assess(HINDI, "Klingon")
    with pytest.raises(InputError, match="unknown language"):
        langdetect_agrees(HINDI, "Klingon")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "120/80, 37.5, 98 %",
        "१२० ÷ ४ = ३०",
        "D",
        "(B)",
        "क",
        "https://www.who.int/news/item/01-01-2024-this-is-a-page",
        "```python\nif the_value is not None:\n    print('this is not a sentence')\n```",
        r"\[ x = \frac{-b \pm \sqrt{b^2 - 4ac}}{2a} \]",
        "$E = mc^2$",
        "<br/><answer></answer>",
        "🙂🙂🙂",
    ],
)
@pytest.mark.parametrize("code", ["hi", "fr", "ja", "en"])
def test_a_text_without_words_is_undetermined(text: str, code: str) -> None:
    assert assess(text, code) == Assessment("undetermined", None, ())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Paracetamol", "hi"),
        ("Acute lymphoblastic leukemia", "hi"),
        ("Trichomonas vaginalis.", "vi"),
        ("Klebsiella pneumoniae", "es"),
        ("急性心筋梗塞", "ja"),
        ("Ibuprofen, Naproxen, Diclofenac, Ketorolac, Celecoxib", "ko"),
        ("HbA1c 8.2 %, LDL 190 mg/dL", "th"),
        ("CH3COOH + NaOH → CH3COONa + H2O", "hi"),
    ],
)
def test_a_term_alone_is_undetermined(text: str, code: str) -> None:
    assert assess(text, code).verdict == "undetermined"


@pytest.mark.parametrize(
    "text",
    [
        "मरीज को तुरंत Aspirin 325 mg, Clopidogrel 300 mg और Atorvastatin 80 mg दें।",
        "इस रोग को chronic obstructive pulmonary disease (COPD) कहते हैं।",
        "यह Food and Drug Administration (FDA) द्वारा स्वीकृत है।",
        "औषध (drug) चिकित्सा (therapy) की अवधि (duration) कम करने में यह सहायक (helpful) है।",
        "रोगी को डॉ. शर्मा के पास भेजा गया; Dr. Rao ने भी यही कहा।",
        "भाग α और β दोनों बढ़े हुए हैं।",
    ],
)
def test_terms_within_a_hindi_sentence_are_neutral(text: str) -> None:
    assert assess(text, "hi") == Assessment("consistent", 1.0, ())


def test_an_english_clause_within_a_hindi_sentence_is_foreign() -> None:
    text = "मरीज को आराम करना चाहिए because the infection is caused by a virus और पानी पीना चाहिए।"
    found = assess(text, "hi")
    assert found.verdict == "mixed"
    assert [span.text for span in found.foreign] == ["because the infection is caused by a virus"]
    assert spans_are_in_place(text, found)


def test_an_english_clause_within_a_french_sentence_is_foreign() -> None:
    text = "Le patient présente une fièvre élevée, which should be treated with fluids and rest, et il doit se reposer."
    found = assess(text, "fr")
    assert found.verdict == "mixed"
    assert [(span.text, span.language) for span in found.foreign] == [
        ("which should be treated with fluids and rest", "en")
    ]
    assert spans_are_in_place(text, found)


def test_a_text_cut_in_the_middle_is_judged_by_what_is_there() -> None:
    for code, answer in ANSWERS.items():
        assert assess(answer[: len(answer) * 4 // 5], code).verdict == "consistent", code


@pytest.mark.parametrize(
    ("text", "code", "guess"),
    [
        ("रुग्णाला ताप आणि खोकला आहे, म्हणून त्याने विश्रांती घ्यावी.", "hi", "mr"),
        ("बिरामीलाई ज्वरो र खोकी लागेको छ, त्यसैले आराम गर्नुपर्छ।", "hi", "ne"),
        ("Mareez ko bukhar hai, isliye use aaram karna chahiye.", "hi", "hi-Latn"),
        ("እቲ ሕሙም ረስኒን ሰዓልን ስለ ዘለዎ ዕረፍቲ ክወስድ ኣለዎ።", "am", "ti"),
        ("患者发烧并且咳嗽，所以应该休息。", "ja", "zh"),
        ("患者發燒並且咳嗽，我們建議他多休息。", "ja", "zh"),
        ("Der Patient sollte viel Wasser trinken und sich ausruhen.", "fr", "de"),
        ("O paciente deve beber muita água e descansar durante três dias.", "es", "pt"),
        ("Пациент должен пить много воды и отдыхать.", "tr", None),
        ("ᱥᱤᱫᱟᱹᱝ ᱥᱟᱲᱟᱝ ᱨᱮᱭᱟᱱᱟ ᱱᱤᱠᱟᱱ", "ha", None),
    ],
)
def test_a_relative_or_a_language_outside_the_fourteen_is_inconsistent(text: str, code: str, guess: str | None) -> None:
    found = assess(text, code)
    assert found.verdict == "inconsistent"
    assert [span.language for span in found.foreign] == [guess]
    assert spans_are_in_place(text, found)


def test_a_marathi_sentence_in_a_hindi_text_is_the_foreign_span() -> None:
    marathi = "हे औषध दिवसातून दोन वेळा जेवणानंतर घ्यावे आणि भरपूर पाणी प्यावे।"
    found = assess(f"{HINDI} {marathi}", "hi")
    assert found.verdict == "mixed"
    assert [(span.text, span.language) for span in found.foreign] == [(marathi, "mr")]


def test_what_is_no_prose_is_neutral() -> None:
    text = (
        f"<thinking><step1>{HINDI}</step1></thinking>\n"
        "## उत्तर\n* **मुख्य कारण**: [यह लेख](https://example.org/this-is-the-page) देखें।\n"
        "`this is the code that should not be read`\n"
        r"सूत्र \( \text{dose is the amount that they have} \) और $x^2 + y_1$ है।"
    )
    assert assess(text, "hi").verdict == "consistent"


def test_prose_in_boxed_is_read() -> None:
    assert assess(rf"\boxed{{{ENGLISH}}}", "hi").verdict == "inconsistent"
    assert assess(rf"\boxed{{{HINDI}}}", "hi").verdict == "consistent"


def test_money_is_no_formula() -> None:
    assert (
        assess("It costs $5 today, and the patient should have paid $10 before that.", "hi").verdict == "inconsistent"
    )


def test_offsets_are_those_of_a_text_that_is_not_composed() -> None:
    for code in ("yo", "vi", "fr", "ko"):
        text = unicodedata.normalize("NFD", f"{ANSWERS[code]} {ENGLISH} {ANSWERS[code]}")
        found = assess(text, code)
        assert found.verdict == "mixed"
        (span,) = found.foreign
        assert span.text.rstrip(".") == ENGLISH.rstrip(".")
        assert text[span.start : span.end] == span.text
    # The span ends in a letter with its mark, which NFC makes one character.
    french = unicodedata.normalize("NFD", "Le patient doit être hospitalisé")
    text = f"{HINDI} {french}। {HINDI}"
    assert [span.text for span in assess(text, "hi").foreign] == [french]
    # NFC makes this text longer: these letters with nukta are composition exclusions.
    text = f"{HINDI} ज़्यादा क़लम फ़र्क़ पड़ता है। {ENGLISH}"
    assert spans_are_in_place(text, assess(text, "hi"))


def test_composed_and_decomposed_text_give_the_same_verdict() -> None:
    for code, answer in ANSWERS.items():
        assert assess(unicodedata.normalize("NFD", answer), code).verdict == "consistent", code


def test_yoruba_without_tone_marks_is_yoruba() -> None:
    plain = "".join(c for c in unicodedata.normalize("NFD", ANSWERS["yo"]) if not unicodedata.combining(c))
    assert assess(plain, "yo").verdict == "consistent"
    assert assess(plain, "ha").verdict == "inconsistent"


def test_capitals_are_read_as_sentences() -> None:
    assert assess(ANSWERS["fr"].upper(), "fr").verdict == "consistent"
    assert assess(ENGLISH.upper(), "hi").verdict == "inconsistent"


def test_a_phrase_quoted_from_the_question_is_neutral() -> None:
    question = 'मरीज ने कहा "I have had pain in my chest since the morning"। इसका क्या मतलब है?'
    answer = 'जब मरीज "I have had pain in my chest since the morning" कहता है, तो दिल की जाँच करनी चाहिए।'
    assert assess(answer, "hi").verdict == "mixed"
    assert assess(answer, "hi", question) == Assessment("consistent", 1.0, ())


def test_repeating_an_english_question_is_no_answer_in_hindi() -> None:
    question = "What is the treatment of malaria in a pregnant woman?"
    assert assess(question, "hi", question).verdict == "inconsistent"


def test_decimals_abbreviations_and_list_numbers_end_no_sentence() -> None:
    text = (
        "1. Le Dr. Martin a prescrit 2.5 mg de ce médicament, cf. la notice.\n2. The dose should be taken with water."
    )
    found = assess(text, "fr")
    assert [span.text for span in found.foreign] == ["The dose should be taken with water"]
    assert found.verdict == "mixed"


def test_a_forgotten_blank_between_sentences_hides_no_english() -> None:
    text = ANSWERS["es"] + ENGLISH
    assert [span.text.rstrip(".") for span in assess(text, "es").foreign] == [ENGLISH.rstrip(".")]


def test_neighbouring_foreign_sentences_are_one_span() -> None:
    text = f"{HINDI} {ENGLISH} {ENGLISH} {HINDI}"
    assert len(assess(text, "hi").foreign) == 1


def test_hostile_text_ends() -> None:
    # Each would take minutes with a pattern that goes back over what it has read.
    for part in ("\\(", "\\[", "\\begin{a}", "<!--", "<a ", "$a", "`", "](x", "e.g. ", "((", "a@", "10.1234/"):
        text = part * (100_000 // len(part))
        assert assess(text, "fr").verdict in ("undetermined", "inconsistent", "consistent", "mixed")


@pytest.mark.parametrize("code", [code for code in ANSWERS if code not in ("am", "ha", "yo")])
def test_langdetect_agrees_with_its_languages(code: str) -> None:
    assert langdetect_agrees(ANSWERS[code], code) is True
    assert langdetect_agrees(ANSWERS[code], "hi" if code != "hi" else "fr") is False


def test_langdetect_is_none_where_it_cannot_know() -> None:
    for code in ("am", "ha", "yo"):
        assert langdetect_agrees(ANSWERS[code], code) is None
    for text in ("", "123 456", "https://example.org"):
        assert langdetect_agrees(text, "fr") is None


def test_langdetect_does_not_change_its_mind() -> None:
    text = "Diabetes mellitus"
    assert len({langdetect_agrees(text, "es") for _ in range(20)}) == 1


def test_importing_loads_no_detector() -> None:
    code = "import sys, app.consistency; print([m for m in ('py3langid', 'langdetect', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
