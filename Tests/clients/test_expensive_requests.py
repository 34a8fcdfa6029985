"""Requests that are legal but chosen to cost as much as they can: each is answered soon, and so are the others.

The bound is generous, because the sizes are small: what grows faster than what it is given does not keep it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from bad_inputs import UNKNOWN
from harness import BATCH_LIMIT, Native, Server, new_user
from refused import SECONDS, quiet_log, told
from wire import exchange, request

MESSAGES = 3_000
HIDDEN_MESSAGES = 3_000
CONVERSATIONS = 300
TITLE = "a" * 200
NEARLY_1_MIB = 1_040_000
AT_ONCE = 4
PROBES = 20


@dataclass(frozen=True)
class Crowd:
    """A user with much of everything."""

    user: str
    token: str
    conversation: str
    """Holds `MESSAGES` messages."""
    hidden: str
    """The session whose conversation holds one message below `HIDDEN_MESSAGES` that the functions do not show."""
    ids: list[str]


@pytest.fixture(scope="module")
def crowd(server: Server) -> Iterator[Crowd]:
    """Yields a user with long conversations and many short ones; the log must tell of no failure afterwards."""
    user, log_start = new_user(), server.stderr.stat().st_size
    token = server.token(user)
    with Native(server, token) as native:
        def opened(session: str) -> str:
            answer = native.ask("POST", "/v1/conversations", {"session_id": session, "title": TITLE})
            assert answer.status == 201, answer
            conversation: str = answer.json["conversation"]["id"]
            return conversation

        for number in range(CONVERSATIONS):
            opened(f"s-{number}")
        hidden = opened("hidden")
        native.append_all(hidden, ["shown"])
        tools = {"messages": [{"role": "tool", "content": "x"}] * BATCH_LIMIT}
        for _ in range(HIDDEN_MESSAGES // BATCH_LIMIT):
            assert native.append(hidden, tools).status == 201
        conversation = opened("long")
        stored = native.append_all(conversation, [f"text {number} {'y' * 60}" for number in range(MESSAGES)])
    yield Crowd(user, token, conversation, "hidden", [message["id"] for message in stored[-200:]])
    quiet_log(server, log_start)


def _filled(unit: bytes) -> bytes:
    return unit * (NEARLY_1_MIB // len(unit))


def _message(metadata: bytes) -> bytes:
    return b'{"role":"user","content":"x","metadata":{"a":' + metadata + b"}}"


def _call(crowd: Crowd, **more: Any) -> bytes:
    return json.dumps({"p_user_id": crowd.user} | more, ensure_ascii=False).encode()


APPEND = "/v1/conversations/{conversation}/messages"
HISTORY = "/rest/v1/rpc/get_conversation_history"
TABLE = "/rest/v1/pam_messages"
COUNTED = TABLE + "?select=id"
PATH = TABLE + "?conversation_id=eq.{conversation}"
GRAPHEME = "a" + "\u0301" * 120_000
BODIES: dict[str, tuple[int, str, Callable[[Crowd], bytes]]] = {
    "many-empty-lists": (413, APPEND, lambda crowd: _message(b"[" + _filled(b"[],") + b"0]")),
    "many-deep-lists": (413, APPEND, lambda crowd: _message(b"[" + _filled(b"[" * 30 + b"]" * 30 + b",") + b"0]")),
    "many-keys": (413, APPEND, lambda crowd: _message(
        b"{" + b",".join(b'"%x":1' % number for number in range(80_000)) + b"}")),
    "long-keys-alike": (413, APPEND, lambda crowd: _message(
        b"{" + b",".join(b'"%s%04d":1' % (b"k" * 1_000, number) for number in range(1_000)) + b"}")),
    "many-escapes": (413, APPEND, lambda crowd: _message(b'"' + _filled(b"\\ud83d\\ude00") + b'"')),
    "long-numbers": (413, APPEND, lambda crowd: _message(b"[" + _filled(b"9" * 100 + b"e-200,") + b"0]")),
    "many-messages": (
        400, APPEND, lambda crowd: b'{"messages":[' + _filled(b'{"role":"user","content":"x"},') + b"0]}"),
    "one-grapheme": (201, APPEND, lambda crowd: json.dumps(
        {"role": "user", "content": GRAPHEME}, ensure_ascii=False).encode()),
    "line-ends": (201, APPEND, lambda crowd: json.dumps({"role": "user", "content": "\r\n" * 120_000}).encode()),
    "many-unknown-arguments": (404, HISTORY, lambda crowd: _call(crowd, **{f"p_{n}": 1 for n in range(70_000)})),
    "limit-of-spaces": (400, HISTORY, lambda crowd: _call(crowd, p_limit=" " * 1_000_000)),
    "limit-of-digits": (400, HISTORY, lambda crowd: _call(crowd, p_limit="1" * 1_000_000)),
    "limit-of-one-grapheme": (400, HISTORY, lambda crowd: _call(crowd, p_limit="1" + "\u0301" * 400_000)),
    "session-of-one-grapheme": (400, HISTORY, lambda crowd: _call(crowd, p_session_id="1" + "\u0301" * 400_000)),
    "uuid-of-one-grapheme": (400, HISTORY, lambda crowd: _call(crowd, p_before="1" + "\u0301" * 400_000)),
    "history-of-1000": (200, HISTORY, lambda crowd: _call(crowd, p_session_id="long", p_limit=1_000)),
    "history-behind-hidden-messages": (200, HISTORY, lambda crowd: _call(crowd, p_session_id=crowd.hidden, p_limit=2)),
}
QUERIES: dict[str, tuple[int, str]] = {
    "thousands-of-parameters": (400, "/v1/conversations?" + "a=1&" * 3_500),
    "one-parameter-2000-times": (400, "/v1/conversations?" + "limit=1&" * 1_800),
    "plus-signs": (400, "/v1/conversations?q=" + "+" * 15_000),
    "percents": (400, "/v1/conversations?q=" + "%41" * 5_000),
    "segments": (404, "/v1" + "/a" * 7_000),
    "cursor-of-512": (400, "/v1/conversations?cursor=c" + "0" * 511),
    "cursor-of-15000": (400, "/v1/conversations?cursor=c" + "0" * 15_000),
    "titles-that-nearly-match": (200, "/v1/conversations?limit=200&q=" + "a" * 199 + "b"),
    "titles-of-wildcards": (200, "/v1/conversations?limit=200&q=" + "%25a" * 99 + "b"),
    "titles-of-combining-marks": (200, "/v1/conversations?limit=200&q=" + "a%CC%81" * 100),
    "table-whole": (200, TABLE),
    "table-count": (206, COUNTED),
    "table-nothing-matches": (200, TABLE + "?content=eq.zzz"),
    "table-order-by-text": (200, PATH + "&order=content"),
    "table-order-of-60-terms": (200, PATH + "&order=" + ",".join(["role", "intent", "content"] * 20)),
    "table-order-oldest-first": (200, TABLE + "?order=created_at&limit=1"),
    "table-huge-offset": (200, PATH + "&offset=9223372036854775807"),
    "table-huge-limit": (200, PATH + "&limit=9223372036854775807"),
    "table-32-filters": (200, PATH + "&content=neq.a" * 31),
    "table-1000-filters": (400, PATH + "&content=neq.a" * 1_000),
    "table-in-900-texts": (200, PATH + "&content=in.(" + ",".join(f"q{n}" for n in range(900)) + ")"),
    "table-in-350-unknown-ids": (
        200, TABLE + "?id=in.(" + ",".join(f"{UNKNOWN[:-4]}{n:04x}" for n in range(350)) + ")"),
    "table-in-200-ids": (200, TABLE + "?id=in.({ids})"),
    "table-in-5000-commas": (400, PATH + "&content=in.(" + "," * 5_000 + ")"),
    "table-in-quotes": (400, PATH + "&content=in.(" + "%22" * 4_000 + ")"),
    "table-in-backslashes": (200, PATH + "&content=in.(%22" + "%5C%5C" * 2_000 + "%22)"),
    "table-not-1000-times": (400, TABLE + "?content=" + "not." * 1_000 + "eq.a"),
    "table-select-4000-columns": (200, PATH + "&select=" + "id," * 4_000 + "id"),
    "table-select-64-aliases": (200, PATH + "&select=" + ",".join(f"a{n}:content" for n in range(64))),
    "table-title-of-combining-marks": (200, "/rest/v1/pam_conversations?title=gte.a" + "%CC%81" * 2_000),
    "table-in-900-sessions": (200, "/rest/v1/pam_conversations?session_id=in.(" + ",".join(
        f"s-{n}" for n in range(900)) + ")"),
}


def _request(crowd: Crowd, server: Server, method: str, target: str, body: bytes | None) -> bytes:
    target = target.replace("{conversation}", crowd.conversation).replace("{ids}", ",".join(crowd.ids))
    headers = [("Host", "test"), ("Authorization", f"Bearer {crowd.token}"), ("apikey", server.anon_key),
               ("Content-Type", "application/json")]
    if target == COUNTED:
        headers.append(("Prefer", "count=exact"))
    return request(method, target, headers, body)


def _answered(server: Server, sent: bytes, status: int) -> None:
    took = exchange(server.port, sent, seconds=10 * SECONDS)
    assert took.replies, f"no answer within {took.seconds:.1f} s"
    assert took.replies[0].status == status, told(took.replies[0])
    assert took.seconds < SECONDS, f"{took.seconds:.1f} s"


@pytest.mark.parametrize("name", BODIES)
def test_an_expensive_body_is_answered_soon(server: Server, crowd: Crowd, name: str) -> None:
    """Large bodies of the kinds that make readers slow take less than 2 s."""
    status, target, body = BODIES[name]
    _answered(server, _request(crowd, server, "POST", target, body(crowd)), status)


@pytest.mark.parametrize("name", QUERIES)
def test_an_expensive_query_is_answered_soon(server: Server, crowd: Crowd, name: str) -> None:
    """Long queries, and short ones that look at everything, take less than 2 s."""
    status, target = QUERIES[name]
    _answered(server, _request(crowd, server, "GET", target, None), status)


def test_others_are_served_while_expensive_requests_run(server: Server, crowd: Crowd) -> None:
    """Beside several readers of everything a short request waits for less than 2 s."""
    sent = _request(crowd, server, "GET", QUERIES["table-order-by-text"][1], None)
    with ThreadPoolExecutor(AT_ONCE) as pool, Native(server, crowd.token) as native:
        readers = [pool.submit(exchange, server.port, sent, seconds=60) for _ in range(AT_ONCE)]
        for _ in range(PROBES):
            started = time.monotonic()
            assert native.ask("GET", "/v1/conversations?limit=1").status == 200
            assert time.monotonic() - started < SECONDS
        for reader in readers:
            assert reader.result().replies[0].status == 200
