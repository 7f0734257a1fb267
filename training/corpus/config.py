"""What a corpus is made from and how: one YAML file, validated, kept with what it produced."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field, Strict, ValidationError, model_validator

from app.endpoint import EndpointSettings
from app.errors import InputError
from app.languages import LANGUAGES
from app.settings import Settings, load_settings
from app.yaml_file import read_yaml
from training.recipe.section import Folder, Section

S = TypeVar("S", bound=Section)

Role = Literal["ocr", "writer", "judge", "encoder"]
_KEYS: Final[dict[Role, str]] = {
    "ocr": "api_key",
    "writer": "api_key",
    "judge": "judge_api_key",
    "encoder": "api_key",
}

Subject = Literal["diagnosis", "etiology", "medical knowledge", "prognosis", "treatment"]
Kind = Literal["MCQ", "QA", "Dialogue"]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Names = Annotated[tuple[str, ...], Strict(False)]


class Model(Section):
    """A model at an OpenAI-compatible endpoint. Keys come from the environment, never from this file."""

    base_url: str
    """Such as http://127.0.0.1:8000/v1."""
    model: str
    """The name that the endpoint serves it by."""
    family: str = ""
    """Who made it (qwen, llama, deepseek, …): the judge's must be another than the writer's."""
    concurrency: Count = 32
    """Requests in flight at once, of each task."""
    timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """Longest wait for a reply."""
    max_attempts: Count = 5
    """Tries of one request while the endpoint fails."""
    backoff_s: Annotated[float, Field(ge=0)] = 0.5
    """Mean of the first wait before another try."""
    max_tokens: Count = 4096
    """Longest reply; one that reaches it counts as cut off."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """0 is greedy."""
    extra: dict[str, Any] = Field({})
    """Further request fields as they are, such as chat_template_kwargs."""


class PagesSection(Section):
    """Scanned PDFs to recognised text."""

    model: Model | None = None
    """A vision model for optical character recognition (DeepSeek-OCR)."""
    prompt: str = "<|grounding|>Convert the document to markdown."
    """What it is asked with each page."""
    dpi: Annotated[int, Field(ge=36, le=600)] = 144
    """Resolution at which pages are drawn."""
    max_side: Annotated[int, Field(ge=64)] = 4096
    """Longest side of a page's picture in pixels; larger ones are drawn smaller."""


class PassagesSection(Section):
    """Recognised text to passages."""

    encoder: "Encoder | None" = None
    """Joins neighbours on one subject; without it none are."""
    threshold: Annotated[float, Field(ge=-1, le=1)] = 0.65
    """Least cosine of neighbours that are joined."""
    max_chars: Count = 2000
    """Longest joined passage in characters."""
    blocks_per_call: Annotated[int, Field(ge=1, le=32)] = 8
    """Most neighbours that are flagged, and most passages that are graded, with one question."""
    calibrate: bool = False
    """Compare passages with the pictures of their pages: a vision model corrects misread letters."""
    vision: Model | None = None
    """That model; without it pages.model (one that only knows how to read whole pages, as DeepSeek-OCR, cannot)."""
    max_change: Share = 0.2
    """A correction that changes a larger share of the characters is refused, and so is one of a number or unit."""
    grade: bool = True
    """Let a model grade passages as good, middle or bad."""
    keep: Annotated[tuple[Literal["good", "middle", "bad", "unknown"], ...], Strict(False)] = ("good", "middle")
    """Grades that go on."""


class Encoder(Section):
    """Texts to vectors: a folder of a multilingual encoder, or an endpoint with /embeddings."""

    path: Folder | None = None
    """Folder of a transformers checkpoint; its last hidden states are averaged over the tokens."""
    model: Model | None = None
    """An endpoint instead."""
    prefix: str = ""
    """Put before every text (the E5 encoders want "query: ")."""
    batch: Count = 32
    """Texts that are encoded at once."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where a checkpoint computes."""

    @model_validator(mode="after")
    def _one_of_two(self) -> "Encoder":
        if (self.path is None) == (self.model is None):
            raise ValueError("give either path or model")
        return self


