"""The prompts of the plain, HiMed and CURE-Med formats, defined once for training and evaluation alike.

- ``plain``: the question, its option lines, and an instruction in the question's language.
- ``himed``: the question and its option lines, nothing else, as in HiMed's training corpora; no system message.
- ``cure-med``: a system message that asks for reasoning mainly in English with switches into the question's language,
  and a user message that names the language, asks the question and repeats the output contract.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypedDict

from app.errors import InputError
from app.formats import (
    ANSWER_CLOSE,
    ANSWER_OPEN,
    RESPONSE_HEADING,
    STEP_TAG,
    THINKING_CLOSE,
    THINKING_OPEN,
    Format,
    cure_med_completion,
    himed_completion,
)
from app.languages import LANGUAGES, Language, get_language

MIN_OPTIONS: Final = 2
MAX_OPTIONS: Final = 26


class Message(TypedDict):
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Example:
    """A solved question for few-shot prompts, or an earlier turn of a conversation.

    With options, ``answer`` is a letter of them or the text of one. ``language`` None is the language of the prompt.
    """

    question: str
    options: Mapping[str, str] | None
    answer: str
    reasoning: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a plain prompt asks for, in one language. ``choose`` shows the answer line with the letter X."""

    choose: str
    answer_line: str  # holds {letter}
    open: str


INSTRUCTIONS: Final[Mapping[str, Instruction]] = {
    "am": Instruction(
        "አንድ ትክክለኛ አማራጭ ብቻ ይምረጡ። ምላሽዎን “መልስ: X” በሚል መስመር ይጨርሱ፤ X የመረጡት አማራጭ ፊደል ነው።",
        "መልስ: {letter}",
        "በአማርኛ ይመልሱ።",
    ),
    "bn": Instruction(
        "একটিমাত্র সঠিক বিকল্প বেছে নিন। সবশেষে “উত্তর: X” আকারে একটি লাইন লিখুন, যেখানে X হলো আপনার বেছে নেওয়া বিকল্পের অক্ষর।",
        "উত্তর: {letter}",
        "বাংলায় উত্তর দিন।",
    ),
    "en": Instruction(
        "Choose the one correct option. End your reply with a line of the form “Answer: X”, "
        "where X is the letter of the option you chose.",
        "Answer: {letter}",
        "Answer in English.",
    ),
    "es": Instruction(
        "Elija la única opción correcta. Termine su respuesta con una línea de la forma «Respuesta: X», "
        "donde X es la letra de la opción elegida.",
        "Respuesta: {letter}",
        "Responda en español.",
    ),
    "fr": Instruction(
        "Choisissez la seule option correcte. Terminez votre réponse par une ligne de la forme « Réponse : X », "
        "où X est la lettre de l'option choisie.",
        "Réponse : {letter}",
        "Répondez en français.",
    ),
    "ha": Instruction(
        "Zaɓi amsa ɗaya tak da ta dace. Ka ƙare bayaninka da layi mai wannan tsari: “Amsa: X”, "
        "inda X shi ne harafin amsar da ka zaɓa.",
        "Amsa: {letter}",
        "Ka amsa da harshen Hausa.",
    ),
    "hi": Instruction(
        "केवल एक सही विकल्प चुनें। अंत में “उत्तर: X” के रूप में एक पंक्ति लिखें, जहाँ X आपके चुने हुए विकल्प का अक्षर है।",
        "उत्तर: {letter}",
        "हिन्दी में उत्तर दें।",
    ),
    "ja": Instruction(
        "正しい選択肢を一つだけ選んでください。"
        "回答の最後に「答え: X」という形の行を書いてください（X は選んだ選択肢の文字）。",
        "答え: {letter}",
        "日本語で答えてください。",
    ),
    "ko": Instruction(
        "올바른 선택지를 하나만 고르세요. 마지막 줄에 “정답: X” 형식으로 쓰세요. 여기서 X는 고른 선택지의 글자입니다.",
        "정답: {letter}",
        "한국어로 답하세요.",
    ),
    "sw": Instruction(
        "Chagua jibu moja tu lililo sahihi. Maliza kwa mstari wenye muundo huu: “Jibu: X”, "
        "ambapo X ni herufi ya jibu ulilochagua.",
        "Jibu: {letter}",
        "Jibu kwa Kiswahili.",
    ),
    "th": Instruction(
        "เลือกตัวเลือกที่ถูกต้องเพียงข้อเดียว และจบคำตอบด้วยบรรทัดในรูปแบบ “คำตอบ: X” โดยที่ X คือตัวอักษรของตัวเลือกที่คุณเลือก",
        "คำตอบ: {letter}",
        "โปรดตอบเป็นภาษาไทย",
    ),
    "tr": Instruction(
        "Doğru olan tek seçeneği seçin. Yanıtınızı “Cevap: X” biçiminde bir satırla bitirin; "
        "burada X, seçtiğiniz seçeneğin harfidir.",
        "Cevap: {letter}",
        "Türkçe yanıtlayın.",
    ),
    "vi": Instruction(
        "Hãy chọn một phương án đúng duy nhất. Kết thúc câu trả lời bằng một dòng có dạng “Đáp án: X”, "
        "trong đó X là chữ cái của phương án bạn chọn.",
        "Đáp án: {letter}",
        "Hãy trả lời bằng tiếng Việt.",
    ),
    "yo": Instruction(
        "Yan ìdáhùn kan ṣoṣo tí ó tọ̀nà. Fi ìlà kan tí ó rí báyìí parí ọ̀rọ̀ rẹ: “Ìdáhùn: X”, "
        "níbi tí X ti jẹ́ lẹ́tà ìdáhùn tí o yàn.",
        "Ìdáhùn: {letter}",
        "Dáhùn ní èdè Yorùbá.",
    ),
}

