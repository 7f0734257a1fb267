"""What is asked of a model that reads a page's picture, and what its reply is worth.

DeepSeek-OCR served by vLLM (0.11.1 or later) wants this:

    vllm serve deepseek-ai/DeepSeek-OCR --no-enable-prefix-caching --mm-processor-cache-gb 0 \\
      --logits_processors vllm.model_executor.models.deepseek_ocr:NGramPerReqLogitsProcessor

    pages:
      model:
        base_url: http://127.0.0.1:8000/v1
        model: deepseek-ai/DeepSeek-OCR
        max_tokens: 7000
        extra:
          skip_special_tokens: false
          vllm_xargs: {ngram_size: 30, window_size: 90, whitelist_token_ids: [128821, 128822]}

`max_tokens`: its context holds 8,192 tokens, of which the picture of a page takes at most 933; Devanagari costs it
more tokens than English. `vllm_xargs` keeps it from writing the same 30 tokens again within 90, except ``<td>`` and
``</td>`` (the two ids); the server must have been started with the logits processor. `skip_special_tokens: false`
keeps the special tokens in the reply, by which the places of the regions are told from the text; without it they come
bare (``title[[68, 69, 385, 100]]``), which is understood too. The model knows a few prompts word by word: the default
``<|grounding|>Convert the document to markdown.`` (regions in reading order, tables in HTML) and ``Free OCR.`` (text
alone). Any other vision model takes a prompt in plain English.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import regex

from training.corpus.calls import Unusable
from training.corpus.pages.documents import without_marks

_BOXES = r"\[\[[\d.,\s]*\](?:\s*,\s*\[[\d.,\s]*\])*\]?"
# Each of these begins a region: a paragraph, heading, table or picture of its own.
_REGION = regex.compile(
    r"\s*(?:"
    r"<\|ref\|>[^<\n]*<\|/ref\|>\s*(?:<\|det\|>[^<]*(?:<\|/det\|>)?)?"
    r"|<\|det\|>[^<]*(?:<\|/det\|>)?"
    rf"|^[ \t]*[a-z]+(?:_[a-z]+)*[ \t]*{_BOXES}(?=\s|$)"
    r")\s*",
    regex.MULTILINE,
)
_SPECIAL = regex.compile(r"<\|[^|<>\n]{1,40}\|>|<｜[^｜<>\n]{1,40}｜>")
_FENCE = regex.compile(r"\A\s*```(?:markdown|md|text)?[ \t]*\n(.*?)\n?```\s*\Z", regex.DOTALL)
_BLANK_LINES = regex.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")

# A loop: a third of all the runs of 30 letters and digits stand there five times or more.
_TAGS = regex.compile(r"<[^<>]*>")
_NO_LETTERS = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
_RUN: Final = 30
_OFTEN: Final = 5
_SHARE: Final = 1 / 3


def page_messages(picture: str, prompt: str) -> list[Mapping[str, Any]]:
    """The question for one page.

    Args:
        picture: a data URL.
        prompt: what the model is asked; behind the picture, as DeepSeek-OCR learned it.
    """
    parts = [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": prompt}]
    return [{"role": "user", "content": parts}]


def read_page(reply: str) -> str:
    """The text of a page without the model's own marks; empty where it has found regions but no text (a plate).

    Raises:
        Unusable: it says nothing at all, or the same over and over.
    """
    if not _SPECIAL.sub("", reply).strip():
        raise Unusable("empty reply")
    fenced = _FENCE.match(reply)
    text = _REGION.sub("\n\n", fenced[1] if fenced else reply)
    text = without_marks(_SPECIAL.sub("", text).replace("\r\n", "\n").replace("\0", ""))
    if (share := repeated_share(text)) >= _SHARE:
        raise Unusable("looped", f"{share:.0%} of it is said {_OFTEN} times or more")
    return _BLANK_LINES.sub("\n\n", text).strip()


def repeated_share(text: str) -> float:
    """Share of the runs of 30 letters, marks and digits that stand in the text five times or more, in [0, 1].

    Tags, blanks and punctuation do not count: a table's empty cells and the dots of a table of contents are no loop.
    """
    letters = _NO_LETTERS.sub("", _TAGS.sub(" ", text))
    runs = Counter(letters[start : start + _RUN] for start in range(len(letters) - _RUN + 1))
    often = sum(count for count in runs.values() if count >= _OFTEN)
    return often / runs.total() if runs else 0.0
