"""What clinicians say of answers, taken in; `server.export` gives it out."""

import asyncio
import logging
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self, TypeVar

from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.languages import find_language
from app.tables import FeedbackRow
from server.access import Principal
from server.errors import ApiError
from server.fields import storable
from server.gateway import gateway_of
from server.openapi import ERRORS
from server.store import Store

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/v1", tags=["feedback"], responses=ERRORS)

_LONGEST_TEXT = 32_000  # characters
_LONGEST_NAME = 200
_DATABASE_S = 10.0  # longest wait for it

T = TypeVar("T")


def _language_code(named: str) -> str:
    if (found := find_language(named)) is None:
        raise PydanticCustomError("language", "none of the languages that are known here")
    return found.code


def _own_id(value: Any) -> Any:
    """The gateway's id: vLLM writes the kind of an answer before it."""
    return value.removeprefix("chatcmpl-").removeprefix("cmpl-") if isinstance(value, str) else value


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):  # to Python true is 1
        raise PydanticCustomError("rating", "Input should be 1 or -1")
    return value


Text = Annotated[str, Field(min_length=1, max_length=_LONGEST_TEXT, pattern=r"\S"), AfterValidator(storable)]
Name = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME, pattern=r"\S"), AfterValidator(storable)]
Code = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_language_code)]


class Feedback(BaseModel):
    """What somebody says of an answer: at least a rating, a correction or a comment."""

    model_config = ConfigDict(extra="forbid", strict=True)

    request_id: Annotated[
        str,
        # First, or the schema would not show the pattern.
        Field(pattern=r"^[!-~]{1,64}$", description="The answer's id, or its header X-Request-Id."),
        BeforeValidator(_own_id),
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
    return FeedbackId(id=await in_database(store_of(request), lambda session: _add(session, row)))


def _add(session: Session, row: FeedbackRow) -> int:
    session.add(row)
    session.flush()
    return row.id


def store_of(request: Request) -> Store:
    """The database.

    Raises:
        ApiError: this server has none (503).
    """
    if (store := gateway_of(request).store) is None:
        raise ApiError(503, "this server has no database: it keeps no feedback", code="no_database")
    return store


async def in_database(store: Store, work: Callable[[Session], T]) -> T:
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
