"""The text that the R1 reward model reads, defined once for its training, its evaluation and the task reward.

R1 is a sequence classifier with two labels. The text holds the model's response and the reference (reasoning and
answer) and asks whether they agree; the label ``True`` says that they do.
"""

import re
from typing import Final

LABELS: Final = ("False", "True")  # by index, as the classifier's config must name them
MAX_LENGTH: Final = 2048  # tokens
THRESHOLD: Final = 0.65  # P(True) above which a response is right

_TAGS = ("response", "reference")
_OUR_TAG = re.compile(rf"<\s*/?\s*(?:{'|'.join(_TAGS)})\s*>", re.IGNORECASE)

_TEMPLATE = """\
<response>
{response}
</response>
<reference>
{reference}
</reference>
Does the response reach the same medical conclusion as the reference, and where options are given the same option?"""


def pair_text(response: str, reference: str) -> str:
    """What the reward model reads.

    The template's own tags are taken out of both texts: a response that closes its block could write its own reference.
    """
    return _TEMPLATE.format(response=_OUR_TAG.sub("", response).strip(), reference=_OUR_TAG.sub("", reference).strip())
