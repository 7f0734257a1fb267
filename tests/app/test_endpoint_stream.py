"""Streamed replies from a real server."""

import orjson
import pytest
from scripted_endpoint import GREEDY, MESSAGES, USAGE, Server, completion, fails, piece, says, streams
from waiting import until

from app.endpoint import Endpoint, EndpointError


async def test_a_stream_gives_its_pieces_and_then_the_whole_reply(server: Server) -> None:
    server.answers(
        streams(
            b": a comment\n\n",
            piece(role="assistant", content=""),
            piece(reasoning="क्योंकि "),
            piece(reasoning="यह"),
            b"data: " + orjson.dumps(piece(content="उत्त"))[:70],
            orjson.dumps(piece(content="उत्त"))[70:] + b"\r\n\r\n",
            piece("stop", content="र"),
            USAGE,
            b"data: [DONE]\n\n",
        )
    )
    async with Endpoint(server.settings()) as endpoint, endpoint.stream(MESSAGES, GREEDY, seed=3) as stream:
        with pytest.raises(RuntimeError, match="not read to its end"):
            _ = stream.reply
        deltas = [(delta.text, delta.reasoning) async for delta in stream]
        reply = stream.reply
    assert deltas == [("", "क्योंकि "), ("", "यह"), ("उत्त", ""), ("र", "")]
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("उत्तर", "क्योंकि यह", "stop")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.attempts) == (12, 3, 1)
    assert server.bodies[0] | {"stream": True, "stream_options": {"include_usage": True}} == server.bodies[0]
    assert server.bodies[0]["seed"] == 3


async def test_a_stream_is_opened_again_after_a_passing_failure(server: Server) -> None:
    server.answers(fails(503), streams(piece("stop", content="D"), b"data: [DONE]"))
    async with Endpoint(server.settings()) as endpoint, endpoint.stream(MESSAGES, GREEDY) as stream:
        assert [delta.text async for delta in stream] == ["D"]
        assert (stream.reply.text, stream.reply.attempts, stream.reply.completion_tokens) == ("D", 2, None)


@pytest.mark.parametrize("abort", [True, False])
async def test_a_stream_cut_in_the_middle_is_an_error_after_its_pieces(server: Server, abort: bool) -> None:
    server.answers(streams(piece(content="उत्त"), cut=abort))
    async with Endpoint(server.settings()) as endpoint, endpoint.stream(MESSAGES, GREEDY) as stream:
        deltas = aiter(stream)
        assert (await anext(deltas)).text == "उत्त"
        with pytest.raises(EndpointError, match="cut") as caught:
            await anext(deltas)
    assert caught.value.retryable
    assert len(server.bodies) == 1


async def test_an_error_inside_a_stream_is_raised(server: Server) -> None:
    event = {"error": {"message": "EngineCore encountered an issue", "type": "x", "code": 500}}
    server.answers(streams(piece(content="उ"), event))
    async with Endpoint(server.settings()) as endpoint:
        with pytest.raises(EndpointError, match="the stream broke off: EngineCore encountered an issue") as caught:
            async with endpoint.stream(MESSAGES, GREEDY) as stream:
                _ = [delta async for delta in stream]
    assert (caught.value.status, caught.value.retryable) == (500, True)


async def test_a_silent_stream_times_out(server: Server) -> None:
    server.answers(streams(piece(content="उ"), pause=5))
    async with Endpoint(server.settings(timeout_s=0.2)) as endpoint:
        with pytest.raises(EndpointError, match=r"no answer within 0\.2 s"):
            async with endpoint.stream(MESSAGES, GREEDY) as stream:
                _ = [delta async for delta in stream]


async def test_leaving_a_stream_early_closes_the_connection_and_gives_the_place_back(server: Server) -> None:
    server.answers(streams(*[piece(content="उ")] * 500, pause=0.01), says(completion()))
    async with Endpoint(server.settings(concurrency=1)) as endpoint:
        async with endpoint.stream(MESSAGES, GREEDY) as stream:
            async for _delta in stream:
                break
        assert (await endpoint.chat(MESSAGES, GREEDY)).text == "उत्तर: D"
        await until(lambda: server.in_flight == 0)  # the server notices that nobody listens
