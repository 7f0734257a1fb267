"""Texts to vectors: by a checkpoint's hidden states in this process, or by an endpoint."""

import base64
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from app.checkpoint import check_weights, checkpoint_revision
from app.endpoint import Endpoint, EndpointError
from app.endpoint.reply import Reply
from app.errors import InputError
from training.corpus.calls import CallError, CallStore, EndpointAwayError, in_order
from training.corpus.calls.store import call_key
from training.corpus.config import Encoder, endpoint_settings
from training.corpus.models import identity, window

if TYPE_CHECKING:
    import torch

PURPOSE: Final = "embed"

Vectors = NDArray[np.float32]

_UNFIT: Final = (400, 413, 422)  # what an endpoint says of a text that is too long for it
_SHORTEST: Final = 16  # fewer positions than that are no text encoder's
_LONGEST: Final = 8192  # attention over more would only cost memory: no passage is that long
_REMEDY: Final = "name the folder of a text encoder, such as multilingual-e5"


def encoder_identity(encoder: Encoder | None) -> Mapping[str, Any] | None:
    """What of an encoder its vectors depend on, for a step's settings: no path, no address, no speed.

    Raises:
        InputError: its folder holds no whole weights.
    """
    if encoder is None:
        return None
    model = {"weights": _revision(encoder.path)} if encoder.path else identity(encoder.model)
    return {"model": model, "prefix": encoder.prefix}


async def encode(texts: Sequence[str], encoder: Encoder, store: CallStore) -> tuple[Vectors, list[CallError | None]]:
    """A vector of length 1 for each text, shape (texts, dimensions), and why it is missing, where it is.

    A missing vector is all zeros: it resembles nothing. An endpoint's vectors are kept in the store, in half precision,
    and are used as they are kept, so that another run joins what the first one joined.

    Args:
        texts: as many as there are; they are encoded in batches.
        encoder: the folder of a checkpoint, or an endpoint.
        store: where an endpoint's vectors are kept.

    Raises:
        InputError: the checkpoint cannot be loaded.
        EndpointAwayError: the endpoint fails, or is none for embeddings: where one neighbour is unknown, so is all
            that is made of it, and nothing can go on.
    """
    prefixed = [f"{encoder.prefix}{text}" for text in texts]
    if not texts:
        return np.zeros((0, 1), np.float32), []
    if encoder.path is not None:
        vectors = load_checkpoint(encoder.path, encoder.device).encode(prefixed, encoder.batch)
        return _normalised(vectors), [None] * len(texts)
    if encoder.model is None:
        raise ValueError("neither path nor model")
    batches = [prefixed[start : start + encoder.batch] for start in range(0, len(texts), encoder.batch)]
    found: list[Vectors | CallError] = []
    async with Endpoint(endpoint_settings(encoder.model, "encoder")) as endpoint:
        async for _, vectors_of_batch in in_order(batches, _Remote(endpoint, store).encode, window([encoder.model])):
            found += vectors_of_batch
    known = [vector for vector in found if isinstance(vector, np.ndarray)]
    if len({len(vector) for vector in known}) > 1:
        raise EndpointAwayError(f"{endpoint.settings.base_url}: the vectors are of several lengths")
    none = np.zeros(len(known[0]) if known else 1, np.float32)
    faults = [vector if isinstance(vector, CallError) else None for vector in found]
    return np.stack([none if isinstance(vector, CallError) else vector for vector in found]), faults


class _Remote:
    """An endpoint's vectors, kept in the store."""

    def __init__(self, endpoint: Endpoint, store: CallStore) -> None:
        self._endpoint, self._store = endpoint, store

    async def encode(self, texts: list[str]) -> list[Vectors | CallError]:
        request = orjson.dumps({"model": self._endpoint.settings.model, "input": texts})
        key = call_key(request)
        reply = self._store.find(key)
        if reply is None:
            try:
                reply = await self._embed(texts)
            except EndpointError as error:
                return await self._in_halves(texts, error)
            self._store.add(key, PURPOSE, request, reply)
        half = np.frombuffer(base64.b64decode(reply.text), np.float16)
        return [*_normalised(half.reshape(len(texts), -1).astype(np.float32))]

    async def _embed(self, texts: list[str]) -> Reply:
        started = time.perf_counter()
        try:
            with np.errstate(over="ignore"):  # infinite then, which is found below
                vectors = np.asarray(await self._endpoint.embed(texts), np.float32)
        except ValueError:
            raise EndpointError(f"{self._endpoint.settings.base_url}: the vectors are of several lengths") from None
        if vectors.ndim != 2 or not vectors.size or not np.isfinite(vectors).all():
            raise EndpointError(f"{self._endpoint.settings.base_url}: the vectors hold no or impossible numbers")
        kept = base64.b64encode(_normalised(vectors).astype(np.float16).tobytes()).decode()
        return Reply(kept, None, "stop", None, None, time.perf_counter() - started)

    async def _in_halves(self, texts: list[str], error: EndpointError) -> list[Vectors | CallError]:
        """One text that is too long must not cost its batch."""
        if error.status not in _UNFIT:
            raise EndpointAwayError(str(error))
        if len(texts) == 1:
            return [CallError("refused", str(error))]
        middle = len(texts) // 2
        return [*await self.encode(texts[:middle]), *await self.encode(texts[middle:])]


