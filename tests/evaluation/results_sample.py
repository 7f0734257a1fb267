"""A small results database with known contents: two runs of one Hindi benchmark and one of its English parallel.

`data/first-schema.db` and `data/second-schema.db` are this content in the tables of those schemas. Each was made once,
by the code of its time,

    python tests/evaluation/results_sample.py tests/evaluation/data/second-schema.db

and is never made again: it stands for the databases that users have from that time.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.database import open_session
from app.schema import open_database
from app.tables import (
    AccountRow,
    AccountSessionRow,
    ApiKeyRow,
    BenchmarkRow,
    ComparisonVoteRow,
    FeedbackRow,
    GenerationRow,
    ItemRow,
    ModelRow,
    RequestLogRow,
    RunItemRow,
    RunRow,
    ScoreRow,
    VerdictRow,
)

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RUN_A = "01KJMA00000000000000000000"  # finished, two samples, judged twice
RUN_B = "01KJMB00000000000000000000"  # incomplete: one item failed
RUN_EN = "01KJME00000000000000000000"  # the English parallel

QUESTIONS = {
    "hi": [
        "विटामिन C की कमी से कौन सा रोग होता है?",
        "इंसुलिन कहाँ बनता है?",
        "सामान्य शरीर का तापमान कितना है?",
        "मलेरिया कैसे फैलता है?",
    ],
    "en": [
        "Lack of vitamin C causes which disease?",
        "Where is insulin made?",
        "What is normal body temperature?",
        "How does malaria spread?",
    ],
}
OPTIONS = {
    "hi": [{"A": "स्कर्वी", "B": "रिकेट्स"}, {"A": "यकृत", "B": "अग्न्याशय"}, {"A": "37 °C", "B": "40 °C"}, None],
    "en": [{"A": "Scurvy", "B": "Rickets"}, {"A": "Liver", "B": "Pancreas"}, {"A": "37 °C", "B": "40 °C"}, None],
}
GOLDS = ["A", "B", "A", None]
REFERENCES = {
    "hi": "संक्रमित मादा एनोफ़िलीज़ मच्छर के काटने से।",
    "en": "By the bite of an infected female Anopheles mosquito.",
}

# Chosen letters by run, item and sample: None is a reply without a choice.
CHOICES = {
    RUN_A: [["A", "A"], ["A", "B"], [None, "A"]],
    RUN_B: [["A"], ["A"], ["B"]],
    RUN_EN: [["A"], ["B"], ["A"]],
}


def fill_database(engine: Engine) -> None:
    """Write the content."""
    with open_session(engine) as session:
        hindi, english = _add_benchmark(session, "sample", "hi"), _add_benchmark(session, "sample-en", "en")
        model = ModelRow(name="himed-8b", revision="ab12", format="himed")
        other = ModelRow(name="claude-3-haiku", revision="", format="plain")
        session.add_all([model, other])
        session.flush()
        _add_run(session, RUN_A, hindi, model, "hi", samples=2, days=0)
        failing = _add_run(session, RUN_B, hindi, other, "hi", samples=1, days=1)
        _add_run(session, RUN_EN, english, model, "en", samples=1, days=2)
        failing.status = "incomplete"
        session.add(
            VerdictRow(
                judge_model="judge-1", prompt_hash="0" * 64, kind="correct", verdict="true", reply="Verdict: true"
            )
        )
        session.add(ApiKeyRow(id="k1", name="clinic", hash="a" * 64, scopes=["chat", "feedback"]))
        session.add(
            FeedbackRow(
                request_id="req-1",
                who="Dr Rao",
                rating=1,
                comment="ठीक",
                key_name="clinic",
                model="himed-8b",
                language="hi",
                question=QUESTIONS["hi"][3],
                answer=REFERENCES["hi"],
            )
        )
        account = AccountRow(name="Dr Rao", password="scrypt$16384$8$5$c2FsdA$aGFzaA")
        session.add(account)
        session.flush()
        session.add(AccountSessionRow(hash="b" * 64, account_id=account.id, expires=START + timedelta(hours=12)))
        session.add(
            ComparisonVoteRow(
                who="Dr Rao", question=QUESTIONS["hi"][3], model_a="himed-8b", model_b="claude-3-haiku", vote="a"
            )
        )
        session.add(RequestLogRow(request_id="req-1", key_name="clinic", model="himed-8b", status=200, request={}))


def _add_benchmark(session: Session, name: str, language: str) -> BenchmarkRow:
    invalid = [{"file": "sample.json", "row": 9, "field": "answer", "reason": "the gold answer is empty"}]
    row = BenchmarkRow(name=name, version="1", sha256=language * 32, n=4, duplicates=0, invalid=invalid)
    session.add(row)
    session.flush()
    for position, question in enumerate(QUESTIONS[language]):
        options = OPTIONS[language][position]
        session.add(
            ItemRow(
                benchmark_id=row.id,
                id=f"{language}-item-{position}",
                position=position,
                row=position + 1,
                number=str(position + 1),
                kind="qa" if options is None else "mcq",
                language=language,
                question=question,
                options=options,
                gold=GOLDS[position],
                reference=REFERENCES[language] if options is None else options[GOLDS[position]],
                groups={"system": "Ayurveda" if position % 2 else "Western"},
                cluster=f"{language}-cluster-{position}",
            )
        )
    return row


def _add_run(
    session: Session, id: str, benchmark: BenchmarkRow, model: ModelRow, language: str, *, samples: int, days: int
) -> RunRow:
    started = START + timedelta(days=days)
    run = RunRow(
        id=id,
        benchmark_id=benchmark.id,
        model_id=model.id,
        fingerprint=id.lower() * 2,
        source="endpoint",
        settings={"temperature": 0.0, "samples": samples},
        prompt_hash="f" * 64,
        code_version="0.1.0",
        packages={"vllm": "0.31.0"},
        status="finished",
        n=4,
        samples=samples,
        started=started,
        heartbeat=started + timedelta(minutes=5),
        finished=started + timedelta(minutes=5),
    )
    session.add(run)
    session.flush()
    for position in range(4):
        item_id = f"{language}-item-{position}"
        session.add(
            RunItemRow(
                run_id=id,
                item_id=item_id,
                position=position,
                options=OPTIONS[language][position],
                gold=GOLDS[position],
            )
        )
        for sample in range(samples):
            if position == 3:
                _add_open_answer(session, id, item_id, sample, language, failed=id == RUN_B)
            else:
                _add_choice(session, id, item_id, sample, CHOICES[id][position][sample], GOLDS[position])
    return run


def _add_generation(session: Session, run: str, item: str, sample: int, text: str | None) -> GenerationRow:
    row = GenerationRow(
        run_id=run,
        item_id=item,
        sample=sample,
        messages=[{"role": "user", "content": f"{item}?"}],
        text=text,
        finish_reason=None if text is None else "stop",
        prompt_tokens=12,
        completion_tokens=None if text is None else len(text.split()),
        latency_s=0.25,
        error="HTTP 500 after 5 tries" if text is None else None,
        created=START,
    )
    session.add(row)
    session.flush()
    return row


def _add_choice(session: Session, run: str, item: str, sample: int, letter: str | None, gold: str | None) -> None:
    generation = _add_generation(session, run, item, sample, f"उत्तर: {letter}" if letter else "मुझे नहीं पता।")
    value = None if letter is None else float(letter == gold)
    session.add(
        ScoreRow(
            generation_id=generation.id,
            scorer="choice",
            version="1",
            value=value,
            label=letter or "unparsed",
            detail={"tier": "stated" if letter else "no choice"},
        )
    )
    session.flush()


def _add_open_answer(session: Session, run: str, item: str, sample: int, language: str, *, failed: bool) -> None:
    generation = _add_generation(session, run, item, sample, None if failed else REFERENCES[language])
    if failed:
        return
    # Another judge came later: its verdict is the one that stands.
    for version, value, label in [("1:judge-1", 0.0, "false"), ("1:judge-2", 1.0, "true")]:
        session.add(
            ScoreRow(generation_id=generation.id, scorer="judge_correct", version=version, value=value, label=label)
        )
        session.flush()
    session.add(
        ScoreRow(
            generation_id=generation.id, scorer="language", version="1", value=1.0, label="consistent", detail=None
        )
    )
    session.flush()


def main(path: Path) -> None:
    """Write the sample as one closed SQLite file."""
    engine = open_database(f"sqlite:///{path}")
    fill_database(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=DELETE")  # no -wal file beside it
        connection.exec_driver_sql("PRAGMA page_size=1024")  # a page per table at least: small pages, small file
        connection.exec_driver_sql("VACUUM")
    engine.dispose()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
