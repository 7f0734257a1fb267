"""What is no prose is blanked out, character for character, so that offsets stay those of the text."""

import re

# Only a text with one of these characters, or with a web address, can hold something to blank out.
_SUSPECT = re.compile(r"[<`$\\*_#|>&~@\[\u200b\u200e\u200f\ufeff]|://|www\.|\b10\.\d|\b[A-Z][.):]\s|\([A-Z]\)")

_FENCE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_INLINE_CODE = re.compile(r"`[^`\n]*`")
# Bodies stop at the next opening sign, so that a text of openings alone takes no square of its length.
_TAG = re.compile(
    r"""<!--(?:[^<]|<(?!!--))*?-->"""
    r"""|</?[A-Za-z][\w:-]*(?:\s+[\w:-]+(?:=(?:"[^"]*"|'[^']*'|[^\s"'<>]+))?)*\s*/?>"""
)
_MATH = re.compile(
    r"\$\$[^$]*\$\$|\\\[(?:[^\\]|\\(?![\[\]]))*\\\]|\\\((?:[^\\]|\\(?![()]))*\\\)"
    r"|\\begin\{(\w+\*?)\}(?:[^\\]|\\(?!begin\{\1\}|end\{\1\}))*\\end\{\1\}"
    # One dollar sign is also money: only a formula holds a command, an index, a relation or nothing but one symbol.
    r"|\$(?=[^\s$])(?=[^$\n]*[\\^_=<>+]|[A-Za-z0-9.]{1,4}\$)[^$\n]{0,200}?(?<=\S)\$"
)
# \boxed{…} and \text{…} outside a formula wrap prose, which stays; other commands go with their arguments.
_WRAPPER = re.compile(r"\\(?:boxed|text\w*|emph|underline|mbox)\s*(?=\{)")
_COMMAND = re.compile(r"\\[A-Za-z]+\*?(?:\{[^{}\n]*\})*")
_LINK_TARGET = re.compile(r"(?<=\])\([^()\s]*(?:\s+\"[^\"\n]*\")?\)")
_ADDRESS = re.compile(
    r"(?:https?|ftp)://[^\s<>。，、）]+|www\.[^\s<>。，、）]+|\b10\.\d{4,9}/\S+|[\w.+-]+@[\w-]+\.[\w.-]+"
)
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|[a-z]{2,8});")
_OPTION = re.compile(r"(?:^|(?<=[\s(]))[A-Z][.):](?=\s)|\([A-Z]\)", re.MULTILINE)
_STEPS = (_FENCE, _INLINE_CODE, _TAG, _MATH, _LINK_TARGET, _ADDRESS, _ENTITY)
_MARKUP = str.maketrans(dict.fromkeys("*_#|>~`{}\\\u200b\u200e\u200f\ufeff", " "))


def _blank(match: re.Match[str]) -> str:
    # New lines stay: they end sentences.
    return "".join("\n" if char == "\n" else " " for char in match[0])


def blank_markup(text: str) -> str:
    """``text`` with tags, code, LaTeX, addresses, Markdown signs and option letters as blanks; the length stays."""
    if not _SUSPECT.search(text):
        return text
    for pattern in _STEPS:
        text = pattern.sub(_blank, text)
    if "\\" in text:
        text = _COMMAND.sub(_blank, _WRAPPER.sub(_blank, text))
    return _OPTION.sub(_blank, text).translate(_MARKUP)
