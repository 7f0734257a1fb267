"""Texts to vectors: by a checkpoint, and by an endpoint whose vectors are kept."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from running import Loop

from app.errors import InputError
from training.corpus.calls import CallStore, EndpointAwayError
from training.corpus.config import Encoder, Model
from training.corpus.passages.encoder import encode, encoder_identity, load_checkpoint

TEXTS = [
    "ज्वर",
    "मधुमेह में रक्त शर्करा बढ़ जाती है; इंसुलिन उसे घटाता है।",
    "Insulin lowers blood glucose; the pancreas makes it. " * 3,
    "आयुर्वेद में वात, पित्त और कफ तीन दोष माने जाते हैं।",
    "D",
]


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 24 positions with random weights, whose tokens are single letters."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    import torch

    folder = tmp_path_factory.mktemp("bert")
    letters = sorted(set("".join(TEXTS)) - {" "})
    vocabulary = {token: number for number, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.BertModel(
            transformers.BertConfig(
                vocab_size=len(vocabulary),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                max_position_embeddings=24,
                initializer_range=0.5,
            )
        )
    model.save_pretrained(folder)
    return folder


async def vectors_of(texts: list[str], encoder: Encoder, folder: Path) -> np.ndarray[Any, Any]:
    with CallStore(folder / "calls.db") as store:
        vectors, faults = await encode(texts, encoder, store)
        assert faults == [None] * len(texts)
        return vectors


async def test_a_vector_is_the_mean_of_the_last_hidden_states(bert: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    found = await vectors_of(TEXTS, Encoder(path=bert), tmp_path)
    tokenizer, model = AutoTokenizer.from_pretrained(bert), AutoModel.from_pretrained(bert).eval()
    for text, vector in zip(TEXTS, found, strict=True):
        with torch.no_grad():
            tokens = tokenizer(text, truncation=True, max_length=24, return_tensors="pt")["input_ids"]
            mean = model(input_ids=tokens).last_hidden_state[0].mean(0).numpy()
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


async def test_the_batch_makes_no_difference(bert: Path, tmp_path: Path) -> None:
    whole, again, single = [await vectors_of(TEXTS, Encoder(path=bert, batch=batch), tmp_path) for batch in (32, 32, 1)]
    np.testing.assert_array_equal(whole, again)
    np.testing.assert_allclose(whole, single, atol=1e-5)
    assert abs(whole @ whole.T - np.eye(len(TEXTS))).max() > 0.01


async def test_what_is_longer_than_the_models_positions_is_cut_off(bert: Path, tmp_path: Path) -> None:
    assert load_checkpoint(bert).max_length == 24
    text = TEXTS[1]
    same, other = await vectors_of([text, text + " और"], Encoder(path=bert), tmp_path)
    np.testing.assert_allclose(same, other, atol=1e-6)


async def test_a_causal_model_is_an_encoder_too(tiny_checkpoint: Path, tmp_path: Path) -> None:
    encoder = Encoder(path=tiny_checkpoint, batch=2)
    whole = await vectors_of(TEXTS, encoder, tmp_path)
    (alone,) = await vectors_of(TEXTS[:1], encoder, tmp_path)
    np.testing.assert_allclose(whole[0], alone, atol=1e-4)


def test_a_checkpoint_is_loaded_once(bert: Path) -> None:
    assert load_checkpoint(bert) is load_checkpoint(bert)


async def test_a_prefix_stands_before_every_text(bert: Path, tmp_path: Path) -> None:
    with_prefix = await vectors_of(["ज्वर"], Encoder(path=bert, prefix="query: "), tmp_path)
    without = await vectors_of(["query: ज्वर"], Encoder(path=bert), tmp_path)
    np.testing.assert_array_equal(with_prefix, without)


def test_the_identity_knows_weights_but_no_places(bert: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bert, tmp_path / "copy")
    assert encoder_identity(Encoder(path=copy, batch=1)) == encoder_identity(Encoder(path=bert))
    assert encoder_identity(Encoder(path=bert, prefix="x")) != encoder_identity(Encoder(path=bert))
    one, other = (Model(base_url=f"http://{host}/v1", model="e5") for host in "ab")
    assert encoder_identity(Encoder(model=one)) == encoder_identity(Encoder(model=other))
    assert encoder_identity(None) is None


async def test_a_folder_that_holds_no_encoder_is_named(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such checkpoint folder"):
        await vectors_of(TEXTS, Encoder(path=tmp_path / "none"), tmp_path)
    copy = shutil.copytree(bert, tmp_path / "copy")
    (copy / "config.json").write_text("{}")
    with pytest.raises(InputError, match="holds no encoder that can be loaded"):
        await vectors_of(TEXTS, Encoder(path=copy), tmp_path)
    (copy / "pytorch_model.bin").write_bytes(b"pickle")
    load_checkpoint.cache_clear()
    with pytest.raises(InputError, match="pickled weights"):
        await vectors_of(TEXTS, Encoder(path=copy), tmp_path)


@contextmanager
def embedding_endpoint(answer: Callable[[list[str]], Any]) -> Iterator[tuple[Model, list[list[str]]]]:
    """An endpoint whose vectors a test decides (or the status of a failure), and the texts it was asked for."""
    asked: list[list[str]] = []
    loop = Loop()

    async def handler(request: web.Request) -> web.Response:
        texts = (await request.json())["input"]
        asked.append(texts)
        found = answer(texts)
        if isinstance(found, int):
            return web.json_response({"error": {"message": "no"}}, status=found)
        rows = [{"index": index, "embedding": vector} for index, vector in enumerate(found)]
        return web.json_response({"data": rows[::-1]})

    async def start() -> web.AppRunner:
        application = web.Application()
        application.router.add_post("/v1/embeddings", handler)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    runner = loop.call(start())
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield Model(base_url=url, model="e5", max_attempts=2, backoff_s=0.001), asked
    finally:
        loop.call(runner.cleanup())
        loop.close()


def lengths(texts: list[str]) -> list[list[float]]:
    return [[float(len(text)), 1.0] for text in texts]


async def test_an_endpoints_vectors_are_kept(tmp_path: Path) -> None:
    with embedding_endpoint(lengths) as (model, asked):
        encoder = Encoder(model=model, batch=2, prefix="q: ")
        first = await vectors_of(TEXTS, encoder, tmp_path)
        assert sorted(len(texts) for texts in asked) == [1, 2, 2]
        assert sorted(text for texts in asked for text in texts) == sorted(f"q: {text}" for text in TEXTS)
        np.testing.assert_array_equal(first, await vectors_of(TEXTS, encoder, tmp_path))
        assert len(asked) == 3
    wanted = np.array(lengths([f"q: {text}" for text in TEXTS]))
    np.testing.assert_allclose(first, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-3)
    with CallStore(tmp_path / "calls.db") as store:
        assert store.spent()["embed"].calls == 3


async def test_a_text_that_the_endpoint_refuses_has_no_vector(tmp_path: Path) -> None:
    longest = max(TEXTS, key=len)
    refusing = embedding_endpoint(lambda texts: 400 if longest in texts else lengths(texts))
    with refusing as (model, asked), CallStore(tmp_path / "calls.db") as store:
        vectors, faults = await encode(TEXTS, Encoder(model=model), store)
    assert [bool(vector.any()) for vector in vectors] == [text != longest for text in TEXTS]
    assert [fault and fault.reason for fault in faults] == ["refused" if text == longest else None for text in TEXTS]
    assert [len(texts) for texts in asked] == [5, 2, 3, 1, 2]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda texts: 503, "503"),
        (lambda texts: 401, "401"),
        (lambda texts: 404, "404"),
        (lambda texts: lengths(texts)[1:], "4 vectors for 5 texts"),
        (lambda texts: [[1.0] * (1 + len(text)) for text in texts], "of several lengths"),
        (lambda texts: [[] for _ in texts], "no or impossible numbers"),
        (lambda texts: [[1e300, 1.0] for _ in texts], "no or impossible numbers"),
    ],
)
async def test_without_vectors_the_work_stops(answer: Any, words: str, tmp_path: Path) -> None:
    with embedding_endpoint(answer) as (model, _), pytest.raises(EndpointAwayError, match=words):
        await vectors_of(TEXTS, Encoder(model=model), tmp_path)
    with CallStore(tmp_path / "calls.db") as store:
        assert store.spent() == {}
