"""Whatever is sent, the answer is no server error, comes soon, and the same process goes on.

The examples are derived from the tests' names alone, so that every run tries the same ones; a failure prints its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bad_inputs import BAD_LIMITS, BAD_VALUES, BYTE_CLASSES, CONTROLS, CONVERSATION, MESSAGES, UNKNOWN, World
from harness import Server
from refused import SECONDS, check_postgrest, check_problem, everything, make_world, quiet_log, readable, told
from wire import Reply, exchange, request

EXAMPLES = 250
QUICK_EXAMPLES = 150
WAIT_SECONDS = 2 * SECONDS

steady = settings(
    derandomize=True, database=None, deadline=None, max_examples=EXAMPLES, report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much])
quick = settings(steady, max_examples=QUICK_EXAMPLES)


@pytest.fixture(scope="module")
def world(server: Server) -> Iterator[World]:
    """Yields a world whose first user is free to change its own; the other one's must stay as it is."""
    world = make_world(server)
    pid, before, log_start = server.pid, everything(server, [world.foreign_user]), server.stderr.stat().st_size
    yield world
    assert server.pid == pid
    assert everything(server, [world.foreign_user]) == before
    quiet_log(server, log_start)


def send(server: Server, sent: bytes, *, to_end: bool = False, head_only: bool = False) -> tuple[Reply, ...]:
    """Sends a request and returns its answers, none of which is a server error, has a wrong shape or was slow."""
    took = exchange(server.port, sent, to_end=to_end, head_only=head_only, seconds=WAIT_SECONDS)
    assert took.seconds < SECONDS, f"{took.seconds:.1f} s for {readable(sent)}"
    assert took.replies or took.closed and to_end, f"no answer to {readable(sent)}"
    for reply in took.replies:
        assert reply.status < 500, f"{told(reply)} for {readable(sent)}"
        if reply.status >= 400:
            is_problem = reply.header("content-type") == "application/problem+json"
            (check_problem if is_problem else check_postgrest)(reply, head_only)
    return took.replies


# What is sent

THINGS = [
    "${user}", "${foreign_user}", "${conversation}", "${foreign_conversation}", "${message}", "${foreign_message}",
    "${cursor}", "${foreign_cursor}", "${list_cursor}", UNKNOWN, UNKNOWN.upper(), "0" * 36,
]
texts = st.one_of(
    st.text(max_size=40), st.sampled_from(THINGS), st.sampled_from(["user", "assistant", "tool", "", "taken", "s-0"]),
    st.sampled_from(list(CONTROLS.values())),
    st.builds(lambda text, times: text * times, st.text(min_size=1, max_size=2), st.integers(200, 300)))
numbers = st.one_of(
    st.integers(-3, 300), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-2**70, 2**70),
    st.sampled_from([0.005, 9.995, -9.995, 9.99, 1e-300, 1e300, -0.0, 2**31, 2**63 - 1, 2**63, -2**63]))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)), max_leaves=12)
deep = st.builds(
    lambda depth, is_list: json.loads(("[" if is_list else '{"a":') * depth + "1" + ("]" if is_list else "}") * depth),
    st.integers(1, 60), st.booleans())
anything = st.one_of(values, deep)


