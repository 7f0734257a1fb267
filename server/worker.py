"""One of several gateway processes: ``python -m server.worker CONTROL LISTENER TABLE NUMBER``, the first three of them
file descriptors that `server.workers` hands down. It ends when its parent does."""

import asyncio
import signal
import socket
import sys

import uvloop

from app.database import open_engine
from server.access import Limiter, SharedTable
from server.handover import LONGEST_LINE, Handover, Report, read_lines
from server.http_server import GatewayServer, build_server
from server.logs import set_up_logs


async def work(control: int, listener: int, table: int, number: int) -> None:
    """Serve until SIGTERM (open requests end in time), SIGINT (at once) or the parent's end."""
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=control), limit=LONGEST_LINE)
    if not (line := await reader.readline()):
        return
    first = Handover.load(line)
    limiter = Limiter(SharedTable.open(table, worker=number))
    server = build_server(first.setup, open_engine(first.database), limiter)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, server.stop)
    loop.add_signal_handler(signal.SIGINT, lambda: server.stop(at_once=True))
    following = asyncio.create_task(_follow(reader, writer, server, first.number))
    await server.serve(sockets=[socket.socket(fileno=listener)])
    following.cancel()


async def _follow(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: GatewayServer, number: int
) -> None:
    """Say that requests are taken, then take the parent's setups until it is gone."""
    await server.listening.wait()
    writer.write(Report("listening", number).dump())
    async with asyncio.TaskGroup() as group:
        async for line in read_lines(reader):
            handover = Handover.load(line)
            server.load(handover.setup)
            group.create_task(_tell_drained(writer, server, handover.number))
        server.stop(at_once=True)


async def _tell_drained(writer: asyncio.StreamWriter, server: GatewayServer, number: int) -> None:
    await server.drained()
    writer.write(Report("drained", number).dump())


def main() -> None:
    """Entry point of the process."""
    control, listener, table, number = map(int, sys.argv[1:])
    set_up_logs()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(control, listener, table, number))


if __name__ == "__main__":
    main()
