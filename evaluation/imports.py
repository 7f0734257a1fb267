"""Importing predictions into a run: other people's answers, scored like our own."""

import asyncio
import hashlib
from collections.abc import Iterator

from app.formats import Format
from evaluation.benchmarks.item import Item
from evaluation.predictions import Prediction, Predictions
from evaluation.progress import RunProgress
from evaluation.results.records import IMPORTED_JUDGE, Generation, JudgeKind, Record, Score, Verdict
from evaluation.results.writer import RunWriter
from evaluation.scorers import score_generation
from evaluation.scorers.judge import verdict_score


class PredictionImport:
    """Stores a file's answers as generations, and its verdicts as those of an imported judge.

    ``revision`` is the file's hash: the verdicts of another file are other verdicts.
    """

    def __init__(self, predictions: Predictions, model_name: str, revision: str, format: Format) -> None:
        self.predictions, self.revision, self.format = predictions, revision, format
        self.judge_model = f"{IMPORTED_JUDGE}{model_name}"
        self.version = f"1:{self.judge_model}"

    async def store(self, records: list[Record], writer: RunWriter) -> None:
        """Store what the run does not hold yet; an item without an answer is stored as failed."""
        by_item = {prediction.item_id: prediction for prediction in self.predictions.rows}
        waiting = [record for record in records if not record.generations]
        with RunProgress("importing", len(records), len(records) - len(waiting)) as progress:
            for record in waiting:
                generation, scores, verdicts = self._read(by_item.get(record.item.id), record.item)
                record.generations = [generation]
                writer.add_generation(record.item.id, generation, scores, verdicts)
                progress.advance(failed=generation.text is None)
                await asyncio.sleep(0)  # lets the writer commit, and Ctrl-C through

    def _read(self, prediction: Prediction | None, item: Item) -> tuple[Generation, list[Score], list[Verdict]]:
        if prediction is None:
            return Generation(sample=0, text=None, error="no row of the predictions answers it"), [], []
        if prediction.text is None:
            return Generation(sample=0, text=None, error="the response is null"), [], []
        generation = Generation(sample=0, text=prediction.text, finish_reason=prediction.finish_reason)
        scores = score_generation(item, generation, self.format)
        verdicts = []
        for kind, judged in self._judged(prediction):
            if judged is None:
                scores.append(Score(f"judge_{kind}", self.version, None, "no verdict"))
                continue
            verdict = Verdict(self.judge_model, self._key(item, kind), kind, "true" if judged else "false", "")
            verdicts.append(verdict)
            scores.append(verdict_score(kind, self.version, verdict.verdict))
        return generation, scores, verdicts

    def _judged(self, prediction: Prediction) -> Iterator[tuple[JudgeKind, bool | None]]:
        if self.predictions.has_judge_correct:
            yield "correct", prediction.judge_correct
        if self.predictions.has_judge_language:
            yield "language", prediction.judge_language

    def _key(self, item: Item, kind: JudgeKind) -> str:
        return hashlib.sha256(f"{self.revision}:{item.id}:{kind}".encode()).hexdigest()
