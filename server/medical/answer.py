"""Answers a question whole: the samples side by side, the tries of each one after another."""

import asyncio

from server.errors import backend_cut, too_slow
from server.gateway import Gateway
from server.medical.attempt import Attempt, best_of, read_attempt
from server.medical.question import MOST_ATTEMPTS, Asked
from server.medical.replies import check_answer, read_reply
from server.medical.result import build_answer
from server.medical.schemas import MedicalAnswer
from server.medical.votes import vote
from server.record import Record
from server.relay import BackendCutError


async def answer_question(gateway: Gateway, asked: Asked, record: Record) -> MedicalAnswer:
    """The answer, within the time that a request has.

    Raises:
        ApiError: no backend is up (503), one failed (502) or refused the request (its status), or it took too long
            (504). One sample that fails fails all: a majority of the rest would have another denominator.
    """
    limit_s = gateway.config.limits.request_s
    try:
        async with asyncio.timeout(limit_s):
            return await _answer(gateway, asked, record)
    except TimeoutError:
        record.outcome = "timeout"
        raise too_slow(limit_s) from None
    except BackendCutError:
        record.outcome = "backend cut"
        raise backend_cut() from None


async def _answer(gateway: Gateway, asked: Asked, record: Record) -> MedicalAnswer:
    made: list[Attempt] = []
    tasks = [asyncio.create_task(_sample(gateway, asked, record, number, made)) for number in range(asked.samples)]
    try:
        samples = await asyncio.gather(*tasks)
    finally:  # where one failed, or the client left, the others' generations end too
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    voted = vote(samples) if asked.samples > 1 else None
    return build_answer(asked, voted.kept if voted else samples[0], made, voted)


async def _sample(gateway: Gateway, asked: Asked, record: Record, number: int, made: list[Attempt]) -> Attempt:
    """The best attempt of one sample."""
    attempts = [await _attempt(gateway, asked, record, number, 0)]
    while asked.enforce and len(attempts) < MOST_ATTEMPTS and best_of(attempts).left_language:
        attempts.append(await _attempt(gateway, asked, record, number, len(attempts)))
    made += attempts
    return best_of(attempts)


async def _attempt(gateway: Gateway, asked: Asked, record: Record, sample: int, attempt: int) -> Attempt:
    async with await gateway.relay.ask(asked.call(sample, attempt)) as answer:
        record.backend = answer.backend.name
        check_answer(answer, streamed=False)
        reply = read_reply(answer)
    record.count_tokens({"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens})
    return await asyncio.to_thread(read_attempt, asked, reply)
