"""Translation in this process, one file after another."""

from pathlib import Path

from training.corpus.step import find_done, run_step
from training.corpus.translation import TranslateSection, TranslateStep, find_sources
from training.corpus.unit import Manifest


async def translate_files(sources: Path, folder: Path, config: TranslateSection) -> list[Manifest]:
    """Translate a file, or every data file under a folder; what is done already is not done again."""
    step = TranslateStep(config)
    manifests = []
    for unit in find_sources([sources])[0]:
        done = find_done(step, folder, unit, unit.sha256)
        manifests.append(done or await run_step(step, folder, unit, unit.source, unit.sha256))
    return manifests
