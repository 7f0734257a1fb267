"""The tries below and beside the body: heads, paths, methods, connections, and what is asked for."""

import contextlib
import socket
from time import monotonic, sleep

import orjson
from abuse_target import CHAT, Target, read_all, replies
from abuse_tries import _all_alike, abuse


def _head(target: Target, *lines: str, start: str = "POST /v1/chat/completions HTTP/1.1", key: str = "chat") -> bytes:
    kept = [start, "Host: gateway", f"Authorization: Bearer {target.keys[key]}", "Content-Type: application/json"]
    return "\r\n".join([*kept, *lines, "", ""]).encode("latin-1")


# Heads


@abuse(
    "a request hidden behind Content-Length with Transfer-Encoding",
    "400 bad_http, and nothing of it is read as a request",
)
def _(target: Target) -> str:
    hidden = _head(target, start="GET /v1/models HTTP/1.1")
    asked = len(target.backend.requests)
    answers = [
        target.send(_head(target, *lines) + b"0\r\n\r\n" + hidden)
        for lines in (
            ("Content-Length: 5", "Transfer-Encoding: chunked"),
            ("Transfer-Encoding: chunked", "Content-Length: 5"),
            ("Transfer-Encoding: xchunked", "Content-Length: 5"),
            ("Transfer-Encoding : chunked", "Content-Length: 5"),
            ("Content-Length: 5", "Content-Length: 6"),
            ("Content-Length: +5",),
            ("Content-Length: 5 5",),
            ("Content-Length: -5",),
            ("Content-Length: 99999999999999999999999",),
        )
    ]
    assert all(len(found) == 1 for found in answers), [[a.seen for a in found] for found in answers]
    assert len(target.backend.requests) == asked
    return f"{_all_alike([found[0] for found in answers])}, and nothing of it is read as a request"


@abuse("chunk sizes that are no numbers, are negative, overflow, or lie", "closed without an answer")
def _(target: Target) -> str:
    bodies = (b"zz\r\n", b"-1\r\n", b"fffffffffffffffff\r\n", b"1\r\nabcd\r\n0\r\n\r\n")
    assert [target.send(_head(target, "Transfer-Encoding: chunked") + body) for body in bodies] == [[]] * 4
    return "closed without an answer"


@abuse("X-Forwarded-For: 127.0.0.1 and the like, without a key", "401 missing_api_key")
def _(target: Target) -> str:
    headers = (
        "X-Forwarded-For: 127.0.0.1",
        "X-Real-IP: 127.0.0.1",
        "Forwarded: for=127.0.0.1",
        "X-Original-URL: /health",
    )
    return target.ask("/v1/models", method="GET", key=None, headers=headers).seen


@abuse("an X-Request-Id of one's own with a header behind it", "200; the id is the gateway's, nothing is repeated")
def _(target: Target) -> str:
    answer = target.ask(headers=("X-Request-Id: mine%0d%0aSet-Cookie: a=b\tX",))
    assert "mine" not in str(answer.headers) + str(target.backend.headers[-1])
    assert "set-cookie" not in answer.headers
    return f"{answer.seen}; the id is the gateway's, nothing is repeated"


@abuse("a header of 1 MB; 20,000 headers; a URL of 1 MB", "431 head_too_large")
def _(target: Target) -> str:
    heads = (
        _head(target, "X-Long: " + "x" * 1_000_000, start="GET /v1/models HTTP/1.1"),
        _head(target, *(f"X-{number}: {number}" for number in range(20_000)), start="GET /v1/models HTTP/1.1"),
        _head(target, start=f"GET /v1/models/{'x' * 1_000_000} HTTP/1.1"),
    )
    return _all_alike([target.send(head)[0] for head in heads])


@abuse("no HTTP: TLS' hello, HTTP/2's preface, zeros, noise", "400 bad_http")
def _(target: Target) -> str:
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
    sent = (hello, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 100, b"hello world\r\n\r\n")
    return _all_alike([target.send(data)[0] for data in sent])


@abuse("a websocket's upgrade", "405: answered as if it had not asked")
def _(target: Target) -> str:
    headers = ("Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13")
    answer = target.ask(method="GET", headers=headers)
    return f"{answer.status}: answered as if it had not asked"


# Paths

