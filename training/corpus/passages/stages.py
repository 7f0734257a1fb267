"""The stages of one book's way to passages, each with what it counts and sets aside."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from training.corpus.calls import Caller, CallError, in_order
from training.corpus.config import PassagesSection
from training.corpus.passages import calibrate as calibration
from training.corpus.passages import flag as flagging
from training.corpus.passages import grade as grading
from training.corpus.passages.ask import in_groups
from training.corpus.passages.blocks import Block
from training.corpus.passages.clean import clean_text
from training.corpus.passages.combine import combine as join_ambiguous
from training.corpus.passages.combine import pick as reasons_against
from training.corpus.passages.encoder import encode
from training.corpus.passages.merge import merge_similar
from training.corpus.passages.passage import Flags, Passage, passage_id
from training.corpus.unit import Work

_Answered = list[tuple[Passage, CallError | None]]


def clean(blocks: Sequence[Block], work: Work) -> list[Block]:
    """Blocks without what recognition leaves at their edges."""
    flow = work.flow("clean", "blocks")
    cleaned = [replace(block, text=text) for block in blocks if (text := clean_text(block.text))]
    flow.into, flow.out = len(blocks), len(cleaned)
    flow.left["empty"] += len(blocks) - len(cleaned)
    return cleaned


async def join(blocks: Sequence[Block], section: PassagesSection, work: Work) -> list[Passage]:
    """Blocks as passages, neighbours on one subject as one if there is an encoder.

    Raises:
        InputError, EndpointAwayError: as of `encode`.
    """
    flow = work.flow("merge", "blocks")
    merged = list(blocks)
    if section.encoder is not None and len(blocks) > 1:
        vectors, faults = await encode([block.text for block in blocks], section.encoder, work.store)
        for number, fault in enumerate(faults, 1):
            if fault is not None:  # the block goes on, joined with nothing
                work.note(flow, f"{work.unit.id}-block{number:05d}", fault.reason, fault.detail)
        merged = merge_similar(blocks, lambda _texts: vectors, section.threshold, section.max_chars)
    flow.into, flow.out = len(blocks), len(merged)
    flow.left["joined"] += len(blocks) - len(merged)
    title, any_other = Flags(is_title_or_heading=True), Flags()
    return [
        Passage(block.text, block.pages, number, title if flagging.is_plain_title(block) else any_other)
        for number, block in enumerate(merged, 1)
    ]


async def flag(
    passages: Sequence[Passage], writer: Caller, languages: flagging.Languages, most: int, work: Work
) -> list[Passage]:
    """Passages with their flags. Counts answers: a passage without one goes on, and what is unknown of it stays so."""
    flow = work.flow("flag", "answers")
    flagged: list[Passage] = []

    async def ask(group: list[Passage]) -> _Answered:
        return await flagging.flag(writer, group, languages)

    async for _, answered in in_order(in_groups(passages, most), ask, _window(writer)):
        for passage, fault in answered:
            flow.into += 1
            flagged.append(passage)
            if fault is None:
                flow.out += 1
            else:
                work.reject(flow, passage_id(work.unit.id, passage.number), fault)
        work.progress(len(flagged), 2 * len(passages))
    return flagged


def combine(flagged: Sequence[Passage], max_chars: int, work: Work) -> list[Passage]:
    """Passages with the ambiguous ones that belong to them."""
    flow = work.flow("combine", "passages")
    combined = join_ambiguous(flagged, max_chars)
    flow.into, flow.out = len(flagged), len(combined)
    flow.left["joined"] += len(flagged) - len(combined)
    return combined


def pick(combined: Sequence[Passage], language: str, work: Work) -> list[Passage]:
    """Passages that can be used."""
    flow = work.flow("pick", "passages")
    picked = []
    for passage, reason in reasons_against(combined, language):
        flow.into += 1
        if reason is None:
            flow.out += 1
            picked.append(passage)
        else:
            flow.left[reason] += 1
            work.note(flow, passage_id(work.unit.id, passage.number), reason, passage.trouble)
    return picked


async def calibrate(picked: Sequence[Passage], calibrator: calibration.Calibrator, work: Work) -> list[Passage]:
    """Passages as they are printed. Counts corrections: a passage without one goes on as it was."""
    flow = work.flow("calibrate", "corrections")
    calibrated: list[Passage] = []
    async for before, (passage, why) in in_order(picked, calibrator, _window(calibrator.caller)):
        flow.into += 1
        calibrated.append(passage)
        if why is None:
            flow.out += 1
        elif why.reason == calibration.UNCHANGED:
            flow.left[why.reason] += 1
        else:
            work.reject(flow, passage_id(work.unit.id, before.number), why, {"text": before.text})
    return calibrated


def without_pictures(picked: list[Passage], work: Work) -> list[Passage]:
    """The same passages, of a book that has no pages to be compared with."""
    flow = work.flow("calibrate", "corrections")
    flow.into = flow.left["no pictures"] = len(picked)
    return picked


async def grade(picked: Sequence[Passage], writer: Caller, most: int, keep: Collection[str], work: Work) -> None:
    """Write the passages whose grades are among those that go on."""
    flow = work.flow("grade", "passages")

    async def ask(group: list[Passage]) -> _Answered:
        return await grading.grade(writer, group)

    async for _, answered in in_order(in_groups(picked, most), ask, _window(writer)):
        for passage, fault in answered:
            flow.into += 1
            row_id, row = passage_id(work.unit.id, passage.number), {"text": passage.text}
            if passage.grade in keep:
                flow.out += 1
                work.keep(passage.as_row(work.unit.id, work.unit.source.name))
                work.again += fault is not None and fault.again
            elif fault is not None:
                work.reject(flow, row_id, fault, row)
            else:
                flow.left[passage.grade] += 1
                work.note(flow, row_id, passage.grade, row=row)
        work.progress(len(picked) + flow.into, 2 * len(picked))


def _window(caller: Caller) -> int:
    return 2 * caller.endpoint.settings.concurrency
