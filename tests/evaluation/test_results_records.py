"""Reading runs and records back."""

from datetime import datetime

import pytest
from results_sample import RUN_A, RUN_B, RUN_EN
from sqlalchemy import Engine, event, insert
from sqlalchemy.orm import Session

from app.errors import InputError
from app.schema import open_database
from app.tables import GenerationRow, ScoreRow
from evaluation.results.records import Score, load_records, load_run


@pytest.mark.parametrize(
    ("named", "found"),
    [(RUN_A, RUN_A), ("01KJMB", RUN_B), ("01kjmb", RUN_B), ("last", RUN_EN), ("last~2", RUN_A)],
    ids=["whole id", "prefix", "lower case", "last", "before last"],
)
def test_a_run_is_found_by_id_prefix_or_last(filled: Engine, named: str, found: str) -> None:
    with Session(filled) as session:
        run = load_run(session, named)
        assert (run.id, run.benchmark.n) == (found, 4)


@pytest.mark.parametrize("named", ["nope", "", "01KJMA00000000000000000000X", "%", "01KJM_", "last~3", "last~"])
def test_an_unknown_run_is_refused_with_the_newest_ones(filled: Engine, named: str) -> None:
    with (
        Session(filled) as session,
        pytest.raises(InputError, match=rf"no run .*; the newest are {RUN_EN} \(sample-en"),
    ):
        load_run(session, named)


def test_an_ambiguous_prefix_is_refused_with_those_that_fit(filled: Engine) -> None:
    with Session(filled) as session, pytest.raises(InputError) as raised:
        load_run(session, "01KJM")
    assert str(raised.value).startswith("3 runs start with '01KJM'")
    assert all(run in str(raised.value) for run in (RUN_A, RUN_B, RUN_EN))


def test_an_empty_database_says_what_to_do(database_url: str) -> None:
    engine = open_database(database_url)
    with Session(engine) as session, pytest.raises(InputError, match="holds no run; make one with himed-eval"):
        load_run(session, "last")
    engine.dispose()


def test_records_hold_items_generations_and_scores_in_order(filled: Engine) -> None:
    with Session(filled) as session:
        records = load_records(session, load_run(session, RUN_A))
    assert [record.item.id for record in records] == [f"hi-item-{position}" for position in range(4)]
    first, *_, last = records
    assert first.item.options == {"A": "स्कर्वी", "B": "रिकेट्स"}
    assert list(first.item.options) == ["A", "B"]
    assert (first.item.gold, first.item.reference, first.item.number, first.item.row) == ("A", "स्कर्वी", "1", 1)
    assert (first.item.groups, first.item.cluster) == ({"system": "Western"}, "hi-cluster-0")
    assert (last.item.kind, last.item.options, last.item.gold) == ("qa", None, None)
    assert [generation.sample for generation in first.generations] == [0, 1]
    generation = first.generations[0]
    assert (generation.text, generation.finish_reason, generation.latency_s) == ("उत्तर: A", "stop", 0.25)
    assert generation.messages == [{"role": "user", "content": "hi-item-0?"}]
    assert generation.scores == {"choice": Score("choice", "1", 1.0, "A", {"tier": "stated"})}
    assert records[2].generations[0].scores["choice"] == Score("choice", "1", None, "unparsed", {"tier": "no choice"})


def test_the_score_that_was_written_last_stands(filled: Engine) -> None:
    with Session(filled) as session:
        records = load_records(session, load_run(session, RUN_A))
    judged = records[3].generations[0].scores["judge_correct"]
    assert judged == Score("judge_correct", "1:judge-2", 1.0, "true", None)


def test_a_failed_item_keeps_its_error_and_no_scores(filled: Engine) -> None:
    with Session(filled) as session:
        failed = load_records(session, load_run(session, RUN_B))[3].generations[0]
    assert (failed.text, failed.error, failed.scores) == (None, "HTTP 500 after 5 tries", {})


def test_runs_do_not_mix(filled: Engine) -> None:
    with Session(filled) as session:
        records = load_records(session, load_run(session, RUN_EN))
    assert {record.item.language for record in records} == {"en"}
    assert sum(len(record.generations) for record in records) == 4


def test_options_and_gold_are_those_that_the_run_showed(filled: Engine) -> None:
    with Session(filled) as session:
        run = load_run(session, RUN_A)
        shown = {"A": "रिकेट्स", "B": "स्कर्वी"}
        session.connection().exec_driver_sql(
            f'UPDATE run_item SET gold = \'B\', options = \'{{"A": "रिकेट्स", "B": "स्कर्वी"}}\' '
            f"WHERE run_id = '{run.id}' AND position = 0"
        )
        item = load_records(session, run)[0].item
        session.rollback()
    assert (item.options, item.gold, item.reference) == (shown, "B", "स्कर्वी")


def test_the_number_of_queries_does_not_grow_with_the_run(filled: Engine) -> None:
    with Session(filled) as session:
        run = load_run(session, RUN_A)
        generations = [
            {"run_id": RUN_A, "item_id": "hi-item-0", "sample": sample, "text": "उत्तर: A", "created": run.started}
            for sample in range(2, 40)
        ]
        ids = (
            session.connection().scalars(insert(GenerationRow.__table__).returning(GenerationRow.id), generations).all()
        )
        scores = [{"generation_id": id, "scorer": "choice", "version": "1", "value": 1.0} for id in ids]
        session.connection().execute(insert(ScoreRow.__table__), scores)
        statements: list[str] = []
        event.listen(filled, "before_cursor_execute", lambda *args: statements.append(args[2]))
        records = load_records(session, run)
        session.rollback()
    assert len(records[0].generations) == 40
    assert len(statements) == 3


def test_a_run_can_be_read_while_it_is_written(filled: Engine) -> None:
    with Session(filled) as session:
        run = load_run(session, RUN_A)
        writer = _WriterBetweenQueries(filled, run.started)
        event.listen(filled, "after_cursor_execute", writer)
        records = load_records(session, run)
    assert writer.wrote
    assert len(records[0].generations) == 2


class _WriterBetweenQueries:
    """Stores one more generation and its score between the query for generations and that for scores."""

    def __init__(self, engine: Engine, when: datetime) -> None:
        self.engine, self.when, self.wrote = engine, when, False

    def __call__(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if self.wrote or "FROM generation" not in statement:
            return
        self.wrote = True
        with self.engine.begin() as other:
            row = {"run_id": RUN_A, "item_id": "hi-item-0", "sample": 9, "text": "A", "created": self.when}
            id = other.scalar(insert(GenerationRow.__table__).returning(GenerationRow.id), row)
            score = {"generation_id": id, "scorer": "choice", "version": "1", "value": 1.0}
            other.execute(insert(ScoreRow.__table__), score)