_PATHS = (
    "//metrics",
    "/v1/../metrics",
    "/v1/%2e%2e/metrics",
    "/v1/models/../../metrics",
    "/v1/models/%2e%2e/%2e%2e/metrics",
    "/v1/models/..%2f..%2fmetrics",
    "/metrics/",
    "/METRICS",
    "/metrics%00",
    "/metrics%0a",
    "/metrics;a=b",
    "/metrics%20",
    "/health/../metrics",
    "/health%2f..%2fmetrics",
    "/./metrics",
    "\\metrics",
)


@abuse("sixteen spellings of /metrics with a chat key, as /v1/../metrics and //metrics", "404; none is let in")
def _(target: Target) -> str:
    for path in _PATHS:
        found = target.send(_head(target, "Connection: close", start=f"GET {path} HTTP/1.1"))
        assert [answer.status for answer in found] in ([404], [400]), (path, found)
        assert b"himed_requests" not in found[0].body
    return "404; none is let in"


@abuse("/%6detrics, and /metrics behind another host's name in the request line", "403 scope_missing")
def _(target: Target) -> str:
    absolute = target.send(_head(target, "Connection: close", start="GET http://127.0.0.1/metrics HTTP/1.1"))
    return _all_alike([target.ask("/%6detrics", method="GET"), *absolute])


@abuse("another spelling of /health without a key", "401 missing_api_key")
def _(target: Target) -> str:
    paths = ("/health/", "//health", "/Health", "/health/x", "/health%2f", "/health;/v1/models")
    return _all_alike([target.ask(path, method="GET", key=None) for path in paths])


@abuse("a path with a slash more, and another Host, for a redirect elsewhere", "404 not_found, no Location")
def _(target: Target) -> str:
    answers = [
        target.ask(path, method="GET") for path in ("/v1/models//evil.example", "/v1/chat/completions/", "/docs/")
    ]
    assert not any("location" in answer.headers for answer in answers)
    assert answers[0].seen == "404 model_not_found"
    return f"{_all_alike(answers[1:])}, no Location"


# Methods


