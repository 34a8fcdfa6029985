"""Programs of the former system run unchanged, through the official client, on URL and key alone."""

from __future__ import annotations

import re
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest

from harness import (
    Native, Server, appending, backend_client, call, history, in_threads, is_uuid, new_user, open_conversation,
    store, user_client,
)

TEXTS = {
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 😀 — and a keycap 7️⃣",
    "cjk": "你好,世界。こんにちは世界。안녕하세요 𠮷野家",
    "right to left": "שלום עולם — مرحبا بالعالم \u202eabc\u202c \u200f!",
    "quotes": """He said "it's `fine`", \\ 'or' \\"not\\"; -- DROP TABLE pam_messages; $1 %s {} ${x} null""",
    "newlines": "\n first\r\nsecond\rthird\u2028fourth\u2029fifth\n\n\tend \n",
    "accents twice": "é e\u0301 Å A\u030a ﬁ",
    "controls": "bell \x07 escape \x1b[31m delete \x7f unit \x1f",
    "200 KB": "Größe 大 😀 0123456789\n" * 6_400,
}


def test_get_or_create_returns_one_stable_id(server: Server) -> None:
    """The first call makes the conversation and every later one returns the same UUID, as a plain string."""
    client, user = backend_client(server), new_user()
    first = open_conversation(client, user)
    assert is_uuid(first)
    assert [open_conversation(client, user) for _ in range(3)] == [first] * 3
    assert call(client, "get_or_create_pam_conversation", {"p_user_id": user}) == first


def test_a_signed_in_user_finds_the_conversation_that_the_backend_opened(server: Server) -> None:
    """The public key with the user's JWT and the service key lead to the same conversation and messages."""
    user = new_user()
    backend, own = backend_client(server), user_client(server, server.token(user))
    conversation = open_conversation(backend, user)
    assert open_conversation(own, user) == conversation
    written = [store(backend, conversation, "from the backend", "assistant"), store(own, conversation, "from the user")]
    assert [row["id"] for row in history(own, user)] == written[::-1]
    own.postgrest.auth(server.token(user))
    assert history(own, user) == history(backend, user)


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_a_message_is_stored_with_everything_said_about_it(server: Server, role: str) -> None:
    """Role, intent, confidence, entities and metadata arrive; the answer is the message's id."""
    client, user = backend_client(server), new_user()
    conversation = open_conversation(client, user)
    entities = {"city": "Zürich", "people": ["Ada", "Grace"], "nested": {"depth": [1, 2.5, None, True]}}
    metadata = {"model": "m-1", "tokens": 17}
    message = store(client, conversation, "Where is it?", role, p_intent="ask_place", p_confidence=0.9,
                    p_entities=entities, p_metadata=metadata)
    assert is_uuid(message)

    with Native(server, server.service_key) as native:
        [stored] = native.messages(conversation)
    told = {name: stored[name] for name in ("id", "role", "content", "intent", "confidence", "entities", "metadata")}
    assert told == {"id": message, "role": role, "content": "Where is it?", "intent": "ask_place", "confidence": 0.9,
                    "entities": entities, "metadata": metadata}


def test_history_is_newest_first_with_the_former_columns_and_a_place(server: Server) -> None:
    """Each row has the four former columns, the message's id and its position, and times as PostgREST prints them."""
    client, user = backend_client(server), new_user()
    conversation = open_conversation(client, user)
    roles = ["user", "assistant", "system"]
    ids = [store(client, conversation, f"{role} speaks", role, p_intent=f"intent of {role}") for role in roles]

    rows = history(client, user)
    assert [set(row) for row in rows] == [{"role", "content", "intent", "created_at", "id", "position"}] * 3
    assert [(row["position"], row["id"], row["role"], row["content"], row["intent"]) for row in rows] == [
        (place, ids[place - 1], role, f"{role} speaks", f"intent of {role}")
        for place, role in reversed(list(enumerate(roles, start=1)))]
    for row in rows:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?\+00:00", row["created_at"]), row
    times = [datetime.fromisoformat(row["created_at"]) for row in rows]
    assert times == sorted(times, reverse=True)


def test_history_has_ten_rows_unless_told_otherwise(server: Server) -> None:
    """No limit and a null limit mean 10; a limit is kept; the rows are always the newest."""
    client, user = backend_client(server), new_user()
    conversation = open_conversation(client, user)
    for number in range(1, 26):
        store(client, conversation, f"message {number}")

    def contents(**more: Any) -> list[str]:
        return [row["content"] for row in history(client, user, **more)]

    newest_first = [f"message {number}" for number in range(25, 0, -1)]
    assert contents() == newest_first[:10]
    assert contents(p_limit=None) == newest_first[:10]
    assert contents(p_limit=20) == newest_first[:20]
    assert contents(p_limit=1_000) == newest_first
    assert contents(p_limit=0) == []


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_text_comes_back_byte_for_byte(server: Server, text: str) -> None:
    """No normalising, trimming or escaping happens to a text between storing and reading."""
    client, user = backend_client(server), new_user()
    store(client, open_conversation(client, user), text)
    [row] = history(client, user)
    assert row["content"].encode() == text.encode()


