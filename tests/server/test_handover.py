"""What the parent hands to a gateway process."""

import asyncio

from pydantic import SecretStr

from server.backends import Address
from server.config import build_config
from server.gateway import Setup
from server.handover import Handover, Report, read_lines


def test_a_setup_comes_out_as_it_went_in() -> None:
    model = {
        "checkpoint": "c",
        "format": "himed",
        "languages": ["hi", "sw"],
        "adapters": {"rl": "/a/rl"},
        "engine": {"replicas": 2, "devices": ["0", "1"], "chat_template": "t.jinja"},
        "backends": [{"url": "http://h:1", "model": "there", "api_key_variable": "KEY"}],
        "sampling": {"temperature": 0.5, "stop": ["x"]},
    }
    values = {"models": {"m": model}, "auto": {"routes": {"yo": "rl"}, "default": "m"}}
    addresses = {
        "m": (
            Address("m/0", "http://127.0.0.1:1/v1", SecretStr("sk-\u00fc"), (("m", "m"), ("rl", "rl"))),
            Address("m/1", "http://h:1/v1", None, (("m", "there"),), stream_usage=False),
        )
    }
    handover = Handover(3, Setup(build_config(values), addresses), "sqlite:///x.db")
    line = handover.dump()
    assert line.count(b"\n") == 1
    assert Handover.load(line) == handover


def test_a_report_comes_out_as_it_went_in() -> None:
    assert Report.load(Report("drained", 4).dump()) == Report("drained", 4)


async def test_lines_end_when_the_other_process_is_gone() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"1\n2\n")
    lines = read_lines(reader)
    assert [await anext(lines), await anext(lines)] == [b"1\n", b"2\n"]
    reader.set_exception(ConnectionResetError())
    assert [line async for line in lines] == []
