"""What clinicians say of answers: taken in, and given out as training data."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, TypeVar

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Select, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.languages import find_language
from app.tables import FeedbackRow, RequestLogRow
from server.access import Principal
from server.catalog import last_question
from server.errors import ApiError
from server.gateway import gateway_of
from server.medical.schemas import storable
from server.openapi import ERRORS
from server.store import Store

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/v1", tags=["feedback"], responses=ERRORS)

_LONGEST_TEXT = 32_000  # characters
_LONGEST_NAME = 200
_PAGE = 500  # rows of the database at once
_DATABASE_S = 10.0  # longest wait for it
_NDJSON = "application/x-ndjson"

ExportFormat = Literal["feedback", "questions"]
T = TypeVar("T")


def _language_code(named: str) -> str:
    if (found := find_language(named)) is None:
        raise PydanticCustomError("language", "none of the languages that are known here")
    return found.code


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):  # to Python true is 1
        raise PydanticCustomError("rating", "Input should be 1 or -1")
    return value


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError:
        raise PydanticCustomError("time", "a time out of range") from None


Text = Annotated[str, Field(min_length=1, max_length=_LONGEST_TEXT, pattern=r"\S"), AfterValidator(storable)]
Name = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME, pattern=r"\S"), AfterValidator(storable)]
Code = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_language_code)]
Time = Annotated[datetime, AfterValidator(_utc)]


class Feedback(BaseModel):
    """What somebody says of an answer: at least a rating, a correction or a comment."""

    model_config = ConfigDict(extra="forbid", strict=True)

    request_id: Annotated[
        str, Field(pattern=r"^[!-~]{1,64}$", description="The answer's id, or the header X-Request-Id of its reply.")
    ]
    rating: Annotated[
        Literal[1, -1] | None, BeforeValidator(_no_boolean), Field(description="1 is good, -1 is bad.")
    ] = None
    correction: Annotated[Text | None, Field(description="The answer as it should have been.")] = None
    comment: Text | None = None
    who: Annotated[Name | None, Field(description="Who says it; default: the key's name.")] = None
    question: Annotated[Text | None, Field(description="Where the server does not log it.")] = None
    answer: Annotated[Text | None, Field(description="Where the server does not log it.")] = None
    model: Name | None = None
    language: Annotated[Code | None, Field(description="The question's language, by code or name.")] = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.rating is None and self.correction is None and self.comment is None:
            raise PydanticCustomError("nothing_said", "give at least one of `rating`, `correction` and `comment`")
        return self


class FeedbackId(BaseModel):
    """Where the feedback is kept."""

    id: int


@router.post("/feedback", summary="Say of an answer what is good or wrong; the key needs the scope feedback.")
async def give_feedback(request: Request, body: Feedback) -> FeedbackId:
    """A rating, a correction or a comment on an answer. Each is kept; none replaces an earlier one."""
    principal = request.scope["state"]["principal"]
    assert isinstance(principal, Principal)
    row = FeedbackRow(**body.model_dump() | {"who": body.who or principal.name}, key_name=principal.name)
    return FeedbackId(id=await _bounded(_store_of(request), lambda session: _add(session, row)))


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
            "were rated 1, whose question is known."
        ),
    ] = "feedback",
) -> StreamingResponse:
    """One JSON object a line, oldest first: question, options, answer, correction, rating, comment, language, model,
    request_id, who, created. What the feedback did not bring is taken from the request log, where it has bodies.

    An export that breaks off was cut: the connection ends without the last chunk.
    """
    store = _store_of(request)
    wanted = _select(since, until, None if rating is None else int(rating))
    first = await _page(store, wanted, 0)  # a database that is away is an error with its status
    return StreamingResponse(_lines(store, wanted, first, format), media_type=_NDJSON)


def _add(session: Session, row: FeedbackRow) -> int:
    session.add(row)
    session.flush()
    return row.id


def _store_of(request: Request) -> Store:
    if (store := gateway_of(request).store) is None:
        raise ApiError(503, "this server has no database: it keeps no feedback", code="no_database")
    return store


async def _bounded(store: Store, work: Callable[[Session], T]) -> T:
    """The result of ``work`` in a session.

    Raises:
        ApiError: the database is away (503).
    """
    try:
        async with asyncio.timeout(_DATABASE_S):
            return await store.run_in_session(work)
    except (SQLAlchemyError, TimeoutError) as error:
        logger.error("the database is away", extra={"reason": type(error).__name__})
        raise ApiError(503, "the database is away; try again soon", code="database_away", retry_after_s=5) from None


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

    return await _bounded(store, read)


async def _lines(store: Store, wanted: Wanted, page: _Page, format: ExportFormat) -> AsyncIterator[bytes]:
    """The rows, a page at a time; each page is read when the one before it has been sent."""
    while True:
        rows = page.rows if format == "feedback" else [row for row in map(_training_row, page.rows) if row is not None]
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


def _training_row(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The question and its right answer; None where one of them is not known."""
    right = row["correction"] or (row["answer"] if row["rating"] == 1 else None)
    if not row["question"] or not right or not row["language"]:
        return None
    shown = {"question": row["question"], "answer": right, "language": row["language"]}
    return shown | ({"options": row["options"]} if row["options"] else {})


def _completion(response: Mapping[str, Any]) -> str | None:
    """The text of a chat completion or a completion of a prompt; None where it is none."""
    try:
        choice = response["choices"][0]
        text = choice["message"]["content"] if "message" in choice else choice["text"]
    except (KeyError, IndexError, TypeError):
        return None
    return text if isinstance(text, str) else None
