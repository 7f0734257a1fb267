"""The socket that the gateway listens on."""

import socket

from app.errors import InputError


def open_listener(host: str, port: int) -> socket.socket:
    """Take a port, without connections yet: a load balancer must not see a server whose models still load.

    Raises:
        InputError: no such host, or the port is taken or not for this user.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _cannot_listen(host, port, error) from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from None
    return listener


def listen(listener: socket.socket, backlog: int = 2048) -> None:
    """Take connections.

    Raises:
        InputError: another program was faster.
    """
    try:
        listener.listen(backlog)
    except OSError as error:
        host, port = listener.getsockname()[:2]
        raise _cannot_listen(host, port, error) from None


def url_of(listener: socket.socket) -> str:
    """``http://HOST:PORT``."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _cannot_listen(host: str, port: int, error: OSError) -> InputError:
    problem = f"cannot listen on {host}, port {port} ({error.strerror})"
    return InputError(problem, remedy="free it, or name another with --host and --port")