_CONTRACT = (
    f"{THINKING_OPEN}<{STEP_TAG}1>…</{STEP_TAG}1><{STEP_TAG}2>…</{STEP_TAG}2>{THINKING_CLOSE}\n"
    f"{ANSWER_OPEN}…{ANSWER_CLOSE}"
)

CURE_MED_SYSTEM: Final = f"""\
You are an experienced physician who practises in many languages. Treat every medical question in this way:
1. Search what you know for everything that bears on the question.
2. Work out in English what exactly is being asked before you start to solve it.
3. Reason mainly in English, and switch into the language of the question wherever its words come more naturally or \
say it more precisely.
4. Weigh the possible answers against each other before you settle on one.
5. Say plainly what you are unsure of or do not know.
6. Give the final answer in the language of the question.

Put the reasoning, as numbered steps, into one thinking block, and the final answer into one answer block behind it:
{_CONTRACT}"""

_CURE_MED_USER = f"""\
The question is in {{language}}.

{{question}}

Think it through step by step in {THINKING_OPEN} {THINKING_CLOSE}, {{manner}}. \
Then write {{answer}} in {ANSWER_OPEN} {ANSWER_CLOSE}, in {{language}} only."""
_CURE_MED_MANNER = "mainly in English with natural switches into {language}"
_CURE_MED_ENGLISH_MANNER = "in English"
_CURE_MED_OPEN_ANSWER = "the final answer"
_CURE_MED_CHOICE_ANSWER = "the letter and the text of the one correct option"


def build_messages(
    question: str,
    *,
    format: Format,
    language: str,
    options: Mapping[str, str] | None = None,
    examples: Sequence[Example] = (),
) -> list[Message]:
    """The chat that asks one question; the model's reply completes it.

    Args:
        question: the question's text, without its options.
        format: the completion format that the model was trained in.
        language: the question's language by code or name.
        options: letter to text in order, for multiple choice; None for an open question.
        examples: solved questions or earlier turns, each put before the question as a user and an assistant turn.

    Raises:
        InputError: unknown language, fewer than 2 or more than 26 options, an option that is not marked by one letter,
            or an example whose answer is none of its options.
    """
    target = get_language(language)
    messages: list[Message] = []
    if format == "cure-med":
        messages.append({"role": "system", "content": CURE_MED_SYSTEM})
    for example in examples:
        own = target if example.language is None else get_language(example.language)
        asked = _user_message(example.question, example.options, format, own)
        answer = _example_answer(example, format, own)
        messages.append({"role": "user", "content": asked})
        messages.append({"role": "assistant", "content": render_completion(example.reasoning, answer, format)})
    messages.append({"role": "user", "content": _user_message(question, options, format, target)})
    return messages


