"""NLLB-200 by transformers."""

from typing import Any, Final

from app.checkpoint import check_weights
from app.errors import InputError
from training.corpus.translation.config import Nllb
from training.corpus.translation.engines.nllb import NllbEngine

_PRECISIONS: Final = {"default": "float32", "float32": "float32", "float16": "float16", "bfloat16": "bfloat16"}


class TransformersEngine(NllbEngine):
    """A checkpoint as it was released.

    Raises:
        InputError: the weights are missing, pickled or cut off, or the precision is CTranslate2's only.
    """

    def __init__(self, settings: Nllb) -> None:
        import torch
        from transformers import AutoModelForSeq2SeqLM

        if settings.precision not in _PRECISIONS:
            raise InputError(
                f"transformers cannot compute in {settings.precision}", file=settings.path, field="precision",
                remedy="convert the model with ct2-transformers-converter, or take float32",
            )  # fmt: skip
        check_weights(settings.path)
        super().__init__(settings)
        self._torch = torch
        if settings.intra_threads:
            torch.set_num_threads(settings.intra_threads)
        self._model: Any = AutoModelForSeq2SeqLM.from_pretrained(
            settings.path, local_files_only=True, dtype=getattr(torch, _PRECISIONS[settings.precision])
        )
        self._model.to(settings.device).eval()
        self._target = self._tokenizer.convert_tokens_to_ids(settings.target)

    def _generate(self, tokens: list[list[int]], beam: int) -> list[list[int] | None]:
        batch = self._tokenizer.pad({"input_ids": tokens}, return_tensors="pt").to(self._settings.device)
        with self._torch.inference_mode():
            said = self._model.generate(
                **batch,
                forced_bos_token_id=self._target,
                num_beams=beam,
                do_sample=False,
                max_new_tokens=self._settings.max_target,
                max_length=None,
            )
        end = self._tokenizer.eos_token_id
        # The decoder begins with the end's token too.
        ids = [row[1:] for row in said.tolist()]
        return [row if end in row else None for row in ids]
