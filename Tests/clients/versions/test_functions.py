"""The three functions of the former system do through each version of its client what its programs expect."""

from __future__ import annotations

import re
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest
from supabase import Client, create_client

from harness import Native, call, history, in_threads, is_uuid, new_user, open_conversation, store
from official import KEY_KINDS, VERSION, Clients, offered

POSTGRES_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?\+00:00"

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


def context(clients: Clients, conversation: str) -> Any:
    """Returns the conversation's context."""
    with Native(clients.server, clients.server.service_key) as native:
        return native.ask("GET", f"/v1/conversations/{conversation}").json["context"]


# Keys


def test_only_the_oldest_version_insists_on_keys_that_look_like_a_jwt(clients: Clients) -> None:
    """What is not run with opaque keys could not be: that version refuses them before any request."""
    try:
        create_client(clients.server.url, clients.server.service_key)
        takes_opaque_keys = True
    except Exception as error:
        assert type(error).__name__ == "SupabaseException" and "Invalid API key" in str(error)
        takes_opaque_keys = False
    assert takes_opaque_keys == ("opaque keys" in KEY_KINDS) == (VERSION != "2.5.0")


# Conversations


def test_the_first_call_creates_and_later_ones_find(clients: Clients) -> None:
    """The first call makes the conversation and every later one returns the same UUID, as a plain string."""
    client, user = clients.backend, new_user()
    first = open_conversation(client, user)
    assert is_uuid(first)
    assert [open_conversation(client, user) for _ in range(3)] == [first] * 3
    assert call(client, "get_or_create_pam_conversation", {"p_user_id": user}) == first


def test_a_context_replaces_the_former_one_and_an_empty_one_leaves_it(clients: Clients) -> None:
    """A non-empty `p_context` is the new context as a whole; `{}`, null and none change nothing."""
    client, user = clients.backend, new_user()

    def open_with(**more: Any) -> Any:
        return context(clients, call(client, "get_or_create_pam_conversation", {"p_user_id": user, **more}))

    first, second = {"page": "home", "cart": [1, {"n": None}]}, {"page": "cart"}
    assert open_with(p_context=first) == first
    assert [open_with(p_context={}), open_with(p_context=None), open_with()] == [first] * 3
    assert open_with(p_context=second) == second
    assert open_with(p_context={}) == second


def test_two_sessions_and_the_default_hold_different_conversations(clients: Clients) -> None:
    """Each session id and null lead to a conversation of their own, whose history is asked by session id."""
    client, user = clients.backend, new_user()
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


def test_a_session_id_of_255_characters_is_accepted(clients: Clients) -> None:
    """The limit counts characters and not bytes."""
    assert is_uuid(open_conversation(clients.backend, new_user(), "é" * 255))


@pytest.mark.parametrize("session", [None, "phone"], ids=["default", "named"])
def test_64_racing_first_calls_make_one_conversation(clients: Clients, session: str | None) -> None:
    """Every one of 64 simultaneous first calls succeeds, and all are given the same id."""
    user = new_user()
    callers = [clients.new_backend() for _ in range(4)] + [clients.of(user) for _ in range(4)]
    for client in callers:
        assert history(client, user) == []
    together = Barrier(64)

    def first_call(number: int) -> str:
        together.wait(timeout=10)
        return open_conversation(callers[number % len(callers)], user, session)

    assert len(set(in_threads(64, first_call))) == 1
    with Native(clients.server, clients.server.token(user)) as native:
        assert len(native.ask("GET", "/v1/conversations").json["data"]) == 1


def test_a_signed_in_user_finds_what_the_backend_made_and_nothing_else(clients: Clients) -> None:
    """The public key with the user's JWT and the service key lead to the same conversation, another's JWT elsewhere."""
    user, other = new_user(), new_user()
    backend, own, others = clients.backend, clients.of(user), clients.of(other)
    conversation = open_conversation(backend, user)
    assert open_conversation(own, user) == conversation
    written = [store(backend, conversation, "from the backend", "assistant"), store(own, conversation, "from the user")]
    assert [row["id"] for row in history(own, user)] == written[::-1]
    assert history(own, user) == history(backend, user)
    assert open_conversation(others, other) != conversation
    assert history(others, other) == []


# Messages


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_a_message_is_stored_with_everything_said_about_it(clients: Clients, role: str) -> None:
    """Role, intent, confidence, entities and metadata arrive; the answer is the message's id."""
    client, user = clients.backend, new_user()
    conversation = open_conversation(client, user)
    entities = {"city": "Zürich", "people": ["Ada", "Grace"], "nested": {"depth": [1, 2.5, None, True]}}
    metadata = {"model": "m-1", "tokens": 17}
    message = store(client, conversation, "Where is it?", role, p_intent="ask_place", p_confidence=0.9,
                    p_entities=entities, p_metadata=metadata)
    assert is_uuid(message)

    with Native(clients.server, clients.server.service_key) as native:
        [stored] = native.messages(conversation)
    told = {name: stored[name] for name in ("id", "role", "content", "intent", "confidence", "entities", "metadata")}
    assert told == {"id": message, "role": role, "content": "Where is it?", "intent": "ask_place", "confidence": 0.9,
                    "entities": entities, "metadata": metadata}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_text_comes_back_byte_for_byte(clients: Clients, text: str) -> None:
    """No normalising, trimming or escaping happens to a text between storing and reading."""
    client, user = clients.backend, new_user()
    store(client, open_conversation(client, user), text)
    [row] = history(client, user)
    assert row["content"].encode() == text.encode()