class InstancesSection(Section):
    """Passages to instances."""

    style: Literal["himed", "cure-med"] = "himed"
    """Which system's data are made."""
    subjects: Annotated[tuple[Subject, ...], Strict(False)] = (
        "diagnosis", "etiology", "medical knowledge", "prognosis", "treatment",
    )  # fmt: skip
    """HiMed's subjects."""
    kinds: Annotated[tuple[Kind, ...], Strict(False)] = ("MCQ", "QA", "Dialogue")
    """HiMed's kinds of instances."""
    languages: Names = ("hi",)
    """Target languages (ISO 639-1) of CURE-Med's questions."""
    questions: Annotated[int, Field(ge=1, le=10)] = 3
    """CURE-Med's questions per passage and language."""
    system: str = ""
    """What HiMed's instances say of their system of medicine (Ayurveda, Unani, …)."""
    max_calls: Annotated[int, Field(ge=1, le=8)] = 8
    """Replies per passage, further tries included; CURE-Med's style counts each language of a passage by itself."""
    attempts: Annotated[int, Field(ge=1, le=5)] = 2
    """How often a question is put until its reply can be used."""

    @model_validator(mode="after")
    def _known_languages(self) -> "InstancesSection":
        known = {language.code for language in LANGUAGES}
        if unknown := [code for code in self.languages if code not in known]:
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(sorted(known))}")
        return self

    @model_validator(mode="after")
    def _each_once(self) -> "InstancesSection":
        # Ids are made of these: twice the same one would be an id twice.
        for name in ("subjects", "kinds", "languages"):
            values = getattr(self, name)
            if not values:
                raise ValueError(f"{name}: name one at least")
            if repeated := [value for value in values if values.count(value) > 1]:
                raise ValueError(f"{name}: {repeated[0]!r} stands twice")
        return self


class Thresholds(Section):
    """Least score of each kind, from 0 to 1, with which an instance is kept."""

    grounded_in_context: Share = 0.8
    """Everything that it says stands in the passage."""
    medical_correctness: Share = 0.8
    """It is right."""
    reasoning_clarity: Share = 0.6
    """Its steps can be followed and lead to the answer."""
    language_quality: Share = 0.6
    """A native speaker would write it so."""


class JudgeSection(Section):
    """Scores of instances."""

    model: Model | None = None
    """The judge; of another family than the writer."""
    thresholds: Thresholds = Thresholds()
    """What an instance must reach."""
    attempts: Annotated[int, Field(ge=1, le=5)] = 2
    """How often it is asked until its reply can be used."""
    back_translation: bool = False
    """Also let the judge translate CURE-Med's questions and answers into English, for people who review them."""


class CorpusConfig(Section):
    """The whole file."""

    sources: Folder
    """Folder of books: .pdf, or recognised .mmd, .html, .md and .txt."""
    folder: Folder
    """Folder of all that is made."""
    languages: Names = ("hi",)
    """Languages of the sources that passages are picked in; empty for any."""
    writer: Model | None = None
    """The model that flags, grades and writes."""
    pages: PagesSection = PagesSection()
    """Scanned PDFs to recognised text."""
    passages: PassagesSection = PassagesSection()
    """Recognised text to passages."""
    instances: InstancesSection = InstancesSection()
    """Passages to instances."""
    judge: JudgeSection = JudgeSection()
    """Scores of instances."""

    @model_validator(mode="after")
    def _another_family_judges(self) -> "CorpusConfig":
        judge, writer = self.judge.model, self.writer
        if judge is None or writer is None:
            return self
        if not judge.family or not writer.family:
            raise ValueError("the judge must be of another family than the writer: give both models' family")
        if judge.family.casefold() == writer.family.casefold():
            raise ValueError(f"judge and writer are of one family, {judge.family!r}: a model favours its own kind")
        return self


def load_config(file: Path) -> CorpusConfig:
    """Read a corpus's YAML file. Its paths are taken from the file's folder.

    Raises:
        InputError: it cannot be read, a key is unknown or a value is wrong, or what is made would be taken for books;
            names the field.
    """
    config = read_section(file, CorpusConfig)
    base = file.absolute().parent
    passages = config.passages
    if passages.encoder is not None and passages.encoder.path is not None:
        encoder = passages.encoder.model_copy(update={"path": base / passages.encoder.path})
        passages = passages.model_copy(update={"encoder": encoder})
    sources, folder = base / config.sources, base / config.folder
    if any(made.resolve().is_relative_to(sources.resolve()) for made in (folder, folder / "pages")):
        remedy = "name a folder outside of sources"
        raise InputError(
            "stands in sources: its pages would be taken for books", file=file, field="folder", remedy=remedy
        )
    return config.model_copy(update={"sources": sources, "folder": folder, "passages": passages})


def read_section(file: Path, kind: type[S]) -> S:
    """A YAML file as one section.

    Raises:
        InputError: it cannot be read, a key is unknown or a value is wrong; names the field.
    """
    values = read_yaml(file)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or None
        problem = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            problem = "unknown key"
        remedy = "himed-data init writes a file with every key"
        raise InputError(problem, file=file, field=field, remedy=remedy) from None


def endpoint_settings(model: Model, role: Role, settings: Settings | None = None) -> EndpointSettings:
    """How a model is called, with its role's key from the environment.

    Raises:
        InputError: the URL is none, or the environment is wrong.
    """
    settings = settings or load_settings()
    name = _KEYS[role]
    return EndpointSettings(
        model.base_url,
        model.model,
        concurrency=model.concurrency,
        timeout_s=model.timeout_s,
        max_attempts=model.max_attempts,
        backoff_s=model.backoff_s,
        api_key=getattr(settings, name),
        key_variable=f"HIMED_{name.upper()}",
    )
