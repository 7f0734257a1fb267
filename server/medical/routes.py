"""The medical routes."""

from fastapi import APIRouter, Request, Response

from server.connection import while_connected
from server.gateway import gateway_of
from server.medical.answer import answer_question
from server.medical.question import Asked, read_question
from server.medical.result import note_result
from server.medical.schemas import MedicalAnswer, SampledQuestion, StreamedQuestion
from server.medical.stream import StreamedAnswer
from server.openapi import ERRORS, EVENT
from server.record import record_of

router = APIRouter(prefix="/v1/medical", tags=["medical"], responses=ERRORS)


@router.post("/answer", summary="A medical question's answer, read and checked.")
async def answer(request: Request, body: SampledQuestion) -> MedicalAnswer:
    """The model's reasoning and answer, the option that it chose, and whether it is in the question's language."""
    gateway, record = gateway_of(request), record_of(request.scope)
    asked = await _asked(request, body)
    result = await while_connected(request.receive, answer_question(gateway, asked, record))
    note_result(record, result, keep=gateway.config.request_log.bodies)
    return result


@router.post(
    "/answer/stream",
    summary="A medical question's answer, piece by piece.",
    response_class=Response,
    responses={200: {"description": "Events.", "content": {"text/event-stream": {"schema": EVENT}}}},
)
async def answer_stream(request: Request, body: StreamedQuestion) -> Response:
    """Server-sent events:

    - `start` {id, model, language, notice}
    - `reasoning` {text} and `answer` {text}, piece by piece. A model with a format of its own begins up to 2,000
      characters late where it writes no marker: only the first one tells reasoning from answer. Several answer blocks,
      and a longer text before the first marker, come as the answer
    - `retry` {attempt, reason}: the answer left the language (`enforce_language`); what was shown is void, another
      answer comes
    - `done`: the whole answer, as of `/v1/medical/answer`. It is the one that counts: it holds the best of all
      attempts, parted into reasoning and answer as in the events where the model's server does that, as vLLM does
    - `error` {error}: in OpenAI's shape, in place of `done`

    An error before the first event is an answer with its own status.
    """
    asked = await _asked(request, body)
    return StreamedAnswer(gateway_of(request), asked, record_of(request.scope))


async def _asked(request: Request, body: StreamedQuestion) -> Asked:
    gateway, record = gateway_of(request), record_of(request.scope)
    record.streamed = request.url.path.endswith("/stream")
    asked = await read_question(body, record.request_id, gateway.catalog, gateway.config.limits)
    record.model, record.language = asked.model.name, asked.language
    if gateway.config.request_log.bodies:
        record.request = body.model_dump(exclude_none=True)
    return asked