def fields(**good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with some of the fields, mostly with good values, sometimes with one too many."""
    known = st.fixed_dictionaries(
        {}, optional={name: st.one_of(value, value, value, anything) for name, value in good.items()})
    more = st.dictionaries(texts, anything, max_size=1)
    mostly_none = st.one_of(st.just({}), st.just({}), st.just({}), more)
    return st.builds(lambda first, second: second | first, known, mostly_none)


roles = st.sampled_from(["user", "assistant", "system", "tool"])
objects = st.dictionaries(st.text(max_size=8), values, max_size=3)
confidences = st.one_of(st.none(), st.floats(-12, 12), st.integers(-12, 12))
message_fields: dict[str, st.SearchStrategy[Any]] = {
    "role": roles, "content": st.text(max_size=200),
    "client_id": st.one_of(st.none(), st.text(min_size=1, max_size=20)),
    "intent": st.one_of(st.none(), st.text(max_size=20)), "confidence": confidences, "entities": objects,
    "metadata": objects,
}
BODIES: dict[str, tuple[str, str, st.SearchStrategy[Any]]] = {
    "open": ("POST", "/v1/conversations", fields(
        session_id=st.one_of(st.none(), st.text(max_size=20)), title=st.text(max_size=20), context=objects,
        user_id=st.just("${user}"))),
    "patch": ("PATCH", CONVERSATION, fields(
        title=st.one_of(st.none(), st.text(max_size=20)), context=objects, archived=st.booleans(), pinned=st.booleans(),
        active_branch=st.integers(-1, 2))),
    "append": ("POST", MESSAGES, fields(
        **message_fields, parent=st.sampled_from(THINGS), branch=st.integers(-1, 2), on_conflict=st.just("branch"))),
    "append-messages": ("POST", MESSAGES, fields(
        messages=st.lists(fields(**message_fields), max_size=4), parent=st.sampled_from(THINGS),
        branch=st.integers(-1, 2))),
    "get-or-create": ("POST", "/rest/v1/rpc/get_or_create_pam_conversation", fields(
        p_user_id=st.just("${user}"), p_session_id=st.one_of(st.none(), st.text(max_size=20)), p_context=objects)),
    "store": ("POST", "/rest/v1/rpc/store_pam_message", fields(
        p_conversation_id=st.just("${conversation}"), p_role=roles, p_content=st.text(max_size=200),
        p_intent=st.one_of(st.none(), st.text(max_size=20)), p_confidence=confidences, p_entities=objects,
        p_metadata=objects, p_client_id=st.one_of(st.none(), st.text(max_size=20)))),
    "history": ("POST", "/rest/v1/rpc/get_conversation_history", fields(
        p_user_id=st.just("${user}"), p_limit=st.one_of(st.none(), st.integers(-2, 50)),
        p_session_id=st.one_of(st.none(), st.text(max_size=20)), p_before=st.sampled_from(THINGS))),
    "insert": ("POST", "/rest/v1/pam_messages", anything),
    "update": ("PATCH", "/rest/v1/pam_conversations?id=eq.${conversation}", anything),
}
changes = st.lists(
    st.tuples(st.sampled_from(["drop", "insert", "repeat", "replace", "cut"]), st.integers(0, 10_000), st.one_of(
        st.binary(min_size=1, max_size=4),
        st.sampled_from([*BAD_VALUES.values(), b'"', b"\\", b"{", b"[", b",", b":", b"\x00"]))),
    min_size=1, max_size=3)


def changed(text: bytes, steps: list[tuple[str, int, bytes]]) -> bytes:
    """Returns the text with pieces dropped, put in, said twice or replaced."""
    for step, place, piece in steps:
        at = place % (len(text) + 1)
        match step:
            case "drop":
                text = text[:at] + text[at + len(piece):]
            case "insert":
                text = text[:at] + piece + text[at:]
            case "repeat":
                text = text[:at] + text[max(0, at - 10):at] + text[at:]
            case "replace":
                text = text[:at] + piece + text[at + len(piece):]
            case _:
                text = text[:at]
    return text


def written(world: World, method: str, target: str, body: bytes, *more: tuple[str, bytes]) -> bytes:
    """Returns one request with a user's credentials for both doors and a JSON body."""
    given = {name.lower() for name, _ in more}
    headers: list[tuple[str, str | bytes]] = [
        pair for pair in (
            ("Host", "test"), ("Authorization", f"Bearer {world.token}"), ("apikey", world.anon_key),
            ("Content-Type", "application/json")) if pair[0].lower() not in given]
    return request(method, world.fill(target.encode()), [*headers, *more], world.fill(body))


# Bodies


@pytest.mark.parametrize("route", BODIES)
def test_random_bodies(server: Server, world: World, route: str) -> None:
    """Bodies that are nearly right, at every route that writes."""
    method, target, bodies = BODIES[route]

    @steady
    @given(body=bodies)
    def run(body: Any) -> None:
        send(server, written(world, method, target, json.dumps(body).encode()))

    run()


@pytest.mark.parametrize("route", BODIES)
def test_mutated_bodies(server: Server, world: World, route: str) -> None:
    """Bodies that were right before bytes were dropped, put in and replaced."""
    method, target, bodies = BODIES[route]

    @quick
    @given(body=bodies, steps=changes)
    def run(body: Any, steps: list[tuple[str, int, bytes]]) -> None:
        send(server, written(world, method, target, changed(json.dumps(body, ensure_ascii=False).encode(), steps)))

    run()


# Queries

QUERIES: dict[str, tuple[str, list[str]]] = {
    "conversations": ("/v1/conversations", ["limit", "cursor", "archived", "pinned", "q", "session_id", "user_id"]),
    "conversation": (CONVERSATION, ["user_id"]),
    "messages": (MESSAGES, ["branch", "limit", "before", "after", "around", "user_id"]),
    "branches": (CONVERSATION + "/branches", ["user_id"]),
    "message": ("/v1/messages/${message}", ["user_id"]),
    "history": (
        "/rest/v1/rpc/get_conversation_history", ["p_user_id", "p_limit", "p_session_id", "p_before", "select",
        "order", "limit"]),
    "table-messages": (
        "/rest/v1/pam_messages", ["select", "order", "limit", "offset", "id", "conversation_id", "role", "content",
        "confidence",
                                  "created_at", "position", "or", "and", "metadata->a"]),
    "table-conversations": (
        "/rest/v1/pam_conversations", ["select", "order", "limit", "offset", "id", "user_id", "title", "created_at",
        "archived"]),
}
operators = st.sampled_from([
    "eq", "neq", "gt", "gte", "lt", "lte", "in", "is", "like", "ilike", "not.eq", "not.in", "fts", "cs", ""])
filters = st.one_of(
    st.builds(lambda operator, text: f"{operator}.{text}", operators, texts),
    st.builds(lambda operator, items: f"{operator}.({','.join(items)})", operators, st.lists(texts, max_size=5)),
    st.sampled_from([
        "is.null", "is.true", "not.is.null", "created_at.desc", "*", "role,content", "id.asc.nullslast", "count()"]))
encoded_values = st.one_of(
    st.one_of(texts, filters, numbers.map(str)).map(
        lambda text: text if text.startswith("${") else quote(text, safe="")),
    st.binary(max_size=12).map(quote_from_bytes), st.sampled_from(list(BAD_LIMITS.values())), st.sampled_from(THINGS),
    st.sampled_from([byte for byte in BYTE_CLASSES.values() if byte != "DIGIT"]))
raw_queries = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=60)


