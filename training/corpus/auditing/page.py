"""An audit as one HTML page, without scripts and without anything to be fetched."""

from pathlib import Path

from app.files import write_whole
from app.version import code_version
from training.corpus.auditing import report
from training.corpus.auditing.duplicates import short
from training.corpus.auditing.findings import Audit


def render_html(audit: Audit) -> str:
    """The page. All text of the data is escaped, and the page's own policy forbids scripts and loading."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals.update(
        percent=report.percent, interval=report.interval, cell_text=report.cell_text, head=report.head, short=short
    )
    return environment.get_template("audit.html.j2").render(audit=audit, version=code_version())


def write_html(audit: Audit, file: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    write_whole(file, render_html(audit))
