"""A LoRA adapter merged into its base: one whole model that any server loads. The adapter stays as it is."""

import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.checkpoint import check_weights
from app.engine.checkpoint import check_adapter
from app.errors import InputError
from training.checkpoints import Lineage, Parent, finish_checkpoint, lineage_chain

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

STAGE = "merge"


def merge_adapter(adapter: Path, out: Path) -> Lineage:
    """Merge a finished adapter into the model that it was trained on, and save the result as a finished checkpoint.

    The update is added in 32 bits (``W + B A * alpha / r``, https://arxiv.org/abs/2106.09685) and the sum rounded once,
    to the base's number format; that takes 4 bytes of memory per weight. The base is the adapter's parent by its
    lineage, checked by its revision. Tokenizer and chat template are the adapter's, else the base's.

    Args:
        adapter: a finished checkpoint with ``adapter_config.json`` and ``adapter_model.safetensors``.
        out: a folder that is absent or empty. It is filled in one move, so a killed merge leaves it as it was.

    Returns:
        The merged checkpoint's lineage; its parent is the adapter.

    Raises:
        InputError: the adapter is none or not finished, its base is gone or changed, there is no chat template, or
            ``out`` holds something.
    """
    check_weights(adapter)
    check_adapter(adapter)
    trained = lineage_chain(adapter)[0]
    base, revision = _find_base(adapter, trained)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError("holds something already", file=out, remedy="name another folder")
    tokenizer = _load_tokenizer(adapter, base, revision)
    target = out.resolve()
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a merge that was killed
    partial.mkdir(parents=True)
    _save_merged(adapter, base, revision, partial)
    tokenizer.save_pretrained(partial)
    lineage = finish_checkpoint(partial, _merged_lineage(trained, adapter, partial, out))
    partial.replace(target)  # a sibling: the relative path to the adapter holds
    return lineage


def _find_base(adapter: Path, trained: Lineage) -> tuple[str, str | None]:
    """Folder or hub name of the base, and the hub's commit."""
    parent = trained.parent
    if parent is None:
        raise InputError(
            "its lineage names no base", file=adapter, field="parent", remedy="train the adapter from a checkpoint"
        )
    if not parent.is_folder:
        return parent.path, _check_cached(adapter, parent.path, parent.revision)
    folder = (adapter / parent.path).resolve()
    check_weights(folder)
    return str(folder), None


def _check_cached(adapter: Path, base: str, revision: str | None) -> str | None:
    """The hub's commit of a base that is in this machine's cache: the adapter was trained from there, and nothing is
    fetched that nobody asked for."""
    from transformers import AutoConfig

    try:
        AutoConfig.from_pretrained(base, revision=revision or "main", local_files_only=True)
    except OSError:
        what = f"its base {base} is not on this machine"
        commit = f" --revision {revision}" if revision else ""
        raise InputError(what, file=adapter, field="parent", remedy=f"hf download {base}{commit}") from None
    return revision


def _load_tokenizer(adapter: Path, base: str, revision: str | None) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    if (adapter / "tokenizer_config.json").is_file():
        tokenizer = AutoTokenizer.from_pretrained(adapter)
    else:
        tokenizer = AutoTokenizer.from_pretrained(base, revision=revision or "main", local_files_only=True)
    if not tokenizer.chat_template:
        raise InputError("neither the adapter nor its base has a chat template", file=adapter, remedy="add one to it")
    return tokenizer


def _save_merged(adapter: Path, base: str, revision: str | None, folder: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoConfig, AutoModelForCausalLM

    where: dict[str, Any] = {"revision": revision or "main", "local_files_only": True}
    dtype = AutoConfig.from_pretrained(base, **where).dtype or torch.float32
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, use_safetensors=True, **where)
    # safe_merge: a merge that gives NaN is an error, not a checkpoint.
    merged = PeftModel.from_pretrained(model, adapter).merge_and_unload(safe_merge=True)
    merged.to(dtype).save_pretrained(folder)


def _merged_lineage(trained: Lineage, adapter: Path, folder: Path, out: Path) -> Lineage:
    """Data, steps and figures are those of the stages before, which the chain of parents holds."""
    return Lineage(
        format=trained.format,
        stage=STAGE,
        languages=trained.languages,
        license=trained.license,
        command=f"himed-train merge {shlex.quote(str(adapter))} --to {shlex.quote(str(out))}",
        recipe=trained.recipe,
        parent=Parent.of_folder(adapter, folder),
        steps=0,
        tokens=0,
    )
