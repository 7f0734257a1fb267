"""What is added to TRL's GRPO trainer: guards, the phases of a step, sample completions, the measure."""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import ProgressCallback

from app.errors import InputError
from training.grpo.measure import Measure
from training.grpo.phases import PhaseClock
from training.grpo.table import Sample, SampleTable
from training.grpo.terminal import ShortProgress
from training.recipe.stages import GrpoRecipe
from training.rewards.base import completion_text
from training.rewards.guards import Finding, GuardError, GuardLimits, Guards, StepRows
from training.rewards.judge import JudgeError
from training.stage.folder import RunFolder
from training.stage.order import ShuffledPrompts

# As `RewardParts.log` names them.
_REWARD, _WEIGHT = "reward/", "weight/"
_LOGGED = (_REWARD, _WEIGHT, "unknown/")


class Watched:
    """A mixin before TRL's `GRPOTrainer`.

    Every batch of completions passes `_calculate_rewards`. There the completions of all processes are put together, so
    that groups are whole, and the first process hands them to the guards and to the table of samples while the model
    is trained, and to the measure while it is evaluated.
    """

    def __init__(
        self,
        *args: Any,
        recipe: GrpoRecipe,
        folder: RunFolder,
        measure: Measure | None,
        clock: PhaseClock,
        **kwargs: Any,
    ) -> None:
        """Build TRL's trainer with ``args`` and ``kwargs``, and what watches it; ``clock`` is the reward's as well."""
        super().__init__(*args, **kwargs)
        trainer: Any = self
        if trainer.pop_callback(ProgressCallback) is not None:
            trainer.add_callback(ShortProgress)
        self._guards = Guards(
            GuardLimits(**recipe.guards.model_dump()),
            format=recipe.format,
            group_size=recipe.trainer.num_generations,
            end_tokens=trainer.eos_token_ids,
        )
        self._findings: set[str] = set()
        self._table = SampleTable(folder.path, recipe.sample_completions_every, recipe.trainer.num_generations)
        self._measure = measure
        self._clock = clock
        self._last: dict[str, float] = {}
        self._begun = self._generated = False

    def _get_train_sampler(self, *args: Any, **kwargs: Any) -> ShuffledPrompts:
        return ShuffledPrompts(super()._get_train_sampler(*args, **kwargs), self)  # type: ignore[misc]

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """One forward and backward pass."""
        trainer: Any = self
        if not self._begun:
            self._begin()
        with self._clock.phase("loss"):
            loss = super().training_step(*args, **kwargs)  # type: ignore[misc]
        if trainer._step % trainer.args.gradient_accumulation_steps == 0:
            self._clock.steps += 1
            self._log_rewards(trainer._metrics["train"])
        return loss

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Measure the rewards on the held-out prompts; those before the first step are written down."""
        found = super().evaluate(*args, **kwargs)  # type: ignore[misc]
        trainer: Any = self
        if self._measure is not None and trainer.is_world_process_zero() and trainer.state.global_step == 0:
            self._measure.keep_before()
        return found

    def _log_rewards(self, metrics: dict[str, list[float]]) -> None:
        """Where completions serve several steps, log their rewards and weights for each of these."""
        if self._generated:
            self._last = {name: values[-1] for name, values in metrics.items() if name.startswith(_LOGGED) and values}
            self._generated = False
        else:
            for name, value in self._last.items():
                metrics[name].append(value)

    def _begin(self) -> None:
        """Count on where the run was stopped: completions are made every so many steps from its very first one."""
        trainer: Any = self
        self._begun = True
        trainer._step = trainer.state.global_step * trainer.args.gradient_accumulation_steps
        if trainer.is_world_process_zero():
            self._table.begin(trainer.state.global_step)

    def _restart_clock(self) -> None:
        super()._restart_clock()  # type: ignore[misc]
        self._clock.restart()

    def _figures(self) -> dict[str, float]:
        return super()._figures() | self._clock.figures()  # type: ignore[misc]

    def _generate_and_score_completions(self, *args: Any, **kwargs: Any) -> Any:
        # Beside the phases within: the probabilities under the old policy and the reference.
        with self._clock.phase("probabilities"):
            return super()._generate_and_score_completions(*args, **kwargs)  # type: ignore[misc]

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        with self._clock.phase("generate"):
            return super()._generate(*args, **kwargs)  # type: ignore[misc]

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Any:
        with self._clock.phase("reward"):
            try:
                rewards = super()._calculate_rewards(  # type: ignore[misc]
                    inputs, prompts, completions, completion_ids_list
                )
            except JudgeError as error:
                raise InputError(str(error), field="reward.accuracy") from None
            self._watch(inputs, completions, completion_ids_list, rewards[:, 0].tolist())
        return rewards

    def _watch(self, inputs: Any, completions: Any, ids: Any, rewards: list[float]) -> None:
        """Gather a batch's completions of all processes, and have the first process look at them.

        Args:
            inputs: this process's rows of the data set, one per completion.
            completions: its completions.
            ids: their tokens, without padding.
            rewards: of all processes' completions, in the order of the processes; NaN where unknown.
        """
        from accelerate.utils import gather_object  # type: ignore[import-untyped]

        trainer: Any = self
        weights = {
            name.removeprefix(_WEIGHT): values[-1]
            for name, values in trainer._pending_metrics.items()
            if name.startswith(_WEIGHT)
        }
        columns = {name: trainer._pending_extra_logs[f"{_REWARD}{name}"] for name in weights}
        local = [
            {
                "row": row["row"],
                "question": row["question"],
                "language": row["language"],
                "text": completion_text(completion),
                "ids": tokens,
                "parts": {name: values[number] for name, values in columns.items()},
            }
            for number, (row, completion, tokens) in enumerate(zip(inputs, completions, ids, strict=True))
        ]
        gathered = gather_object(local)
        samples = [
            Sample(reward=None if math.isnan(reward) else reward, **fields)
            for reward, fields in zip(rewards, gathered, strict=True)
        ]
        if not trainer.model.training:
            if self._measure is not None and trainer.is_world_process_zero():
                self._measure.add(samples)
            return
        self._generated = True
        if trainer.is_world_process_zero() and self._table.is_due(trainer.state.global_step):
            self._table.add(trainer.state.global_step, samples, weights, _tensorboard(trainer))
        self._guard(samples)

    def _guard(self, samples: list[Sample]) -> None:
        """Look for signs of a run that goes wrong; every process learns that it must end.

        Raises:
            InputError: a guard stops the run, in every process.
        """
        from accelerate.utils import broadcast_object_list

        trainer: Any = self
        problem: list[str | None] = [None]
        if trainer.is_world_process_zero():
            rows = StepRows(
                completions=[sample.text for sample in samples],
                completion_ids=[sample.ids for sample in samples],
                rewards=[sample.reward for sample in samples],
                languages=[sample.language for sample in samples],
                questions=[sample.question for sample in samples],
            )
            try:
                self._warn(self._guards.check(rows, log_metric=trainer._log_metric))
            except GuardError as error:
                problem[0] = str(error)
        broadcast_object_list(problem)
        if problem[0] is None:
            return
        trainer.accelerator.wait_for_everyone()  # one that ends earlier would be lost to those that do not know yet
        raise InputError(
            problem[0],
            field="guards",
            remedy=f"look at {self._table.file}; other guards, data or rewards are another run",
        )

    def _warn(self, findings: list[Finding]) -> None:
        """Say a finding once, when it appears; the log has it at every step."""
        from tqdm import tqdm  # type: ignore[import-untyped]

        for finding in findings:
            if finding.measure not in self._findings:
                tqdm.write(f"warning: {finding}", file=sys.stderr)  # above the progress bar
        self._findings = {finding.measure for finding in findings}


def _tensorboard(trainer: Any) -> Any:
    """TensorBoard's writer; None where it is not asked for."""
    callbacks = trainer.callback_handler.callbacks
    return next((callback.tb_writer for callback in callbacks if hasattr(callback, "tb_writer")), None)


@contextmanager
def scoring_completions_only() -> Iterator[None]:
    """Have TRL apply the output layer to the tokens of completions alone on a CPU too, as it does on a GPU.

    Where it has no Triton it scores every token of the prompt as well, for the sake of devices that compile for a
    fixed shape, and throws the result away.
    """
    from trl.trainer import utils

    before = utils._use_triton
    utils._use_triton = lambda device: device.type == "cpu" or before(device)
    try:
        yield
    finally:
        utils._use_triton = before