def test_a_client_id_stores_one_message_however_often_it_is_sent(clients: Clients) -> None:
    """A retry of the same content returns the same id; in another conversation the name is free."""
    client, user = clients.backend, new_user()
    conversation, other = open_conversation(client, user), open_conversation(client, user, "phone")
    ids = {store(client, conversation, "once", p_client_id="c-1") for _ in range(3)}
    assert len(ids) == 1
    assert store(client, other, "twice", p_client_id="c-1") not in ids
    assert [row["content"] for row in history(client, user, p_session_id=None)] == ["once"]


# Histories


def test_history_is_newest_first_with_the_former_columns_and_a_place(clients: Clients) -> None:
    """Each row has the four former columns, the message's id and its position, and times as PostgREST prints them."""
    client, user = clients.backend, new_user()
    conversation = open_conversation(client, user)
    roles = ["user", "assistant", "system"]
    ids = [store(client, conversation, f"{role} speaks", role, p_intent=f"intent of {role}") for role in roles]

    rows = history(client, user)
    assert [set(row) for row in rows] == [{"role", "content", "intent", "created_at", "id", "position"}] * 3
    assert [(row["position"], row["id"], row["role"], row["content"], row["intent"]) for row in rows] == [
        (place, ids[place - 1], role, f"{role} speaks", f"intent of {role}")
        for place, role in reversed(list(enumerate(roles, start=1)))]
    assert all(re.fullmatch(POSTGRES_TIME, row["created_at"]) for row in rows), rows
    times = [datetime.fromisoformat(row["created_at"]) for row in rows]
    assert times == sorted(set(times), reverse=True), "two messages have the same time, or the order is another"


def test_history_has_ten_rows_unless_told_otherwise(clients: Clients) -> None:
    """No limit and null mean 10, a limit is kept and above 1,000 capped; the rows are always the newest."""
    client, user = clients.backend, new_user()
    with Native(clients.server, clients.server.service_key) as native:
        native.append_all(open_conversation(client, user), [f"message {number}" for number in range(1, 1_003)])

    def contents(**more: Any) -> list[str]:
        return [row["content"] for row in history(client, user, **more)]

    newest_first = [f"message {number}" for number in range(1_002, 0, -1)]
    assert contents() == newest_first[:10]
    assert contents(p_limit=None) == newest_first[:10]
    assert contents(p_limit=20) == newest_first[:20]
    assert contents(p_limit=1_000) == newest_first[:1_000]
    assert contents(p_limit=1_001) == newest_first[:1_000]
    assert contents(p_limit=0) == []


def test_pages_before_a_message_join(clients: Clients) -> None:
    """`p_before` the last row's id loads the rows before it, until there are none."""
    client, user = clients.backend, new_user()
    conversation = open_conversation(client, user)
    contents = [f"message {number}" for number in range(7)]
    for content in contents:
        store(client, conversation, content)
    pages = [history(client, user, p_limit=3)]
    while pages[-1]:
        pages.append(history(client, user, p_limit=3, p_before=pages[-1][-1]["id"]))
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert [row["content"] for page in pages for row in page] == contents[::-1]


def test_one_row_can_be_asked_for_as_an_object(clients: Clients) -> None:
    """`single()` on a function that returns rows gives the only row, bare."""
    client, user = clients.backend, new_user()
    message = store(client, open_conversation(client, user), "the only one")
    row = client.rpc("get_conversation_history", {"p_user_id": user}).single().execute().data
    assert row == history(client, user)[0] and row["id"] == message


def test_the_rows_of_a_history_can_be_chosen_like_a_tables(clients: Clients) -> None:
    """The client's filters, order and limit apply to the rows that the function returned."""
    client, user = clients.backend, new_user()
    conversation = open_conversation(client, user)
    for number in range(4):
        store(client, conversation, f"message {number}", ("user", "assistant")[number % 2])
    called = client.rpc("get_conversation_history", {"p_user_id": user, "p_limit": 3})
    rows = called.eq("role", "assistant").order("created_at").limit(2).execute().data
    assert [row["content"] for row in rows] == ["message 1", "message 3"]


@pytest.mark.skipif(not offered(Client.rpc, "count"), reason="this version cannot ask for a count")
def test_history_can_be_counted(clients: Clients) -> None:
    """`count="exact"` gives the number of rows beside the rows, and with `head=True` without them."""
    client, user = clients.backend, new_user()
    conversation = open_conversation(client, user)

    def counted() -> tuple[int, int | None]:
        answer = client.rpc("get_conversation_history", {"p_user_id": user}, count="exact").execute()
        return len(answer.data), answer.count

    assert counted() == (0, 0)
    for number in range(3):
        store(client, conversation, f"message {number}")
    assert counted() == (3, 3)
    head = client.rpc("get_conversation_history", {"p_user_id": user}, count="exact", head=True).execute()
    assert (head.data, head.count) == ([], 3)


@pytest.mark.skipif(not offered(Client.rpc, "get"), reason="this version cannot call a function with GET")
def test_history_can_also_be_asked_with_get(clients: Clients) -> None:
    """The client's `get=True` gives the same rows as its usual way."""
    client, user = clients.backend, new_user()
    conversation = open_conversation(client, user, "phone & web")
    for number in range(3):
        store(client, conversation, f"message {number}")
    arguments = {"p_user_id": user, "p_limit": 2, "p_session_id": "phone & web"}
    by_get = client.rpc("get_conversation_history", arguments, get=True).execute().data
    assert by_get == call(client, "get_conversation_history", arguments)
    assert [row["content"] for row in by_get] == ["message 2", "message 1"]
