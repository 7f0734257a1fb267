"""The tab "Results": runs of the database, their figures and single items, two runs compared, training curves."""

from ui.page import Page


def build(page: Page) -> None:
    """Build the tab."""
    from ui.results.tab import ResultsTab

    ResultsTab(page)
