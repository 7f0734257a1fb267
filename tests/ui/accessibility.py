"""axe-core on a page as it stands."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def assert_accessible(page: Page) -> None:
    """Nothing serious or critical on the whole page."""
    found = Axe().run(page, options={"runOnly": _RULES}).response["violations"]
    grave = [
        (each["impact"], each["id"], each["help"], [node["html"][:300] for node in each["nodes"]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert grave == []