@pytest.mark.parametrize("route", QUERIES)
def test_random_queries(server: Server, world: World, route: str) -> None:
    """Query strings of known and unknown names with values of every kind, and of no form at all."""
    target, names = QUERIES[route]
    known = st.sampled_from(names)
    some_names = st.one_of(known, known, known, st.text(max_size=6).map(quote))
    pairs = st.lists(st.tuples(some_names, encoded_values), max_size=4).map(
        lambda items: "&".join(f"{name}={value}" for name, value in items))

    @steady
    @given(query=st.one_of(pairs, pairs, pairs, raw_queries))
    def run(query: str) -> None:
        send(server, written(world, "GET", f"{target}?{query}", b""))

    run()


# Headers

HEADERS = [
    "Authorization", "apikey", "Idempotency-Key", "If-Match", "If-None-Match", "Content-Type", "Accept",
    "Accept-Profile",
    "Content-Profile", "Prefer", "Range", "x-request-id", "Host", "Origin", "Cookie", "Connection", "Upgrade",
    "X-Forwarded-For",
    "Accept-Encoding", "Content-Encoding", "traceparent",
]
header_values = st.one_of(
    st.binary(max_size=60).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b"").replace(b"\x00", b"")),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60).map(str.encode),
    st.sampled_from([
        b"Bearer ", b"Bearer a.b.c", b"bearer  ${token}", b"${token}", b"Basic eA==", b"application/json", b"*/*",
        b"text/csv",
        b"application/vnd.pgrst.object+json", b"count=exact", b"count=exact,handling=strict", b"public", b"private",
        b"0-9", b"9-0",
        b"items=0-1", b'"1"', b"W/\"1\"", b"*", b"1", b"999999999999999999999", b"close", b"keep-alive", b"upgrade",
        b"websocket",
        b"h2c", b"gzip", b"test", b"k" * 256, b"k" * 5_000,
    ]))
