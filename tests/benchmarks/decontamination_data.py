"""What tests/benchmarks/decontamination.py searches: a synthetic corpus and benchmark, with duplicates at known places.

Texts are made from sentence frames and terms (of the lexicon, else of made-up words), so that boilerplate and
single-slot questions abound.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.corpus.decontamination.normalise import compared_form, read_texts

Row = dict[str, Any]
PLANTED = 400  # of each kind against the benchmark, and of each inside the corpus

STATEMENTS = """
एक {n} वर्षीय {person} को {n} {time} से {t} और {t} की शिकायत है।
परीक्षण में {t} तथा {t} पाया गया और रक्तचाप {n}/{n} है।
नाड़ी {n} प्रति मिनट है और {t} का इतिहास है।
{person} पिछले {n} {time} से {t} के लिए {t} ले रहा है।
प्रयोगशाला में {t} का स्तर {n} तथा {t} का स्तर {n} मिला।
वैद्य ने {t} के साथ {t} का सेवन {n} {time} तक बताया।
रोगी के परिवार में {t} और {t} का इतिहास मिलता है।
इमेजिंग में {t} के निकट {n} मिमी का {t} दिखाई देता है।
रोगी को {t} से राहत नहीं मिली पर {t} बढ़ गया।
शरीर में {t} की कमी से {t} और {t} उत्पन्न होते हैं।
{t} में {t} की मात्रा {n} मिलीग्राम प्रतिदिन रखी गई।
दो सप्ताह पहले {person} ने {t} के उपचार में {t} लिया था।
""".strip().splitlines()
ASKED = """
इस स्थिति में {t} के लिए सबसे उपयुक्त {t} क्या है?
निम्नलिखित में से कौन सा {t} इस {t} का सबसे संभावित कारण है?
इस रोगी में {t} की अगली अवस्था में {t} का क्या महत्व है?
{t} को देखते हुए {t} का सबसे संभावित निदान क्या है?
निम्नलिखित में से कौन सा कथन {t} और {t} के बारे में सही है?
""".strip().splitlines()
SHORT = """
{t} के उपचार में {t} का उपयोग किस प्रकार किया जाता है?
{t} और {t} के बीच क्या संबंध माना जाता है?
आयुर्वेद के अनुसार {t} में {t} किस प्रकार लाभकारी माना जाता है और इसे कब लेना चाहिए?
{t} के प्रमुख लक्षणों में {t} का क्या स्थान है?
यदि किसी व्यक्ति को {t} हो तो {t} के सेवन में कौन सी सावधानी रखनी चाहिए?
पारंपरिक चिकित्सा में {t} से {t} का निवारण कैसे होता है?
{t} के कारण {t} होने पर रोगी को सबसे पहले क्या दिया जाना चाहिए?
यूनानी चिकित्सा में {t} को {t} के लिए क्यों उपयोगी बताया गया है?
""".strip().splitlines()
# One slot in a long question: near by their characters, and nothing alike.
SLOT = """
आयुर्वेद के अनुसार निम्नलिखित में से कौन सा द्रव्य {t} रोग की चिकित्सा में सबसे अधिक उपयोगी माना जाता है और क्यों?
पारंपरिक चिकित्सा के ग्रंथों में वर्णित {t} के प्रमुख लक्षण कौन से हैं और उनका उपचार किस प्रकार किया जाता है?
होम्योपैथी में {t} के उपचार के लिए रोगी की प्रकृति देखकर किस प्रकार की औषधि का चयन किया जाता है?
""".strip().splitlines()
# Forty words that say nothing about the question.
OPENING = (
    "नीचे एक बहुविकल्पीय चिकित्सा प्रश्न दिया गया है। प्रश्न को ध्यान से पढ़ें, चरण दर चरण विचार करें और दिए गए विकल्पों "
    "में से केवल एक सही विकल्प चुनें। "
)
CLOSING = (
    " कृपया केवल सही विकल्प का अक्षर लिखकर उत्तर दें और कोई अन्य व्याख्या न लिखें। "
    "Output: answer with the letter of the correct option only, without any explanation."
)
COMMON_OPTIONS = ["उपरोक्त सभी", "इनमें से कोई नहीं"]
PERSONS = "पुरुष महिला रोगी बालक बालिका वृद्ध गर्भवती".split()
TIMES = "दिन सप्ताह महीने वर्ष घंटे".split()
LETTERS = "ABCDE"


@dataclass
class Maker:
    """Makes rows from frames and terms."""

    chance: random.Random
    terms: Sequence[str]
    used: set[str] = field(default_factory=set)

    def fill(self, frame: str) -> str:
        while (at := frame.find("{")) >= 0:
            slot, _, rest = frame[at + 1 :].partition("}")
            frame = frame[:at] + self.slot(slot) + rest
        return frame

    def slot(self, slot: str) -> str:
        if slot == "t":
            return self.chance.choice(self.terms)
        return str(self.chance.randint(2, 180)) if slot == "n" else self.chance.choice(
            PERSONS if slot == "person" else TIMES
        )  # fmt: skip

    def vignette(self, sentences: int) -> str:
        said = " ".join(self.fill(frame) for frame in self.chance.sample(STATEMENTS, sentences))
        return f"{said} {self.fill(self.chance.choice(ASKED))}"

    def options(self) -> list[str]:
        options = [self.fill("{t} और {t}") if self.chance.random() < 0.5 else self.fill("{t}") for _ in LETTERS]
        if self.chance.random() < 0.3:
            options[-2:] = COMMON_OPTIONS
        return options

    def mcq(self) -> tuple[str, list[str]]:
        stem = self.vignette(self.chance.randint(1, 3))
        draw = self.chance.random()
        if draw < 0.3:
            stem = OPENING + stem
        elif draw < 0.6:
            stem += CLOSING
        return stem, self.options()

    def row(self) -> Row:
        """A row whose question no other has."""
        while (row := self.any_row())["question"] in self.used:
            pass
        self.used.add(row["question"])
        return row

    def any_row(self) -> Row:
        """One in three of each kind, as in the corpus; one in twenty of all has a single slot."""
        draw = self.chance.random()
        if draw < 0.05:
            kind, question = "QA", self.fill(self.chance.choice(SLOT))
        elif draw < 0.33:
            kind, question = "QA", self.fill(self.chance.choice(SHORT))
        elif draw < 0.66:
            kind, question = "MCQ", lined(*self.mcq())
        else:
            kind = "Dialogue"
            question = (
                f"User: {self.vignette(1)}\nAssistant: {self.fill(self.chance.choice(STATEMENTS))}\n"
                f"User: {self.fill(self.chance.choice(SHORT))}"
            )
        return self.complete(question, kind)

    def complete(self, question: str, kind: str, cot: str = "") -> Row:
        answer = self.chance.choice(LETTERS) if kind == "MCQ" else self.fill(self.chance.choice(STATEMENTS))
        cot = cot or " ".join(self.fill(frame) for frame in self.chance.sample(STATEMENTS, 2))
        return {"subject": "treatment", "type": kind, "question": question, "answer": answer, "cot": cot, "system": "x"}


def lined(stem: str, options: Sequence[str]) -> str:
    """A question with its options as lines."""
    return "\n".join([stem, *(f"{letter}. {text}" for letter, text in zip(LETTERS, options, strict=False))])


def other_numbers(text: str, chance: random.Random) -> str:
    """The text with another number in the place of each."""
    words = text.split(" ")
    for i, word in enumerate(words):
        if word.replace("/", "").isdigit():
            words[i] = "/".join(str(int(part) + chance.randint(1, 9)) for part in word.split("/"))
    return " ".join(words)


def other_punctuation(text: str, chance: random.Random) -> str:
    """Danda as full stop, commas, Devanagari digits, a joiner in every tenth conjunct, capitals."""
    text = text.replace("।", chance.choice([".", " ।", ";"])).replace("?", chance.choice(["", " ?", "??", "—"]))
    text = text.replace(" और ", ", और ").replace(" तथा ", " (तथा) ").upper()
    text = text.translate({ord(d): chr(0x0966 + int(d)) for d in "0123456789"})
    return "".join(c + "\u200d" if c == "\u094d" and chance.random() < 0.1 else c for c in text)


def other_words(text: str, chance: random.Random, terms: Sequence[str], share: float) -> str:
    """The text with a share of its words replaced, left out or doubled by another; one at least."""
    words = text.split(" ")
    for _ in range(max(1, round(share * len(words)))):
        at = chance.randrange(len(words))
        draw = chance.random()
        if draw < 0.4:
            words[at] = chance.choice(terms).split(" ")[0]
        elif draw < 0.7 and len(words) > 4:
            del words[at]
        else:
            words.insert(at, chance.choice(terms).split(" ")[0])
    return " ".join(words)


Change = Callable[[str, list[str], Maker], tuple[str, list[str]]]


def _shuffled(options: list[str], maker: Maker) -> list[str]:
    return maker.chance.sample(options, len(options))


CHANGES: dict[str, Change] = {
    "as it is": lambda stem, options, maker: (stem, options),
    "changed punctuation": lambda stem, options, maker: (other_punctuation(stem, maker.chance), options),
    "reordered options": lambda stem, options, maker: (stem, _shuffled(options, maker)),
    "other numbers": lambda stem, options, maker: (other_numbers(stem, maker.chance), options),
    "other numbers, reordered": lambda stem, options, maker: (
        other_numbers(stem, maker.chance),
        _shuffled(options, maker),
    ),
    "one word in 20": lambda stem, options, maker: (other_words(stem, maker.chance, maker.terms, 0.05), options),
    "one word in 10": lambda stem, options, maker: (other_words(stem, maker.chance, maker.terms, 0.1), options),
    "other options": lambda stem, options, maker: (stem, maker.options()),
    "without options": lambda stem, options, maker: (stem, []),
}


@dataclass
class Planted:
    """A row planted for a text: its kind, the line of what it repeats, its exact similarity to that."""

    kind: str
    other: int
    similarity: float


def similarity(one: Row, other: Row) -> float:
    """The largest Jaccard similarity of two rows' questions, with options or without, by hand."""
    texts = [read_texts(row) for row in (one, other)]
    found = 0.0
    for first, second in (
        (texts[0].whole, texts[1].whole), (texts[0].stem, texts[1].stem), (texts[0].whole, texts[1].stem),
    ):  # fmt: skip
        grams = [
            {text[i : i + 5] for i in range(max(1, len(text) - 4))}
            for text in (compared_form(part).replace("\n", " ") for part in (first, second))
        ]
        found = max(found, len(grams[0] & grams[1]) / len(grams[0] | grams[1]))
    return found


