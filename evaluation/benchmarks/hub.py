"""Benchmarks from the hub, for users who allow it: the release's files into the hub's own cache folder."""

from collections.abc import Sequence
from pathlib import Path

from app.errors import InputError


def download(repo: str, patterns: Sequence[str]) -> Path:
    """Fetch the data set's files that match a pattern, or take them from the cache, and return their folder.

    Raises:
        InputError: huggingface_hub is not installed, or the hub cannot be reached or refuses.
    """
    try:
        import httpx
        from huggingface_hub import snapshot_download
    except ImportError:
        problem = "loading from the hub needs huggingface_hub"
        raise InputError(problem, remedy="pip install 'himed[data]'") from None
    try:
        return Path(snapshot_download(repo_id=repo, repo_type="dataset", allow_patterns=list(patterns)))
    except (OSError, httpx.HTTPError) as error:
        problem = f"the hub data set {repo} cannot be had: {_first_line(error)}"
        remedy = "check the network, or download it elsewhere and name its folder with --data-dir"
        raise InputError(problem, remedy=remedy) from None


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
