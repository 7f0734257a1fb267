"""The weights and the tokenizer that a stage starts from. Code of a checkpoint is never run, and nothing is fetched
unless it was allowed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.checkpoint import check_weights
from app.errors import InputError
from training.checkpoints import Parent
from training.recipe.stages import Model
from training.stage.folder import result_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_LLAMA_PAD: Final = "<|finetune_right_pad_id|>"  # Llama 3.1 has this token and does not name it as its padding


@dataclass(frozen=True, slots=True)
class Start:
    """Where a stage starts: a local folder or a model of the hub."""

    source: str
    revision: str | None
    allow_hub: bool

    @property
    def is_folder(self) -> bool:
        """Whether it is a local folder."""
        return Path(self.source).is_dir()

    @property
    def arguments(self) -> dict[str, Any]:
        """What every ``from_pretrained`` gets."""
        arguments: dict[str, Any] = {
            "local_files_only": self.is_folder or not self.allow_hub,
            "trust_remote_code": False,
        }
        return arguments if self.is_folder else arguments | {"revision": self.revision or "main"}

    def parent(self, child: Path) -> Parent:
        """The lineage's record of it, for a checkpoint in ``child``.

        Raises:
            InputError: the hub's commit cannot be told.
        """
        if self.is_folder:
            return Parent.of_folder(Path(self.source), child)
        return Parent(path=self.source, revision=_hub_commit(self))


def find_start(model: Model, *, allow_hub: bool = False) -> Start:
    """The finished checkpoint of the recipe's parent, else its base.

    Raises:
        InputError: the parent is not finished, or the weights of a local folder are not whole.
    """
    if model.parent is None:
        start = Start(model.base, model.revision, allow_hub)
    else:
        start = Start(str(result_folder(model.parent, "model.parent")), None, allow_hub)
    if start.is_folder:
        check_weights(Path(start.source))
    elif Path(start.source).is_absolute() or start.source.startswith("."):
        raise InputError("there is no such folder", file=start.source, field="model.base", remedy="check the path")
    return start


def load_tokenizer(start: Start) -> "PreTrainedTokenizerBase":
    """The tokenizer, which has a chat template and a padding token.

    Raises:
        InputError: there is none that can be loaded, or it has no chat template.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(start.source, **start.arguments)
    except (OSError, ValueError) as error:
        raise _cannot_load("tokenizer", start, error) from None
    if not tokenizer.chat_template:
        raise InputError("the tokenizer has no chat template", file=start.source, remedy="name an instruct model")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = _LLAMA_PAD if _LLAMA_PAD in tokenizer.get_vocab() else tokenizer.eos_token
    return tokenizer


def load_causal_model(start: Start, model: Model) -> "PreTrainedModel":
    """The language model in the recipe's number format.

    Build the trainer's arguments first: under DeepSpeed's stage 3 they have each process load only its part.

    Raises:
        InputError: there is no model that can be loaded.
    """
    from transformers import AutoModelForCausalLM

    return _load(AutoModelForCausalLM, start, model, {})


def load_classifier(start: Start, model: Model, labels: tuple[str, ...], pad_token_id: int) -> "PreTrainedModel":
    """A sequence classifier whose head is new where the weights have none.

    Raises:
        InputError: there is no model that can be loaded.
    """
    from transformers import AutoModelForSequenceClassification

    names = dict(enumerate(labels))
    head: dict[str, Any] = {
        "num_labels": len(labels),
        "id2label": names,
        "label2id": {name: index for index, name in names.items()},
        "pad_token_id": pad_token_id,
    }
    return _load(AutoModelForSequenceClassification, start, model, head)


def _load(kind: Any, start: Start, model: Model, more: dict[str, Any]) -> "PreTrainedModel":
    import torch

    arguments = start.arguments | more
    try:
        loaded: PreTrainedModel = kind.from_pretrained(
            start.source,
            dtype=getattr(torch, model.dtype),
            attn_implementation=model.attn_implementation,
            use_safetensors=True,
            **arguments,
        )
    except (OSError, ValueError, ImportError) as error:
        raise _cannot_load("model", start, error) from None
    _restore_rotary(loaded)
    return loaded


def _restore_rotary(model: "PreTrainedModel") -> None:
    """Have the rotary frequencies in 32 bits, as every server has them.

    DeepSpeed's stage 3 rounds them to bfloat16 as it loads: position 2,048 would be off by almost 2 radians.
    """
    for module in model.modules():
        if hasattr(module, "inv_freq"):
            for name, exact in type(module)(module.config).named_buffers():
                setattr(module, name, exact.to(getattr(module, name).device))


def _cannot_load(what: str, start: Start, error: Exception) -> InputError:
    reason = str(error).strip().splitlines()[0]
    if start.is_folder:
        return InputError(
            f"the {what} cannot be loaded ({reason})", file=start.source, remedy="give a whole checkpoint"
        )
    if not start.allow_hub:
        problem = f"{start.source} is not on this machine"
        return InputError(problem, field="model.base", remedy="allow its download with --allow-hub, or name a folder")
    return InputError(f"{start.source} cannot be loaded ({reason})", field="model.base", remedy="check name and access")


def _hub_commit(start: Start) -> str:
    from transformers import AutoConfig

    commit = getattr(AutoConfig.from_pretrained(start.source, **start.arguments), "_commit_hash", None)
    if not commit:
        raise InputError(f"the commit of {start.source} is unknown", field="model.revision", remedy="name it")
    return str(commit)
