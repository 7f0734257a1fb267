"""The documentation becomes a site: all of its links lead somewhere, and its pages load nothing from other hosts."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from pages import PAGES, ROOT

_LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=\"?(https?://[^\s\">]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("mkdocs") is None:
        pytest.skip("MkDocs is not installed: run `make setup`")
    folder = tmp_path_factory.mktemp("site")
    words = [
        "build",
        "--strict",
        "--quiet",
        "--site-dir",
        str(folder),
    ]  # --strict: a link that leads nowhere is an error
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_built_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = {page.relative_to(site) for page in site.rglob("*.html")}
    docs = ROOT / "docs"
    assert {page.relative_to(docs).with_suffix(".html") for page in PAGES if docs in page.parents} <= pages
    for page in site.rglob("*.html"):
        loaded = _LOADED.findall(page.read_text(encoding="utf-8"))
        assert not loaded, f"{page} loads {loaded}"


def test_the_api_has_what_the_modules_say(site: Path) -> None:
    page = (site / "api" / "app.html").read_text(encoding="utf-8")
    assert 'id="app.endpoint.Endpoint"' in page
    assert "bounded concurrency" in page


def test_the_readmes_links_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#\s]+)\)", (ROOT / name).read_text(encoding="utf-8")):
            assert target.startswith("https://") or (ROOT / target).exists(), f"{name}: {target}"
