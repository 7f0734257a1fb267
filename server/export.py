"""What clinicians said of answers, given out: all of it, or as training data."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.consistency import detect_language
from app.tables import FeedbackRow, RequestLogRow
from server.catalog import last_question
from server.feedback import in_database, store_of
from server.openapi import ERRORS
from server.store import Store

router = APIRouter(prefix="/v1", tags=["feedback"], responses=ERRORS)

_PAGE = 500  # rows of the database at once
_NDJSON = "application/x-ndjson"

ExportFormat = Literal["feedback", "questions"]


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError:
        raise PydanticCustomError("time", "a time out of range") from None


Time = Annotated[datetime, AfterValidator(_utc)]


@router.get(
    "/feedback/export",
    summary="Feedback as training data; the key needs the scope admin.",
    response_class=StreamingResponse,
    responses={200: {"description": "One JSON object a line.", "content": {_NDJSON: {"schema": {"type": "string"}}}}},
)
async def export_feedback(
    request: Request,
    since: Annotated[Time | None, Query(description="ISO 8601; without a zone it is UTC.")] = None,
    until: Annotated[Time | None, Query(description="Before this time.")] = None,
    rating: Annotated[Literal["1", "-1"] | None, Query(description="Only with this rating.")] = None,
    format: Annotated[
        ExportFormat,
        Query(
            description="feedback: all of it. questions: what himed-train reads; the corrections, and the answers that "
            "were rated 1, whose question is known, and its language is told or can be seen in it."
        ),
    ] = "feedback",
) -> StreamingResponse:
    """One JSON object a line, oldest first: question, options, answer, correction, rating, comment, language, model,
    request_id, who, created. What the feedback did not bring is taken from the request log, where it has bodies.

    An export that breaks off was cut: the connection ends without the last chunk.
    """
    store = store_of(request)
    wanted = _select(since, until, None if rating is None else int(rating))
    first = await _page(store, wanted, 0)  # a database that is away is an error with its status
    return StreamingResponse(_lines(store, wanted, first, format), media_type=_NDJSON)


Wanted = Select[FeedbackRow, dict[str, Any] | None, dict[str, Any] | None, str | None]


def _select(since: datetime | None, until: datetime | None, rating: int | None) -> Wanted:
    wanted = (
        select(FeedbackRow, RequestLogRow.request, RequestLogRow.response, RequestLogRow.model)
        .outerjoin(RequestLogRow, RequestLogRow.request_id == FeedbackRow.request_id)
        .order_by(FeedbackRow.id)
        .limit(_PAGE)
    )
    if since is not None:
        wanted = wanted.where(FeedbackRow.created >= since)
    if until is not None:
        wanted = wanted.where(FeedbackRow.created < until)
    return wanted if rating is None else wanted.where(FeedbackRow.rating == rating)


@dataclass(frozen=True, slots=True)
class _Page:
    rows: list[dict[str, Any]]
    last_id: int


async def _page(store: Store, wanted: Wanted, after: int) -> _Page:
    def read(session: Session) -> _Page:
        found = session.execute(wanted.where(FeedbackRow.id > after)).all()
        rows = [_export_row(row, request or {}, response or {}, model) for row, request, response, model in found]
        return _Page(rows, found[-1][0].id if found else after)

    return await in_database(store, read)


async def _lines(store: Store, wanted: Wanted, page: _Page, format: ExportFormat) -> AsyncIterator[bytes]:
    """The rows, a page at a time; each page is read when the one before it has been sent."""
    while True:
        # In a thread: the first question without a language loads the detector, which takes a second.
        rows = page.rows if format == "feedback" else await asyncio.to_thread(_training_rows, page.rows)
        if rows:
            yield b"".join(orjson.dumps(row) + b"\n" for row in rows)
        if len(page.rows) < _PAGE:
            return
        page = await _page(store, wanted, page.last_id)


def _export_row(
    row: FeedbackRow, request: Mapping[str, Any], response: Mapping[str, Any], model: str | None
) -> dict[str, Any]:
    medical = isinstance(request.get("question"), str)
    answered = response.get("language") if medical else None
    return {
        "question": row.question or (request["question"] if medical else last_question(request)) or None,
        "options": request.get("options") if medical else None,
        "answer": row.answer or (response.get("answer") if medical else _completion(response)),
        "correction": row.correction,
        "rating": row.rating,
        "comment": row.comment,
        "language": row.language or (answered["question"] if answered else None),
        "model": row.model or model,
        "request_id": row.request_id,
        "who": row.who,
        "created": row.created.isoformat(),
    }


def _training_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [made for row in rows if (made := _training_row(row)) is not None]


def _training_row(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The question and its right answer; None where one of them is not known."""
    right = row["correction"] or (row["answer"] if row["rating"] == 1 else None)
    if not row["question"] or not right:
        return None
    if (language := row["language"] or detect_language(row["question"])) is None:
        return None
    shown = {"question": row["question"], "answer": right, "language": language}
    return shown | ({"options": row["options"]} if row["options"] else {})


def _completion(response: Mapping[str, Any]) -> str | None:
    """The text of a chat completion or a completion of a prompt; None where it is none."""
    try:
        choice = response["choices"][0]
        text = choice["message"]["content"] if "message" in choice else choice["text"]
    except (KeyError, IndexError, TypeError):
        return None
    return text if isinstance(text, str) else None