def made_up(chance: random.Random, n: int) -> list[str]:
    """Words of two to four Devanagari syllables."""
    consonants, signs = "कखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह", ["", "ा", "ि", "ी", "ु", "ू", "े", "ै", "ो", "ौ", "ं"]
    return list(
        {
            "".join(chance.choice(consonants) + chance.choice(signs) for _ in range(chance.randint(2, 4)))
            for _ in range(n)
        }
    )


def make(folder: Path, rows: int, items: int, lexicon: Path | None, seed: int) -> dict[str, dict[int, Planted]]:
    """Write corpus and benchmark; what was planted, by side and line."""
    chance = random.Random(seed)
    terms = sorted(made_up(chance, 20_000))
    if lexicon is not None:
        from app.lexicon import Lexicon

        terms = sorted({str(text) for texts in Lexicon.load(lexicon).entries.values() for text in _hindi(texts)})
    maker = Maker(chance, terms)
    benchmark: list[Row] = []
    for number in range(items):
        stem, options = maker.mcq()
        named = dict(zip(LETTERS, options, strict=True))
        benchmark.append({"question_number": number + 1, "question": stem, "options": named, "answer": "A"})
    (folder / "bench.json").write_text(json.dumps({"questions": benchmark}, ensure_ascii=False), encoding="utf-8")

    planted: dict[str, dict[int, Planted]] = {"benchmark": {}, "corpus": {}}
    chosen = iter(chance.sample(range(items), min(items, PLANTED * (len(CHANGES) + 1))))
    wanted: list[tuple[str, str]] = [("benchmark", kind) for kind in (*CHANGES, "inside a reasoning")] * PLANTED
    wanted += [("corpus", kind) for kind in CHANGES if kind not in ("other options", "without options")] * PLANTED
    places = sorted(chance.sample(range(rows // 10, rows), len(wanted)))
    chance.shuffle(wanted)
    to_plant = dict(zip(places, wanted, strict=True))
    originals: list[tuple[int, Row]] = []
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for place in range(rows):
            side, kind = to_plant.get(place, ("", ""))
            if side == "benchmark":
                other = next(chosen)
                source = benchmark[other]
                row = plant(kind, source["question"], list(source["options"].values()), maker)
                planted[side][place + 1] = Planted(kind, other + 1, similarity(row, source))
            elif side == "corpus":
                other, source = originals.pop(chance.randrange(len(originals)))
                texts = source["question"].split("\n")
                row = plant(kind, texts[0], [line[3:] for line in texts[1:]], maker)
                planted[side][place + 1] = Planted(kind, other, similarity(row, source))
            else:
                row = maker.row()
                if row["type"] == "MCQ" and len(originals) < 20_000:
                    originals.append((place + 1, row))
            file.write(json.dumps({"question_number": f"{place:08}"} | row, ensure_ascii=False) + "\n")
    return planted


def _hindi(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Sequence):
        for one in value:
            yield from _hindi(one)


def plant(kind: str, stem: str, options: list[str], maker: Maker) -> Row:
    """A row that repeats a question in a way."""
    if kind == "inside a reasoning":
        return maker.complete(maker.fill(SHORT[0]), "QA", f"{maker.fill(STATEMENTS[0])} {stem} {maker.vignette(2)}")
    stem, options = CHANGES[kind](stem, options, maker)
    return maker.complete(lined(stem, options), "MCQ" if options else "QA")
