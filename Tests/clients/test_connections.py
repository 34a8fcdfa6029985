"""What one connection may cost: too slow, too many, too much, and answers that leave whole."""

from __future__ import annotations

import http.client
import io
import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from harness import Native, Server, new_user, poll

LIMITS = {"PARLEY_HEAD_SECONDS": "2", "PARLEY_IDLE_SECONDS": "4", "PARLEY_TRANSFER_SECONDS": "2"}
# A limit may be overrun by one look at the connection, and the machine may be busy.
PATIENCE = 8.0
LONG = "x" * 262_144


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yields a server with short limits, shared by the tests of this file."""
    server = Server(tmp_path_factory.mktemp("hasty"), settings=LIMITS)
    try:
        yield server.start()
        server.stop()
    finally:
        server.clean_up()


@contextmanager
def connection(server: Server, *parts: bytes, receive_bytes: int | None = None) -> Iterator[socket.socket]:
    """Yields a socket to the server on which the parts were sent; `receive_bytes` makes its inbox small."""
    with socket.socket() as made:
        if receive_bytes:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        made.settimeout(PATIENCE * 2)
        made.connect(("127.0.0.1", server.port))
        for part in parts:
            made.sendall(part)
        yield made


def everything(made: socket.socket) -> bytes:
    """Returns all that comes until the other side closes, or resets."""
    received = b""
    while True:
        try:
            more = made.recv(65_536)
        except ConnectionResetError:
            return received
        if not more:
            return received
        received += more


def statuses(answers: bytes) -> list[int]:
    """Returns the statuses of all answers that came."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


def texts(answer: bytes) -> int:
    """Returns how many long texts stand in an answer that may be sent in chunks."""
    response = http.client.HTTPResponse(_Received(answer))  # type: ignore[arg-type]
    response.begin()
    return response.read().count(LONG.encode())