def test_history_can_also_be_asked_with_get(server: Server) -> None:
    """The client's `get=True` and `count=` give the same rows and the total beside them."""
    client, user = backend_client(server), new_user()
    conversation = open_conversation(client, user)
    for number in range(3):
        store(client, conversation, f"message {number}")
    by_get = client.rpc("get_conversation_history", {"p_user_id": user, "p_limit": 2}, get=True).execute()
    assert by_get.data == history(client, user, p_limit=2)
    counted = client.rpc("get_conversation_history", {"p_user_id": user}, count="exact").execute()
    assert (len(counted.data), counted.count) == (3, 3)


def test_two_sessions_and_the_default_hold_different_conversations(server: Server) -> None:
    """Each session id and null lead to a conversation of their own, whose history is asked by session id."""
    client, user = backend_client(server), new_user()
    sessions = ["phone", "web", None]
    conversations = {session: open_conversation(client, user, session) for session in sessions}
    assert len(set(conversations.values())) == 3
    assert {session: open_conversation(client, user, session) for session in sessions} == conversations

    for session, conversation in conversations.items():
        store(client, conversation, f"spoken on {session}")
    for session in ("phone", "web"):
        assert [row["content"] for row in history(client, user, p_session_id=session)] == [f"spoken on {session}"]
    assert [row["content"] for row in history(client, user, p_session_id=None)] == ["spoken on None"]
    assert history(client, user, p_session_id="tablet") == []


def test_without_a_session_history_is_the_default_conversations_or_the_latest_active_one(server: Server) -> None:
    """An empty default conversation yields to the session in which something was said last."""
    client, user = backend_client(server), new_user()
    phone, web = (open_conversation(client, user, session) for session in ("phone", "web"))

    def latest() -> str:
        return history(client, user)[0]["content"]

    store(client, phone, "on the phone")
    store(client, web, "on the web")
    assert latest() == "on the web"
    store(client, phone, "on the phone again")
    assert latest() == "on the phone again"
    default = open_conversation(client, user)
    assert latest() == "on the phone again"
    store(client, default, "in the default conversation")
    store(client, web, "on the web again")
    assert [row["content"] for row in history(client, user)] == ["in the default conversation"]


@pytest.mark.parametrize(("size", "page_limit"), [(1, 20), (7, None), (100, None)])
def test_paging_by_p_before_yields_each_message_once_while_others_append(
    server: Server, size: int, page_limit: int | None
) -> None:
    """Pages of a conversation of 500 messages join without a gap or an overlap, from the newest to the oldest."""
    client, user = backend_client(server), new_user()
    conversation = open_conversation(client, user)
    with Native(server, server.service_key) as native:
        seeded = native.append_all(conversation, [f"message {number}" for number in range(1, 501)])
    expected = {message["position"]: (message["id"], message["content"]) for message in seeded}

    rows: list[dict[str, Any]] = []
    pages = 0
    with appending(server, server.token(user), conversation):
        page = history(client, user, p_limit=size)
        while page and pages != page_limit:
            pages += 1
            rows += page
            page = history(client, user, p_limit=size, p_before=page[-1]["id"])

    newest = rows[0]["position"]
    assert newest > 500
    last = 0 if page_limit is None else newest - size * page_limit
    assert [row["position"] for row in rows] == list(range(newest, last, -1))
    found = {row["position"]: (row["id"], row["content"]) for row in rows if row["position"] <= 500}
    assert found == {position: what for position, what in expected.items() if position > last}


@pytest.mark.parametrize("session", [None, "phone"], ids=["default", "named"])
def test_64_racing_first_calls_make_one_conversation(server: Server, session: str | None) -> None:
    """Every one of 64 simultaneous first calls succeeds, and all are given the same id."""
    user = new_user()
    token = server.token(user)
    clients = [backend_client(server) for _ in range(4)] + [user_client(server, token) for _ in range(4)]
    for client in clients:
        assert history(client, user) == []
    together = Barrier(64)

    def first_call(number: int) -> str:
        together.wait(timeout=10)
        return open_conversation(clients[number % len(clients)], user, session)

    assert len(set(in_threads(64, first_call))) == 1
    with Native(server, token) as native:
        assert len(native.ask("GET", "/v1/conversations").json["data"]) == 1
