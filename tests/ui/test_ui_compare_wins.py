"""Votes counted by hand, and read from both databases."""

from typing import Any

import pytest

from app.database import open_session
from app.schema import open_database
from app.tables import ComparisonVoteRow
from ui.compare.duel import ANY, Duel, PairError, Vote, choose_pair, store_vote
from ui.compare.wins import ModelWins, PairWins, Tally, count_models, count_pairs, models_csv, pairs_csv, read_tallies

# Between x and y: x wins 5 + 3 = 8 times, y 1 + 1 = 2 times, 3 ties, 1 neither. Between x and z: nothing decided.
TALLIES = [
    Tally("x", "y", Vote.A, 5),
    Tally("y", "x", Vote.B, 3),
    Tally("x", "y", Vote.B, 1),
    Tally("y", "x", Vote.A, 1),
    Tally("x", "y", Vote.TIE, 1),
    Tally("y", "x", Vote.TIE, 2),
    Tally("y", "x", Vote.NEITHER, 1),
    Tally("z", "x", Vote.TIE, 2),
]


def test_pairs_are_counted_whichever_stood_first() -> None:
    first, second = count_pairs(TALLIES)
    assert (first.first, first.second, first.n, first.decided) == ("x", "y", 14, 10)
    assert (first.first_wins, first.second_wins, first.ties, first.neither) == (8, 2, 3, 1)
    assert first.share == pytest.approx(0.8)
    assert first.interval == pytest.approx((0.4901625, 0.9433178), abs=1e-6)  # Wilson of 8 in 10
    assert first.p == pytest.approx(2 * (1 + 10 + 45) / 1024)  # 0, 1 or 2 of 10, and as far on the other side
    assert second == PairWins("x", "z", 0, 0, 2, 0, None, None, None)


def test_models_are_counted_over_all_their_pairs() -> None:
    tallies = [*TALLIES, Tally("z", "y", Vote.B, 4), Tally("z", "y", Vote.A, 4)]
    x, z, y = count_models(count_pairs(tallies))
    assert (x.model, x.n, x.wins, x.losses, x.share) == ("x", 16, 8, 2, pytest.approx(0.8))
    assert (y.model, y.n, y.wins, y.losses, y.share) == ("y", 22, 6, 12, pytest.approx(1 / 3))
    assert (z.model, z.n, z.wins, z.losses, z.share) == ("z", 10, 4, 4, pytest.approx(0.5))
    assert z.interval == pytest.approx((0.2152161, 0.7847839), abs=1e-6)  # Wilson of 4 in 8


def test_a_model_without_a_decided_vote_stands_last() -> None:
    models = count_models(count_pairs(TALLIES))
    assert [each.model for each in models] == ["x", "y", "z"]
    assert models[-1] == ModelWins("z", 2, 0, 0, None, None)
    lost = count_models(count_pairs([Tally("a", "b", Vote.A, 3), Tally("a", "c", Vote.TIE, 1)]))
    assert [(each.model, each.share) for each in lost] == [("a", 1.0), ("b", 0.0), ("c", None)]


def test_no_votes_make_no_rows() -> None:
    assert count_pairs([]) == []
    assert count_models([]) == []


def test_the_csv_holds_the_figures() -> None:
    pairs = count_pairs(TALLIES)
    heads, first, second = pairs_csv(pairs).splitlines()
    assert heads.startswith("model_1,model_2,votes,wins_1,wins_2,ties,neither,decided,share_1,")
    assert first.startswith("x,y,14,8,2,3,1,10,0.8,0.49016")
    assert second == "x,z,2,0,0,2,0,0,,,,"
    assert models_csv(count_models(pairs)).splitlines()[-1] == "z,2,0,0,0,,,"


def test_no_model_name_is_a_formula_in_the_csv() -> None:
    pairs = count_pairs([Tally("=1+1", "@x", Vote.A, 1)])
    assert pairs_csv(pairs).splitlines()[1].startswith("'=1+1,'@x,1,1,0,")
    assert [line.split(",")[0] for line in models_csv(count_models(pairs)).splitlines()] == ["model", "'=1+1", "'@x"]


def _vote(model_a: str, model_b: str, vote: str) -> ComparisonVoteRow:
    row: dict[str, Any] = {"question": "?", "model_a": model_a, "model_b": model_b, "vote": vote}
    return ComparisonVoteRow(**row)


def test_votes_are_read_from_the_database(database_url: str) -> None:
    engine = open_database(database_url)
    try:
        assert read_tallies(engine) == []
        with open_session(engine) as session:
            for tally in TALLIES:
                session.add_all(_vote(tally.a, tally.b, tally.vote.value) for _ in range(tally.n))
        assert sorted(read_tallies(engine), key=str) == sorted(TALLIES, key=str)
        assert count_pairs(read_tallies(engine)) == count_pairs(TALLIES)
    finally:
        engine.dispose()


def test_a_vote_is_stored_with_its_question_and_answers(database_url: str) -> None:
    engine = open_database(database_url)
    duel = Duel("¿?", ("m", "n"), 1)
    duel.answers[0].answer, duel.answers[0].request_id, duel.answers[0].language = "sí", "r1", "es"
    try:
        store_vote(engine, duel, Vote.NEITHER, "Dr. Sharma")
        with open_session(engine) as session:
            row = session.query(ComparisonVoteRow).one()
    finally:
        engine.dispose()
    assert (row.who, row.question, row.language, row.vote) == ("Dr. Sharma", "¿?", "es", "neither")
    assert (row.model_a, row.answer_a, row.request_a) == ("m", "sí", "r1")
    assert (row.model_b, row.answer_b, row.request_b) == ("n", None, None)  # no answer is unknown, not ""


def test_any_is_never_the_same_model_twice_and_order_is_by_chance() -> None:
    served = ["p", "q", "r"]
    drawn = {choose_pair(ANY, ANY, served) for _ in range(500)}
    assert drawn == {(a, b) for a in served for b in served if a != b}
    assert {choose_pair("p", "q", []) for _ in range(100)} == {("p", "q"), ("q", "p")}
    assert {frozenset(choose_pair(ANY, "p", served)) for _ in range(100)} == {frozenset("pq"), frozenset("pr")}


@pytest.mark.parametrize(
    ("first", "second", "served", "key"),
    [
        ("p", "p", ["p", "q"], "compare.same"),
        (ANY, ANY, ["p"], "compare.too_few"),
        (ANY, ANY, [], "compare.too_few"),
        (ANY, "p", ["p"], "compare.too_few"),
    ],
)
def test_pairs_that_cannot_be(first: str, second: str, served: list[str], key: str) -> None:
    with pytest.raises(PairError, match=key):
        choose_pair(first, second, served)