class _Received:
    """A socket from which everything was read already, as `http.client` wants it."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def makefile(self, *_: object) -> io.BytesIO:
        """Returns what was received."""
        return io.BytesIO(self._answer)


def seconds_until_closed(made: socket.socket) -> tuple[bytes, float]:
    """Returns what came before the other side closed, and how long that took."""
    start = time.monotonic()
    received = everything(made)
    return received, time.monotonic() - start


def head(method: str, target: str, token: str, *fields: str) -> bytes:
    """Returns the head of a request, without the empty line when a field ends it."""
    lines = [f"{method} {target} HTTP/1.1", "Host: test", f"Authorization: Bearer {token}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def problem(answer: bytes, status: int) -> dict[str, object]:
    """Returns the body of an answer that must be a problem with that status, its request id in the head too."""
    first, _, rest = answer.partition(b"\r\n")
    assert first.startswith(f"HTTP/1.1 {status} ".encode()), answer
    fields, _, body = rest.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in fields.lower(), answer
    assert b"connection: close" in fields.lower(), answer
    parsed: dict[str, object] = json.loads(body)
    assert parsed["status"] == status
    assert str(parsed["request_id"]).encode() in fields
    return parsed


def long_conversation(server: Server, user: str, megabytes: int) -> str:
    """Returns a conversation of the user whose newest page of 200 messages is that long."""
    with Native(server, server.token(user)) as native:
        conversation: str = native.ask("POST", "/v1/conversations", {"session_id": "long"}).json["conversation"]["id"]
        for _ in range(megabytes * 4):
            assert native.append(conversation, {"role": "user", "content": LONG}).status == 201
    return conversation


# Too slow


@pytest.mark.parametrize("sent", [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nHost: test\r\nX: "])
def test_a_connection_whose_first_head_does_not_come_is_closed(hasty: Server, sent: bytes) -> None:
    """Whether it says nothing or a byte now and then, two seconds are all that it gets."""
    with connection(hasty, sent) as slow:
        start = time.monotonic()
        slow.settimeout(0.2)
        while time.monotonic() - start < PATIENCE:
            try:
                if sent:
                    slow.sendall(b"a")
                if slow.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                break
        assert 1.5 < time.monotonic() - start < PATIENCE


def test_a_body_that_does_not_come_is_answered_408(hasty: Server) -> None:
    """The client learns what was wrong, and the connection is closed."""
    request = head("POST", "/v1/conversations", hasty.token(new_user()), "Content-Length: 100")
    with connection(hasty, request, b'{"session') as slow:
        answer, seconds = seconds_until_closed(slow)
    assert "did not arrive in time" in str(problem(answer, 408)["detail"])
    assert 1.5 < seconds < PATIENCE


def test_a_slow_body_that_keeps_the_pace_is_read(hasty: Server) -> None:
    """A long body gets a second more for every 16 KiB, and is stored."""
    token = hasty.token(new_user())
    body = json.dumps({"session_id": "slow", "context": {"text": "x" * 60_000}}).encode()
    with connection(hasty, head("POST", "/v1/conversations", token, f"Content-Length: {len(body)}")) as steady:
        for start in range(0, len(body), 6_000):
            steady.sendall(body[start:start + 6_000])
            time.sleep(0.3)
        assert steady.recv(4_096).startswith(b"HTTP/1.1 201 ")


def test_a_silent_connection_is_closed_later_than_one_that_never_spoke(hasty: Server) -> None:
    """A connection that had a request may be silent for four seconds, and is then closed without a word."""
    with connection(hasty, b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n") as idle:
        answer, seconds = seconds_until_closed(idle)
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.count(b"HTTP/1.1") == 1
    assert 3.5 < seconds < PATIENCE


def test_a_client_that_does_not_take_its_answer_is_closed(hasty: Server) -> None:
    """It holds its page no longer than the limit, and the rest of the page is dropped."""
    user = new_user()
    conversation = long_conversation(hasty, user, 8)
    request = head("GET", f"/v1/conversations/{conversation}/messages?limit=200", hasty.token(user))
    with connection(hasty, request, receive_bytes=4_096) as deaf:
        time.sleep(PATIENCE)
        assert len(everything(deaf)) < 8 * 1_048_576


def test_a_client_that_takes_its_answer_slowly_gets_all_of_it(hasty: Server) -> None:
    """Longer than the limit, but steadily: nothing is cut."""
    user = new_user()
    conversation = long_conversation(hasty, user, 4)
    request = head("GET", f"/v1/conversations/{conversation}/messages?limit=200", hasty.token(user), "Connection: close")
    with connection(hasty, request, receive_bytes=65_536) as slow:
        received = b""
        start = time.monotonic()
        while more := slow.recv(131_072):
            received += more
            time.sleep(0.02 if time.monotonic() - start > 4 else 0.2)
    assert time.monotonic() - start > 3
    assert texts(received) == 16


# Too many


def test_one_connection_too_many_is_told_so(tmp_path: Path) -> None:
    """It gets 503 with `Retry-After` and an end; when another one closes there is room again."""
    server = Server(tmp_path, settings={"PARLEY_MAX_CONNECTIONS": "3"})
    healthy = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"
    try:
        server.start()
        poll(lambda: _first_line(server, healthy).startswith(b"HTTP/1.1 200"), PATIENCE, "room for a connection")
        # The server notices a little later that the one that asked has left.
        time.sleep(0.5)
        with connection(server, healthy) as first, connection(server, healthy) as second:
            assert first.recv(4_096) and second.recv(4_096)
            with connection(server, healthy) as third:
                assert third.recv(4_096).startswith(b"HTTP/1.1 200 ")
                with connection(server) as fourth:
                    answer = everything(fourth)
                assert problem(answer, 503)["code"] == "unavailable"
                assert b"retry-after: 1" in answer.lower()
            poll(lambda: _first_line(server, healthy).startswith(b"HTTP/1.1 200"), PATIENCE, "room for a connection")
        server.stop()
    finally:
        server.clean_up()


def test_those_who_were_told_so_take_nobodys_place(tmp_path: Path) -> None:
    """Clients that are refused and linger do not keep the next one out."""
    server = Server(tmp_path, settings={"PARLEY_MAX_CONNECTIONS": "2"})
    healthy = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"
    try:
        server.start()
        poll(lambda: _first_line(server, healthy).startswith(b"HTTP/1.1 200"), PATIENCE, "room for a connection")
        # The server notices a little later that the one that asked has left.
        time.sleep(0.5)
        with connection(server, healthy) as first, connection(server, healthy) as second:
            assert first.recv(4_096) and second.recv(4_096)
            with ExitStack() as refused:
                for _ in range(6):
                    assert refused.enter_context(connection(server)).recv(4_096).startswith(b"HTTP/1.1 503")
                first.close()
                poll(lambda: _first_line(server, healthy).startswith(b"HTTP/1.1 200"), 1.0, "room at once")
        server.stop()
    finally:
        server.clean_up()


def _first_line(server: Server, request: bytes) -> bytes:
    with connection(server, request) as made:
        try:
            return made.recv(4_096).partition(b"\r\n")[0]
        except ConnectionResetError:
            return b""


# Whole answers


@pytest.mark.parametrize("fields", [(), ("Connection: close",)], ids=["keep-alive", "close"])
def test_a_client_that_has_said_all_still_gets_all(hasty: Server, fields: tuple[str, ...]) -> None:
    """Closing its own side after the request does not cut the answer, however long that is."""
    user = new_user()
    conversation = long_conversation(hasty, user, 4)
    request = head("GET", f"/v1/conversations/{conversation}/messages?limit=200", hasty.token(user), *fields)
    with connection(hasty, request, receive_bytes=8_192) as made:
        made.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
        assert texts(everything(made)) == 16


def test_an_answer_under_way_at_sigterm_arrives_whole(tmp_path: Path) -> None:
    """The server ends after it, not in the middle of it."""
    server = Server(tmp_path)
    try:
        server.start()
        user = new_user()
        conversation = long_conversation(server, user, 8)
        request = head("GET", f"/v1/conversations/{conversation}/messages?limit=200", server.token(user))
        with connection(server, request, receive_bytes=8_192) as made:
            received = made.recv(1_024)
            with ThreadPoolExecutor(1) as pool:
                stopping = pool.submit(server.stop)
                time.sleep(0.5)
                received += everything(made)
                stopping.result()
        assert texts(received) == 32
    finally:
        server.clean_up()


@pytest.mark.parametrize("delay", [0.2, 0.6, 1.2])
def test_a_client_that_closes_its_side_while_it_reads_gets_all(hasty: Server, delay: float) -> None:
    """The end of its own side comes when the answer was written, but has not left yet."""
    user = new_user()
    quotes = '"' * 262_144
    with Native(hasty, hasty.token(user)) as native:
        conversation = native.ask("POST", "/v1/conversations", {}).json["conversation"]["id"]
        assert native.append(conversation, {"role": "user", "content": quotes}).status == 201
    request = head("GET", f"/v1/conversations/{conversation}/messages", hasty.token(user), "Connection: close")
    with connection(hasty, request, receive_bytes=4_096) as made:
        time.sleep(delay)
        made.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
        body = everything(made).partition(b"\r\n\r\n")[2]
    assert json.loads(body)["data"][0]["content"] == quotes


def test_what_follows_a_request_is_answered_after_it(hasty: Server) -> None:
    """Nonsense behind a request neither replaces its answer nor stands in the middle of it."""
    user = new_user()
    conversation = long_conversation(hasty, user, 2)
    good = head("GET", f"/v1/conversations/{conversation}/messages?limit=200", hasty.token(user))
    for nonsense in (b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", b"nonsense\r\n\r\n"):
        with connection(hasty, good + nonsense) as made:
            time.sleep(0.3)
            received = everything(made)
        assert received.startswith(b"HTTP/1.1 200 ") and texts(received) == 8
        assert statuses(received) == [200, 400]
        problem(received[received.rindex(b"HTTP/1.1 400"):], 400)


def test_requests_in_a_row_are_answered_in_their_order(hasty: Server) -> None:
    """Sent at once, also with a body, and by a client that closes its side behind them."""
    token = hasty.token(new_user())
    body = b'{"session_id":"row"}'
    opens = head("POST", "/v1/conversations", token, f"Content-Length: {len(body)}") + body
    with connection(hasty, (opens + b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n") * 20) as made:
        made.shutdown(socket.SHUT_WR)
        assert statuses(everything(made)) == [201, 200] + [200, 200] * 19


@pytest.mark.parametrize("beginning", [
    b"GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    b"CONNECT test:1 HTTP/1.1\r\nHost: test:1\r\n\r\n"], ids=["upgrade", "connect"])
def test_behind_an_upgrade_nothing_is_collected(hasty: Server, beginning: bytes) -> None:
    """It is answered and the connection closed; what a client goes on sending costs no memory."""
    before = hasty.resident_bytes()
    with connection(hasty, beginning) as made:
        sent = 0
        with suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(64):
                made.sendall(b"z" * 1_048_576)
                sent += 1
        answer = everything(made)
    assert sent < 64
    assert b"connection: close" in answer.lower() or answer == b""
    assert hasty.resident_bytes() - before < 32 * 1_048_576


@pytest.mark.parametrize(("token", "status"), [("", 401), ("service", 413)])
def test_a_body_that_will_not_be_read_need_not_be_sent(hasty: Server, token: str, status: int) -> None:
    """The answer comes before the body, also to `Expect: 100-continue`, and the connection ends."""
    key = hasty.service_key if token else "nonsense"
    request = head("POST", "/v1/conversations", key, "Content-Length: 2000000", "Expect: 100-continue")
    with connection(hasty, request) as made:
        answer, seconds = seconds_until_closed(made)
    problem(answer, status)
    assert seconds < 1.5


def test_a_client_that_waits_for_100_continue_gets_it(hasty: Server) -> None:
    """Then it sends its body and gets its answer."""
    body = b'{"session_id":"patient"}'
    request = head("POST", "/v1/conversations", hasty.token(new_user()), f"Content-Length: {len(body)}",
                   "Expect: 100-continue")
    with connection(hasty, request) as made:
        assert made.recv(4_096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        made.sendall(body)
        assert made.recv(4_096).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize("nonsense", [
    b"hello\r\n\r\n", b"GET /healthz HTTP/9.9\r\nHost: test\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: test\r\nno colon\r\n\r\n",
    b"POST /v1/conversations HTTP/1.1\r\nHost: test\r\nContent-Length: -1\r\n\r\n"])
def test_what_is_no_request_is_answered_400(hasty: Server, nonsense: bytes) -> None:
    """With a problem and a request id, as everything else."""
    with connection(hasty, nonsense) as made:
        assert problem(everything(made), 400)["code"] == "invalid"


def test_a_head_that_is_too_large_is_answered_431(hasty: Server) -> None:
    """One field over 16 KiB, too many fields, or a target as long."""
    for request in (
        b"GET /healthz HTTP/1.1\r\nHost: test\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: test\r\n" + b"X: y\r\n" * 150 + b"\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: test\r\n\r\n",
    ):
        with connection(hasty, request) as made:
            assert problem(everything(made), 431)["code"] == "too_large"


def test_http_1_0_is_closed_after_its_answer(hasty: Server) -> None:
    """It knows no other end of an answer."""
    with connection(hasty, b"GET /healthz HTTP/1.0\r\n\r\n") as made:
        answer, seconds = seconds_until_closed(made)
    assert answer.startswith(b"HTTP/1.0 200 ") and answer.endswith(b'{"status":"ok"}')
    assert seconds < 1.5
