"""Every bad input of the table is refused as published, and the server is none the worse for it."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Iterator

import pytest

from bad_inputs import CASES, BadInput, World
from harness import Server
from refused import (
    ECHO_CHARACTERS, SECONDS, check_discreet, check_postgrest, check_problem, make_world, readable, told, unharmed,
)
from wire import exchange

LEAST_CASES = 300


@pytest.fixture(scope="module")
def world(server: Server) -> Iterator[World]:
    """Yields two users' conversations, which must be the same when all inputs have been refused."""
    world = make_world(server)
    with unharmed(server, [world.user, world.foreign_user]):
        yield world


def test_the_table_is_large_and_every_case_is_another(world: World) -> None:
    """There are at least 300 cases; their names and what they send all differ."""
    assert len(CASES) >= LEAST_CASES
    names = Counter(name for name, _ in CASES)
    assert max(names.values()) == 1, names.most_common(5)
    by_request: dict[bytes, list[str]] = {}
    for name, case in CASES:
        by_request.setdefault(case.request(world), []).append(name)
    repeated = [names for names in by_request.values() if len(names) > 1]
    assert not repeated, repeated


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[name for name, _ in CASES])
def test_a_bad_input_is_refused_as_published(server: Server, world: World, case: BadInput) -> None:
    """The status, the code, the shape of the body and its discretion are right, and it took less than 2 s."""
    sent = case.request(world)
    head_only = case.method == "HEAD"
    pid = server.pid
    took = exchange(server.port, sent, to_end=case.half_close, head_only=head_only)
    assert server.pid == pid
    assert took.seconds < SECONDS, f"{took.seconds:.1f} s, closed {took.closed}, answered {took.replies}"
    if case.half_close and not took.replies:
        assert took.closed
        return
    assert took.replies, f"the connection was closed without an answer to {readable(sent)}"
    reply = took.replies[0]
    got = f"{told(reply)} for {readable(sent)}"
    assert len(took.replies) == 1, f"one request got {len(took.replies)} answers: {took.replies}"
    assert reply.status in case.statuses, got
    shape = (check_postgrest if case.door == "supabase" else check_problem)(reply, head_only)
    check_discreet(reply, sent, world, server, ECHO_CHARACTERS[case.door])
    if not head_only:
        assert re.fullmatch(case.code, shape.code), f"not {case.code}: {got}"
        assert case.message in (None, shape.message), f"not {case.message}: {got}"
    if reply.status == 405:
        allowed = {method.strip() for method in (reply.header("allow") or "").split(",")} - {""}
        assert allowed, f"no Allow: {got}"
        assert case.door == "http" or case.method not in allowed, got
        assert (case.allow or frozenset()) <= allowed, got


CREDENTIALS = b"Host: test\r\nAuthorization: Bearer ${token}\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"
SMUGGLED = b"GET /v1/unknown HTTP/1.1\r\nHost: test\r\n\r\n"
UNUSUAL: dict[str, tuple[bytes, list[int]]] = {
    "absolute-form": (b"GET http://test/healthz HTTP/1.1\r\nHost: test\r\n\r\n", [200]),
    "absolute-form-of-a-refusal": (b"GET http://test/v1/conversations HTTP/1.1\r\nHost: test\r\n\r\n", [401]),
    "empty-line-before": (b"\r\nGET /healthz HTTP/1.1\r\nHost: test\r\n\r\n", [200]),
    "http-1.0-without-host": (b"GET /healthz HTTP/1.0\r\n\r\n", [200]),
    "empty-host": (b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n", [200]),
    "host-with-port": (b"GET /healthz HTTP/1.1\r\nHost: [::1]:7275\r\n\r\n", [200]),
    "header-names-in-any-case": (b"GET /v1/conversations?limit=1 HTTP/1.1\r\nHOST: test\r\n"
                                 b"aUTHORIZATION: bearer ${token}\r\n\r\n", [200]),
    "spaces-around-a-value": (b"GET /v1/conversations?limit=1 HTTP/1.1\r\nHost: test\r\n"
                              b"Authorization: \t Bearer ${token}\t \r\n\r\n", [200]),
    "a-body-on-get": (
        b"GET /v1/limits HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s" % (len(SMUGGLED), SMUGGLED)
        + HEALTH, [200, 200]),
    "two-at-once": (HEALTH * 2, [200, 200]),
    "a-refusal-and-another": (b"GET /v1/unknown HTTP/1.1\r\n" + CREDENTIALS + b"\r\n" + HEALTH, [404, 200]),
    "chunks-with-extensions": (b"POST /v1/unknown HTTP/1.1\r\n" + CREDENTIALS + b"Transfer-Encoding: chunked\r\n\r\n"
                               b"2;a=b\r\n{}\r\n0\r\nX-Trailer: x\r\n\r\n", [404]),
    "an-upgrade-that-nobody-offers": (
        b"GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", [200]),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_but_legal_http_is_served(server: Server, world: World, name: str) -> None:
    """What RFC 9112 allows is not taken for an attack, and a body is never taken for the next request."""
    sent, statuses = UNUSUAL[name]
    took = exchange(server.port, world.fill(sent), replies=len(statuses))
    assert [reply.status for reply in took.replies] == statuses, took
    assert took.seconds < SECONDS


def test_a_client_that_waits_for_permission_gets_it(server: Server, world: World) -> None:
    """`Expect: 100-continue` with a body that fits is answered with 100 before the body is sent."""
    head = b"PATCH /v1/conversations/${conversation} HTTP/1.1\r\n" + CREDENTIALS + (
        b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
        connection.sendall(world.fill(head))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 400 ")
