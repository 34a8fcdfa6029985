"""What every refusal must look like, and the world in which the table of bad inputs is tried."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from bad_inputs import World
from harness import Native, Server, new_user
from wire import Reply

SECONDS = 2.0
"""The longest that any refusal may take."""
ECHO_CHARACTERS = {"native": 24, "http": 24, "supabase": 66}
"""How much of the input a text may repeat by door: a native one none, but it names fields and headers; the others 64
characters, whose quotation marks may be those of the input."""
ERROR_BYTES = 4_096
PROBLEM_FIELDS = {"type", "title", "status", "detail", "code", "request_id"}
POSTGREST_FIELDS = {"code", "details", "hint", "message"}
LEAKS = re.compile(
    r"SELECT |INSERT INTO|DELETE FROM|UPDATE pam_|parley\.sqlite|SQLite|libpq|\.swift|/home/|/root/|/tmp/|/usr/|"
    r"Fatal error|NIO|JWTKit")
LOG_FAULTS = (b"request failed", b"Fatal error", b"Swift runtime failure")


@dataclass(frozen=True)
class Shape:
    """What an error body says."""

    code: str
    message: str


def check_problem(reply: Reply, head_only: bool = False) -> Shape:
    """Asserts that the answer is a problem by RFC 9457 with Parley's fields and a request id in both places."""
    request_id = reply.header("x-request-id")
    assert request_id, f"no x-request-id: {reply}"
    assert reply.header("content-type") == "application/problem+json", reply
    if reply.status == 401:
        assert reply.header("www-authenticate"), reply
    if head_only:
        return Shape("", "")
    body = json.loads(reply.body)
    assert set(body) - {"field"} == PROBLEM_FIELDS, body
    assert body["status"] == reply.status, body
    assert body["request_id"] == request_id, body
    assert all(isinstance(body[name], str) and body[name] for name in body if name != "status"), body
    return Shape(body["code"], body["detail"])


def check_postgrest(reply: Reply, head_only: bool = False) -> Shape:
    """Asserts that the answer is an error as PostgREST writes it: four fields, of which two may be null."""
    assert reply.header("x-request-id"), f"no x-request-id: {reply}"
    assert (reply.header("content-type") or "").startswith("application/json"), reply
    if head_only:
        return Shape("", "")
    body = json.loads(reply.body)
    assert set(body) == POSTGREST_FIELDS, body
    assert isinstance(body["code"], str) and isinstance(body["message"], str) and body["message"], body
    assert all(body[name] is None or isinstance(body[name], str) for name in ("details", "hint")), body
    return Shape(body["code"], body["message"])


def check_discreet(reply: Reply, sent: bytes, world: World, server: Server, echo: int) -> None:
    """Asserts that an error tells no secret and repeats no more than so many characters in a row of what was sent."""
    assert len(reply.body) <= ERROR_BYTES, f"an error of {len(reply.body)} bytes"
    text = reply.body.decode()
    for name in ("secret", "service_key", "anon_key", "token"):
        value = getattr(world, name)
        assert (value if isinstance(value, str) else value.decode("latin-1")) not in text, f"the answer holds {name}"
    assert str(server.data) not in text and not LEAKS.search(text), text
    if not text:
        return
    percent_decoded = unquote_to_bytes(sent).decode(errors="replace")
    inputs = [sent.decode(errors="replace"), sent.decode("latin-1"), percent_decoded, _unescaped(percent_decoded)]
    for value in json.loads(text).values():
        if not isinstance(value, str):
            continue
        for start in range(len(value) - echo):
            part = value[start:start + echo + 1]
            assert not any(part in each for each in inputs), f"the answer repeats {part!r}: {value}"


def _unescaped(text: str) -> str:
    """Returns the text with JSON's escapes of single characters read."""
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)


def make_world(server: Server) -> World:
    """Stores two users' conversations on the server and returns what the bad inputs are about."""
    user, foreign_user = new_user(), new_user()
    token, foreign_token = server.token(user), server.token(foreign_user)
    with Native(server, token) as native:
        ids = [_opened(native, {"session_id": f"s-{number}"}) for number in range(3)]
        _append(native, ids[0], [("first", "taken"), *((f"text {number}", None) for number in range(9))])
        _append(native, ids[1], [(f"other {number}", None) for number in range(4)])
        page = native.page(ids[0], limit=2)
        other_cursor = native.page(ids[1], limit=2)["before"]
        list_cursor = native.ask("GET", "/v1/conversations?limit=1").json["next_cursor"]
    with Native(server, foreign_token) as native:
        foreign = [_opened(native, {}) for _ in range(2)]
        _append(native, foreign[0], [(f"foreign {number}", None) for number in range(4)])
        foreign_page = native.page(foreign[0], limit=2)
        foreign_list_cursor = native.ask("GET", "/v1/conversations?limit=1").json["next_cursor"]
    return World(
        secret=server.secret, service_key=server.service_key, anon_key=server.anon_key, token=token, user=user,
        foreign_user=foreign_user, conversation=ids[0], foreign_conversation=foreign[0],
        message=page["data"][-1]["id"], foreign_message=foreign_page["data"][-1]["id"], cursor=page["before"],
        foreign_cursor=foreign_page["before"], other_cursor=other_cursor, list_cursor=list_cursor,
        foreign_list_cursor=foreign_list_cursor)


def everything(server: Server, users: list[str]) -> dict[str, Any]:
    """Returns all conversations of the users with all their messages, as the service role sees them."""
    found: dict[str, Any] = {}
    with Native(server, server.service_key) as native:
        for user in users:
            answer = native.ask("GET", f"/v1/conversations?user_id={user}&limit=200")
            assert answer.status == 200 and not answer.json["has_more"], answer
            for row in answer.json["data"]:
                found[row["id"]] = (row, native.messages(row["id"]))
    return found


@contextmanager
def unharmed(server: Server, users: list[str]) -> Iterator[None]:
    """Asserts that what runs inside leaves the same process, the same data of the users and a quiet log."""
    pid, before = server.pid, everything(server, users)
    log_start = server.stderr.stat().st_size
    yield
    assert server.pid == pid
    with Native(server, server.service_key) as native:
        assert native.ask("GET", "/healthz").status == 200
        assert native.ask("GET", "/readyz").status == 200
    assert everything(server, users) == before, "something was stored that should not have been"
    quiet_log(server, log_start)


def quiet_log(server: Server, start: int) -> None:
    """Asserts that the log, from a place in it on, tells of no failure of the server's."""
    log = server.stderr.read_bytes()[start:]
    for fault in LOG_FAULTS:
        assert fault not in log, log.decode(errors="replace")[-4_000:]


def told(reply: Reply) -> str:
    """Returns an answer for a failure's message."""
    return f"{reply.status} {dict(reply.headers)} {reply.body[:600]!r}"


def readable(sent: bytes) -> str:
    """Returns what was sent for a failure's message, cut to what a person reads."""
    text = unquote(sent[:2_000].decode("latin-1"), errors="replace")
    return text if len(sent) <= 2_000 else f"{text}… ({len(sent)} bytes)"


def _opened(native: Native, body: dict[str, Any]) -> str:
    answer = native.ask("POST", "/v1/conversations", body)
    assert answer.status == 201, answer
    conversation: str = answer.json["conversation"]["id"]
    return conversation


def _append(native: Native, conversation: str, messages: list[tuple[str, str | None]]) -> None:
    items = [{"role": "user", "content": content, "client_id": client_id} for content, client_id in messages]
    answer = native.append(conversation, {"messages": items})
    assert answer.status == 201, answer
