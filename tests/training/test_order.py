"""A resumed run goes through its rows in the order of a run that was never stopped."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from torch.utils.data import Sampler

from training.stage.order import ShuffledPrompts, ShuffledRows

trl_utils = pytest.importorskip("trl.trainer.utils", reason="TRL is not installed: run `make setup`")


def trainer_at(epoch: float | None, seed: int = 7) -> SimpleNamespace:
    return SimpleNamespace(state=SimpleNamespace(epoch=epoch), args=SimpleNamespace(data_seed=seed))


def rows(trainer: SimpleNamespace) -> Sampler[int]:
    return ShuffledRows(20, trainer)


def prompts(trainer: SimpleNamespace) -> Sampler[int]:
    return ShuffledPrompts(trl_utils.RepeatSampler(range(10), mini_repeat_count=2, batch_size=2, seed=0), trainer)


@pytest.mark.parametrize("sampler", [rows, prompts])
def test_an_epochs_order_is_the_same_after_a_stop_and_another_than_the_last_ones(
    sampler: Callable[[SimpleNamespace], Sampler[int]],
) -> None:
    trainer = trainer_at(0)
    whole = sampler(trainer)
    orders = []
    for epoch in range(3):
        trainer.state.epoch = epoch
        orders.append(list(whole))
        assert len(orders[-1]) == len(list(whole)) == 20
    assert orders[0] != orders[1] != orders[2]
    for epoch, order in enumerate(orders):
        assert list(sampler(trainer_at(epoch))) == order
        assert list(sampler(trainer_at(epoch + 0.5))) == order  # stopped within it
    assert list(sampler(trainer_at(None))) == orders[0]
    assert list(sampler(trainer_at(0, seed=8))) != orders[0]


def test_every_row_comes_once_an_epoch_and_a_prompt_as_often_as_it_is_answered() -> None:
    assert sorted(rows(trainer_at(1))) == list(range(20))
    assert sorted(prompts(trainer_at(1))) == sorted([*range(10), *range(10)])
