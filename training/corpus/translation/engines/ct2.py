"""NLLB-200 by CTranslate2, as ``ct2-transformers-converter`` has converted it."""

from app.errors import InputError
from training.corpus.translation.config import Nllb
from training.corpus.translation.engines.nllb import NllbEngine


class CTranslate2Engine(NllbEngine):
    """A converted model.

    Raises:
        InputError: the folder cannot be read as one.
    """

    def __init__(self, settings: Nllb) -> None:
        import ctranslate2

        super().__init__(settings)
        try:
            self._translator = ctranslate2.Translator(
                str(settings.path),
                device=settings.device,
                compute_type=settings.precision,
                inter_threads=settings.inter_threads,
                intra_threads=settings.intra_threads,
            )
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"the model cannot be opened ({error})", file=settings.path, remedy="convert it again"
            ) from None

    def _generate(self, tokens: list[list[int]], beam: int) -> list[list[int] | None]:
        results = self._translator.translate_batch(
            [self._tokenizer.convert_ids_to_tokens(ids) for ids in tokens],
            target_prefix=[[self._settings.target]] * len(tokens),
            beam_size=beam,
            max_input_length=0,
            max_decoding_length=self._settings.max_target,
            return_end_token=True,
        )
        end = self._tokenizer.eos_token
        said = [result.hypotheses[0] for result in results]
        return [self._tokenizer.convert_tokens_to_ids(row) if end in row else None for row in said]
