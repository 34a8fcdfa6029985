"""How a WebSocket is opened and closed, with the client that most Python programs use."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from harness import Native, Server, new_user, poll, signed_token

PAGE = "https://chat.example"
SECONDS = 10.0
# Seconds for which a token is accepted after its end, because clocks differ.
SKEW = 30


@pytest.fixture(scope="module")
def paged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yields a server that a page may open sockets on, shared by the tests of this file."""
    server = Server(
        tmp_path_factory.mktemp("paged"), settings={"PARLEY_ALLOWED_ORIGINS": f"https://other.example, {PAGE}"})
    try:
        yield server.start()
        server.stop()
    finally:
        server.clean_up()


def opened(server: Server, token: str | None, *, offered: tuple[str, ...] = ("parley.v1",), origin: str | None = None,
           target: str = "/v1/live") -> ClientConnection:
    """Returns an open socket; the token goes into the header as programs send it."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    if origin is not None:
        headers["Origin"] = origin
    return connect(
        f"ws://127.0.0.1:{server.port}{target}", subprotocols=[Subprotocol(name) for name in offered] or None,
        additional_headers=headers, open_timeout=SECONDS)


def refusal(server: Server, token: str | None, **how: object) -> tuple[int, dict[str, object]]:
    """Returns the status and the problem of a socket that must not open."""
    with pytest.raises(InvalidStatus) as refused:
        opened(server, token, **how).close()  # type: ignore[arg-type]
    response = refused.value.response
    problem: dict[str, object] = json.loads(response.body or b"")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == problem["request_id"]
    assert problem["status"] == response.status_code
    return response.status_code, problem


def closing(socket: ClientConnection) -> tuple[int, str]:
    """Returns code and reason with which the server closes a socket, whatever it says before."""
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            socket.recv(SECONDS)
    assert closed.value.rcvd is not None, "the server closed without a word"
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_a_program_and_a_page_open_sockets(paged: Server) -> None:
    """The program with the header; the page with its token among the subprotocols, and a known origin."""
    token = paged.token(new_user())
    with opened(paged, token) as socket:
        assert socket.subprotocol == "parley.v1"
        assert socket.response is not None and "x-request-id" in socket.response.headers
        assert "sec-websocket-extensions" not in socket.response.headers
    with opened(paged, None, offered=("parley.v1", f"bearer.{token}"), origin=PAGE) as socket:
        assert socket.subprotocol == "parley.v1"
    with opened(paged, paged.service_key, offered=()) as socket:
        assert socket.subprotocol is None
    assert token not in paged.stderr.read_text()


def test_pings_are_answered(paged: Server) -> None:
    """With what the client sent along."""
    with opened(paged, paged.token(new_user())) as socket:
        assert socket.ping(b"are you there").wait(SECONDS)


@pytest.mark.parametrize(("who", "how", "status", "code"), [
    (None, {}, 401, "unauthenticated"), ("nonsense", {}, 401, "unauthenticated"),
    (None, {"offered": ("parley.v1", "bearer.nonsense")}, 401, "unauthenticated"),
    ("anon", {}, 403, "forbidden"), ("user", {"origin": "https://evil.example"}, 403, "forbidden"),
    ("user", {"origin": PAGE + ".evil.example"}, 403, "forbidden"), ("user", {"origin": "null"}, 403, "forbidden"),
    ("user", {"offered": ("parley.v2",)}, 400, "invalid"), ("user", {"target": "/v1/live?token=x"}, 400, "invalid"),
    ("user", {"target": "/v1/alive"}, 404, "not_found")])
def test_who_may_not_gets_a_problem_and_no_socket(
    paged: Server, who: str | None, how: dict[str, object], status: int, code: str
) -> None:
    """Before the upgrade, so that a client learns the reason."""
    token = {"anon": paged.anon_key, "user": paged.token(new_user())}.get(who or "", who)
    answered, problem = refusal(paged, token, **how)
    assert (answered, problem["code"]) == (status, code)


def test_an_expired_token_opens_no_socket(paged: Server) -> None:
    """Beyond the seconds by which clocks may differ."""
    claims = {"sub": new_user(), "role": "authenticated", "exp": int(time.time()) - SKEW - 2}
    status, problem = refusal(paged, signed_token(paged.secret, claims))
    assert status == 401 and "expired" in str(problem["detail"])


def test_a_plain_request_is_told_to_upgrade(paged: Server) -> None:
    """426, and which protocol; other methods are 405."""
    with Native(paged, paged.token(new_user())) as native:
        answer = native.ask("GET", "/v1/live")
        assert answer.status == 426 and answer.headers["upgrade"] == "websocket"
        assert answer.json["code"] == "invalid"
        assert native.ask("POST", "/v1/live", {}).status == 405


def test_a_socket_ends_with_its_token(paged: Server) -> None:
    """4401, at the time at which the token would not open another one."""
    claims = {"sub": new_user(), "role": "authenticated", "exp": int(time.time()) - SKEW + 3}
    with opened(paged, signed_token(paged.secret, claims)) as socket:
        start = time.monotonic()
        assert closing(socket)[0] == 4401
        assert 1 < time.monotonic() - start < 6


def test_binary_and_too_long_messages_close_the_socket(paged: Server) -> None:
    """1003 and 1009: the server hangs up on what it cannot take."""
    with opened(paged, paged.token(new_user())) as socket:
        socket.send(b"binary")
        assert closing(socket)[0] == 1003
    with opened(paged, paged.token(new_user())) as socket:
        socket.send("x" * 1_048_577)
        assert closing(socket)[0] == 1009


def test_sockets_count_as_connections(tmp_path: Path) -> None:
    """One too many is 503; when a socket closes there is room again."""
    server = Server(tmp_path, settings={"PARLEY_MAX_CONNECTIONS": "3"})
    try:
        server.start()
        token = server.token(new_user())
        with ExitStack() as sockets:
            for _ in range(3):
                # What asked whether the server is ready may not have left yet.
                poll(lambda: _entered(sockets, server, token), SECONDS, "room for a socket")
            # Read without the client, which trips over an answer that comes before it has asked.
            with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as refused:
                answer = refused.recv(4_096)
            assert answer.startswith(b"HTTP/1.1 503 ") and b'"unavailable"' in answer
        poll(lambda: _entered(sockets, server, token), SECONDS, "room for a socket again")
        sockets.close()
        server.stop()
    finally:
        server.clean_up()


def _entered(sockets: ExitStack, server: Server, token: str) -> bool:
    try:
        sockets.enter_context(opened(server, token))
    except (InvalidStatus, ConnectionClosed, AssertionError, OSError):
        # Told 503, in whichever way the client takes an answer that comes before it has asked.
        return False
    return True


def test_sigterm_tells_every_socket_and_waits_for_none(tmp_path: Path) -> None:
    """1001 to those that listen; those that do not answer cost two seconds together."""
    server = Server(tmp_path)
    try:
        server.start()
        token = server.token(new_user())
        with ExitStack() as sockets:
            listening = [sockets.enter_context(opened(server, token)) for _ in range(50)]
            with ThreadPoolExecutor(len(listening)) as pool:
                closings = [pool.submit(closing, socket) for socket in listening]
                start = time.monotonic()
                server.stop()
                assert time.monotonic() - start < 4
                assert {closed.result()[0] for closed in closings} == {1001}
    finally:
        server.clean_up()


@pytest.mark.parametrize("origins", ["chat.example", "https://chat.example/", "https://chat.example/page", "*"])
def test_an_origin_that_is_none_is_refused_at_the_start(tmp_path: Path, origins: str) -> None:
    """Exit code 78: a setting that looks as if it let somebody in, and does not, is worse than none."""
    server = Server(tmp_path, settings={"PARLEY_ALLOWED_ORIGINS": origins})
    refused = server.refused_start()
    assert refused.returncode == 78 and "allowed_origins" in refused.stderr