@abuse("GET, PUT, DELETE, PATCH, TRACE, OPTIONS on POST routes", "405 with Allow: POST")
def _(target: Target) -> str:
    methods = ("GET", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS")
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/medical/answer"):
        for method in methods:
            answer = target.ask(path, method=method)
            assert (answer.status, answer.headers["allow"]) == (405, "POST"), (path, method)
            assert target.keys["chat"].encode() not in answer.body  # TRACE repeats nothing
    return "405 with Allow: POST"


@abuse("X-HTTP-Method-Override", "ignored: 405")
def _(target: Target) -> str:
    headers = ("X-HTTP-Method-Override: POST", "X-Method-Override: POST", "X-HTTP-Method: POST")
    return f"ignored: {target.ask(method='GET', headers=headers).status}"


@abuse("CONNECT, and a method that is none", "400 bad_http")
def _(target: Target) -> str:
    starts = ("FROB / HTTP/1.1", "CONNECT 127.0.0.1:22 HTTP/1.1")
    return _all_alike([target.send(_head(target, "Connection: close", start=start))[0] for start in starts])


# Connections


def _closed_after(connection: socket.socket, began: float) -> float:
    read_all(connection)
    return monotonic() - began


@abuse("a head that comes byte by byte, or not at all (slowloris)", "closed after header_s")
def _(target: Target) -> str:
    with target.connect() as silent, target.connect() as slow:
        began = monotonic()
        try:
            for byte in b"GET /health HTTP/1.1\r\n":
                slow.sendall(bytes((byte,)))
                sleep(0.1)
        except ConnectionError:
            pass
        assert _closed_after(slow, began) < 2.5
        assert _closed_after(silent, began) < 2.5
    return "closed after header_s"


@abuse("a body that comes byte by byte", "408 request_timeout after body_s, and the connection closed")
def _(target: Target) -> str:
    with target.connect() as connection:
        began = monotonic()
        connection.sendall(_head(target, "Content-Length: 1000"))
        try:
            for _ in range(150):
                connection.sendall(b" ")
                sleep(0.1)
        except ConnectionError:
            pass
        (answer,) = replies(read_all(connection))
        assert monotonic() - began < 12
    return f"{answer.seen} after body_s, and the connection closed"


@abuse("a stream that is asked for and never read", "cut after request_s, and its generation ends")
def _(target: Target) -> str:
    body = orjson.dumps(CHAT | {"stream": True, "seed": 99})
    with target.connect() as connection:
        connection.sendall(_head(target, f"Content-Length: {len(body)}") + body)
        sleep(0.5)
        assert target.backend.open == 1
        target.wait_until_idle()
    return "cut after request_s, and its generation ends"


@abuse("a client that asks and leaves", "its generation ends")
def _(target: Target) -> str:
    body = orjson.dumps(CHAT | {"stream": True, "seed": 99})
    with target.connect() as connection:
        connection.sendall(_head(target, f"Content-Length: {len(body)}") + body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    began = monotonic()
    target.wait_until_idle()
    assert monotonic() - began < 2
    return "its generation ends"


@abuse(
    "a client that closes its half of the connection behind its request",
    "taken as gone: no answer, and its generation ends",
)
def _(target: Target) -> str:
    body = orjson.dumps(CHAT | {"stream": True, "seed": 99})
    with target.connect() as connection:
        connection.sendall(_head(target, f"Content-Length: {len(body)}") + body)
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)
    target.wait_until_idle()
    return "taken as gone: no answer, and its generation ends"


@abuse("a hundred requests in one packet (pipelining)", "a hundred answers, in turn")
def _(target: Target) -> str:
    one = _head(target, start="GET /v1/models HTTP/1.1")
    other = _head(target, start="GET /v1/models/none HTTP/1.1")
    last = _head(target, "Connection: close", start="GET /v1/models/none HTTP/1.1")
    answers = target.send((one + other) * 49 + one + last)
    assert [answer.status for answer in answers] == [200, 404] * 50
    assert len({answer.headers["x-request-id"] for answer in answers}) == 100
    return "a hundred answers, in turn"


@abuse(
    "more connections than are allowed, all of them silent",
    "503 too_many_connections until they are closed after header_s",
)
def _(target: Target) -> str:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(target.connect())
        (answer,) = target.send(_head(target, "Connection: close", start="GET /health HTTP/1.1"))
        sleep(1.2)
        assert target.ask("/health", method="GET").status == 200
    return f"{answer.seen} until they are closed after header_s"


# What is asked for


@abuse("more requests than the key has in a minute", "429 rate_limit_exceeded with Retry-After")
def _(target: Target) -> str:
    key = target.store.add("slow", ["chat"], per_minute=1)
    assert target.ask(key=key).status == 200
    answer = target.ask(key=key)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    return f"{answer.seen} with Retry-After"


@abuse("n, best_of and samples of 100,000", "400 invalid_request_error")
def _(target: Target) -> str:
    asked = [target.chat(n=100_000), target.chat(best_of=100_000), target.chat(n=1e30)]
    medical = target.ask("/v1/medical/answer", b'{"question":"q","options":["a","b"],"samples":100000}')
    assert medical.status == 400
    return _all_alike(asked)


@abuse("max_tokens of 1,000,000,000", "400 invalid_request_error")
def _(target: Target) -> str:
    assert target.ask("/v1/medical/answer", b'{"question":"q","max_tokens":1000000000}').status == 400
    return _all_alike([target.chat(max_tokens=10**9), target.chat(max_completion_tokens=10**9)])


_NAMES = (
    "x" * 60_000,
    "../../../etc/passwd",
    "http://169.254.169.254/latest/meta-data",
    "file:///etc/passwd",
    "m/../m",
    "m\r\nX-A: b",
    "__proto__",
    "{{7*7}}",
    "m' OR 1=1 --",
)


@abuse("models named by a path, a URL, 60,000 letters, SQL, a template", "404 model_not_found; no backend is asked")
def _(target: Target) -> str:
    asked = len(target.backend.requests)
    answers = [target.chat(model=name) for name in _NAMES]
    assert all(len(answer.body) < 500 for answer in answers)
    answers += [target.ask(f"/v1/models/{name}", method="GET") for name in ("http://127.0.0.1:22/", "../../etc/passwd")]
    assert len(target.backend.requests) == asked
    return f"{_all_alike(answers)}; no backend is asked"


@abuse("models that are no text: null, a number, a list, an object", "400 invalid_request_error")
def _(target: Target) -> str:
    return _all_alike([target.chat(model=name) for name in (None, 7, ["m"], {"a": "m"}, True, "")])