class Checkpoint:
    """A loaded text encoder: the mean of its last hidden states over a text's tokens."""

    def __init__(self, tokenizer: Any, model: Any, max_length: int, device: "torch.device") -> None:
        self._tokenizer, self._model, self._device = tokenizer, model, device
        self.max_length = max_length

    def encode(self, texts: Sequence[str], batch: int) -> Vectors:
        """Vectors, shape (texts, dimensions). Texts of like length go together, so that little is padded.

        What is longer than the model's positions is cut off. A text's vector hangs on its batch by rounding alone.
        """
        import torch

        tokens = self._tokenizer(list(texts), truncation=True, max_length=self.max_length)["input_ids"]
        order = sorted(range(len(texts)), key=lambda row: len(tokens[row]), reverse=True)  # the largest fails first
        found: dict[int, Vectors] = {}
        with torch.inference_mode():
            for start in range(0, len(order), batch):
                rows = order[start : start + batch]
                padded = self._tokenizer.pad({"input_ids": [tokens[row] for row in rows]}, return_tensors="pt")
                ids, mask = padded["input_ids"].to(self._device), padded["attention_mask"].to(self._device)
                states = self._model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
                weights = mask.unsqueeze(-1).float()
                means = (states * weights).sum(1) / weights.sum(1).clamp(min=1)
                found.update(zip(rows, means.cpu().numpy(), strict=True))
        return np.stack([found[row] for row in range(len(texts))])


@lru_cache(maxsize=1)
def load_checkpoint(folder: Path, device: str = "cpu") -> Checkpoint:
    """The text encoder of a folder, once per process.

    Its code comes from transformers, never from the folder, and nothing is fetched.

    Raises:
        InputError: the folder holds no text encoder, or the device is not there.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    check_weights(folder)
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, **local)
            model, report = AutoModel.from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **local
            )
    except (OSError, ValueError, KeyError) as error:  # how transformers reports missing, broken and foreign files
        problem = f"holds no encoder that can be loaded ({str(error).splitlines()[0]})"
        raise InputError(problem, file=folder, remedy=_REMEDY) from None
    # A pooler is not used here, and many checkpoints lack it; transformers fills it with random numbers.
    if missing := sorted(name for name in report["missing_keys"] if "pooler" not in name):
        raise InputError(f"the weights lack {', '.join(missing[:3])}", file=folder, remedy=_REMEDY)
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise InputError("the tokenizer has no padding token", file=folder, remedy=_REMEDY)
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    try:
        target = torch.device(device)
        model = model.to(target).eval()
    except (RuntimeError, AssertionError) as error:  # no such device, no CUDA in this build
        problem = f"no such device here ({str(error).splitlines()[0]})"
        raise InputError(problem, field="passages.encoder.device", remedy="use cpu") from None
    return Checkpoint(tokenizer, model, _positions(tokenizer, model), target)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' bars and tables of parts that are not used here, such as a language model's head."""
    from transformers.utils import logging

    level, with_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if with_bars:
            logging.enable_progress_bar()


def _positions(tokenizer: Any, model: Any) -> int:
    """The longest text in tokens."""
    known = [tokenizer.model_max_length]  # about 1e30 where the tokenizer does not know
    tables = [part for name, part in model.named_modules() if name.endswith("position_embeddings")]
    tables = [table for table in tables if hasattr(table, "num_embeddings")]
    # RoBERTa and its like number their positions from behind the padding's.
    known += [table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1) for table in tables]
    if not tables and (limit := getattr(model.config, "max_position_embeddings", None)):
        known.append(limit)
    longest = min(known)
    if longest < _SHORTEST:
        raise InputError(f"the model takes {longest} tokens", file=tokenizer.name_or_path, remedy=_REMEDY)
    return int(min(longest, _LONGEST))


@lru_cache(maxsize=8)
def _revision(folder: Path) -> str:
    check_weights(folder)
    return checkpoint_revision(folder)


def _normalised(vectors: Vectors) -> Vectors:
    """Vectors of length 1; one without a direction stays all zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
