"""Takes benchmarks and duplicates out of a corpus, and parts a corpus and a benchmark by their passages."""

from training.corpus.decontamination.proof import Proof, check_proof, prove_files, prove_split
from training.corpus.decontamination.report import Report, render_report
from training.corpus.decontamination.rules import Rules
from training.corpus.decontamination.run import decontaminate
from training.corpus.decontamination.split import Split, split, split_passages

__all__ = [
    "Proof",
    "Report",
    "Rules",
    "Split",
    "check_proof",
    "decontaminate",
    "prove_files",
    "prove_split",
    "render_report",
    "split",
    "split_passages",
]