def render_question(question: str, options: Mapping[str, str] | None) -> str:
    """The question with one line ``A. text`` per option: the form of the corpora's ``prompt``.

    Raises:
        InputError: fewer than 2 or more than 26 options, or an option that is not marked by one letter.
    """
    if options is None:
        return question
    if not MIN_OPTIONS <= len(options) <= MAX_OPTIONS:
        raise InputError(
            f"{len(options)} options",
            field="options",
            remedy=f"a multiple-choice question has {MIN_OPTIONS} to {MAX_OPTIONS}, an open one has None",
        )
    for letter in options:
        if len(letter) != 1 or not letter.isalpha():
            raise InputError(f"an option is marked {letter!r}", field="options", remedy="mark it by one letter")
    return "\n".join([question, *(f"{letter}. {text}" for letter, text in options.items())])


def render_completion(reasoning: str | None, answer: str, format: Format) -> str:
    """A completion in its format, which `app.answers.parse_completion` takes apart again.

    Without reasoning the thinking part is left out. CURE-Med's reasoning holds its own step tags. The plain format has
    no place of its own for reasoning: it stands before the answer, and the two parse as one answer.
    """
    if format == "himed":
        return himed_completion(reasoning, answer) if reasoning else f"{RESPONSE_HEADING}\n\n{answer}"
    if format == "cure-med":
        return cure_med_completion(reasoning, answer) if reasoning else f"{ANSWER_OPEN}{answer}{ANSWER_CLOSE}"
    return f"{reasoning}\n\n{answer}" if reasoning else answer


def prompt_hash(format: Format) -> str:
    """SHA-256 of the format's wording: of the prompts for fixed probe questions in every language, few-shot and not.

    A run records it, so that two runs with different wordings are never taken for the same.
    """
    options = {"A": "one", "B": "two", "C": "three"}
    examples = [
        Example("Example", options, "B", "Reasoning"),
        Example("Example", options, "three"),
        Example("Example", None, "Text", "Reasoning"),
    ]
    probes = [
        build_messages("Question", format=format, language=language.code, options=asked, examples=shots)
        for language in LANGUAGES
        for asked in (None, options)
        for shots in ((), examples)
    ]
    return hashlib.sha256(json.dumps(probes, ensure_ascii=False).encode()).hexdigest()


def _user_message(question: str, options: Mapping[str, str] | None, format: Format, language: Language) -> str:
    asked = render_question(question, options)
    if format == "himed":
        return asked
    if format == "cure-med":
        answer = _CURE_MED_CHOICE_ANSWER if options else _CURE_MED_OPEN_ANSWER
        manner = (
            _CURE_MED_ENGLISH_MANNER if language.code == "en" else _CURE_MED_MANNER.format(language=language.english)
        )
        return _CURE_MED_USER.format(language=language.english, question=asked, manner=manner, answer=answer)
    instruction = INSTRUCTIONS[language.code]
    return f"{asked}\n\n{instruction.choose if options else instruction.open}"


def _example_answer(example: Example, format: Format, language: Language) -> str:
    """The answer as the format states it: the plain format's answer line, else ``B. text`` as in the corpora."""
    if example.options is None:
        return example.answer
    letter = _letter(example.answer, example.options)
    if format == "plain":
        return INSTRUCTIONS[language.code].answer_line.format(letter=letter)
    return f"{letter}. {example.options[letter]}"


def _letter(answer: str, options: Mapping[str, str]) -> str:
    if answer in options:
        return answer
    letters = [letter for letter, text in options.items() if text.strip() == answer.strip()]
    if len(letters) == 1:
        return letters[0]
    raise InputError(
        f"the example's answer {answer!r} names {'several' if letters else 'none'} of its options",
        field="answer",
        remedy="give the letter or the exact text of one option",
    )