HEADER_ROUTES: dict[str, tuple[str, str, bytes]] = {
    "append": ("POST", MESSAGES, b'{"role":"user","content":"x"}'),
    "patch": ("PATCH", CONVERSATION, b'{"pinned":true}'),
    "list": ("GET", "/v1/conversations", b""),
    "messages": ("GET", MESSAGES, b""),
    "history": ("POST", "/rest/v1/rpc/get_conversation_history", b'{"p_user_id":"${user}"}'),
    "table": ("GET", "/rest/v1/pam_messages", b""),
    "limits": ("GET", "/v1/limits", b""),
}


@pytest.mark.parametrize("route", HEADER_ROUTES)
def test_random_headers(server: Server, world: World, route: str) -> None:
    """Header values of every kind, known and unknown."""
    method, target, body = HEADER_ROUTES[route]

    @steady
    @given(headers=st.lists(st.tuples(st.sampled_from(HEADERS), header_values), min_size=1, max_size=3))
    def run(headers: list[tuple[str, bytes]]) -> None:
        send(server, written(world, method, target, body, *((name, world.fill(value)) for name, value in headers)))

    run()


# Bytes

pieces = st.lists(
    st.one_of(
        st.sampled_from([
            b"GET ", b"POST ", b"DELETE ", b"get ", b"/v1/conversations", b"/rest/v1/pam_messages", b"/healthz", b"/",
            b"?q=", b"%00", b" ",
            b" HTTP/1.1", b" HTTP/1.0", b" HTTP/2.0", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n\r\n",
            b"\r\n\r\n", b"Host: test",
            b"Host: ", b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: -1", b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: ", b"Connection: close", b"Expect: 100-continue", b"Authorization: Bearer ${token}",
            b": ", b":", b"\x00",
            b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", b"{}", b"x" * 300, b"Upgrade: websocket", b"\xff", b"\t",
        ]), st.binary(max_size=6)), max_size=24).map(b"".join)
whole_requests = st.sampled_from([
    b"GET /v1/conversations HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer ${token}\r\n\r\n",
    b"POST /v1/conversations HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer ${token}\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /v1/conversations HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer ${token}\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
    b"1\r\n{\r\n1;a=b\r\n}\r\n0\r\nTrailer: x\r\n\r\n",
    b"GET /rest/v1/pam_messages?select=* HTTP/1.0\r\napikey: ${token}\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\nGET /readyz HTTP/1.1\r\nHost: test\r\n\r\n",
])


path_parts = st.one_of(
    st.text(max_size=8).map(lambda text: quote(text, safe="")),
    st.sampled_from([
        *THINGS, "v1", "rest", "rpc", "conversations", "messages", "branches", "..", ".", "", "%2F", "%00", "%", "%zz",
        "%ff"]))


@settings(steady, max_examples=4 * EXAMPLES)
@given(sent=st.one_of(
    st.binary(max_size=200), pieces, pieces, st.builds(changed, whole_requests, changes),
    st.builds(changed, whole_requests, changes)))
def test_random_bytes(server: Server, world: World, sent: bytes) -> None:
    """Bytes of no form, of HTTP's own words in any order, and requests that were right before they were damaged.

    The sender closes its side at the end, so that nothing waits for more.
    """
    send(server, world.fill(sent) if b"${token}" in sent else sent, to_end=True)


@settings(steady, max_examples=EXAMPLES)
@given(
    path=st.one_of(st.lists(path_parts, max_size=6).map("/".join), raw_queries),
    method=st.sampled_from(["GET", "DELETE", "PUT", "OPTIONS", "HEAD"]))
def test_random_paths(server: Server, world: World, path: str, method: str) -> None:
    """Paths of known and unknown parts; the foreign user's conversations do not mind."""
    if method == "DELETE" and "${conversation}" in path:
        return
    send(server, written(world, method, f"/{path}", b""), head_only=method == "HEAD")
