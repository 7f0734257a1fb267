"""The audit of a benchmark or a corpus: what an honest reviewer wants to know of it before using it."""

from training.corpus.auditing.checks import audit
from training.corpus.auditing.findings import Audit, Example, Figures, FileAudit, Finding
from training.corpus.auditing.page import render_html, write_html
from training.corpus.auditing.report import as_json, print_audit

__all__ = [
    "Audit",
    "Example",
    "Figures",
    "FileAudit",
    "Finding",
    "as_json",
    "audit",
    "print_audit",
    "render_html",
    "write_html",
]
