"""The two tables of the former system can be read through each version of its client, and hold the caller's rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from postgrest import SyncRequestBuilder
from postgrest.exceptions import APIError
from supabase import Client

from harness import Native, history, new_user, open_conversation, store
from official import Clients, offered, refusal

CONVERSATION_COLUMNS = {"id", "user_id", "session_id", "title", "context_data", "created_at", "updated_at"}
MESSAGE_COLUMNS = {
    "id", "conversation_id", "role", "content", "intent", "confidence", "entities", "metadata", "created_at"}
POSTGRES_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?\+00:00"
SOME_ID = "0190a5b0-7c00-7000-8000-00000000cafe"

SAID: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello", "p_intent": "greet", "p_confidence": 0.9},
    {"role": "assistant", "content": "Hello, you (and yours): welcome", "p_metadata": {"model": "m-1"}},
    {"role": "user", "content": "Grüße & 50% + 1 = ?", "p_intent": "sum", "p_confidence": 0.25,
     "p_entities": {"numbers": [50, 1]}},
    {"role": "assistant", "content": "null"},
    {"role": "user", "content": "Bye", "p_intent": "leave", "p_confidence": 1},
]


@dataclass(frozen=True)
class Talk:
    """One user's conversation: the messages of `SAID` in this order."""

    clients: Clients
    user: str
    client: Client
    conversation: str
    ids: list[str]
    times: list[str]

    def messages(self, *columns: str, **more: Any) -> Any:
        """Returns a query of the conversation's messages."""
        query = self.client.table("pam_messages").select(*columns, **more)
        return query.eq("conversation_id", self.conversation)


@pytest.fixture(scope="module")
def talk(clients: Clients) -> Talk:
    """Returns a conversation that no test changes."""
    client, user = clients.backend, new_user()
    conversation = open_conversation(client, user)
    ids = [store(client, conversation, **said) for said in SAID]
    times = [row["created_at"] for row in reversed(history(client, user))]
    return Talk(clients, user, clients.of(user), conversation, ids, times)


# Messages


def test_the_former_programs_query_gives_the_newest_rows_whole(talk: Talk) -> None:
    """`select("*")` with `eq`, `order` and `limit` gives rows with every former column, as they were stored."""
    query = talk.client.table("pam_messages").select("*").eq("conversation_id", talk.conversation)
    rows = query.order("created_at", desc=True).limit(2).execute().data
    assert all(MESSAGE_COLUMNS <= set(row) for row in rows)
    assert [{name: row[name] for name in MESSAGE_COLUMNS} for row in rows] == [
        {"id": talk.ids[number], "conversation_id": talk.conversation, "role": SAID[number]["role"],
         "content": SAID[number]["content"], "intent": SAID[number].get("p_intent"),
         "confidence": SAID[number].get("p_confidence"), "entities": SAID[number].get("p_entities", {}),
         "metadata": SAID[number].get("p_metadata", {}), "created_at": talk.times[number]}
        for number in (5, 4)]


def test_numbers_and_times_are_printed_as_postgres_prints_them(talk: Talk) -> None:
    """A confidence has two digits and no quotes, a time no needless zeros, and the range stands in a header."""
    with Native(talk.clients.server, talk.clients.server.token(talk.user)) as native:
        answer = native.ask(
            "GET", f"/rest/v1/pam_messages?select=confidence,created_at&conversation_id=eq.{talk.conversation}"
            "&order=created_at", headers={"apikey": talk.clients.anon_key})
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["content-range"] == "0-5/*"
    printed = re.findall(rb'"confidence": ?([^,}]*)', answer.body)
    assert printed == [b"null", b"0.90", b"null", b"0.25", b"null", b"1.00"]
    assert [row["created_at"] for row in answer.json] == talk.times
    assert all(re.fullmatch(POSTGRES_TIME, time) for time in talk.times)


@pytest.mark.parametrize("columns", [("id, content",), ("content", "role", "created_at"), ("confidence",)], ids=str)
def test_only_the_columns_asked_for_come_and_in_their_order(talk: Talk, columns: tuple[str, ...]) -> None:
    """A column list may come in one text or several."""
    rows = talk.messages(*columns).order("created_at").execute().data
    assert [list(row) for row in rows] == [",".join(columns).replace(" ", "").split(",")] * 6


FILTERS: dict[str, tuple[Callable[[Any, Talk], Any], list[int]]] = {
    "eq": (lambda query, talk: query.eq("role", "user"), [1, 3, 5]),
    "eq id": (lambda query, talk: query.eq("id", talk.ids[2]), [2]),
    "eq number": (lambda query, talk: query.eq("confidence", 0.9), [1]),
    "eq text with reserved characters": (
        lambda query, talk: query.eq("content", "Hello, you (and yours): welcome"), [2]),
    "eq text with query characters": (lambda query, talk: query.eq("content", "Grüße & 50% + 1 = ?"), [3]),
    "eq the word null": (lambda query, talk: query.eq("content", "null"), [4]),
    "eq nothing": (lambda query, talk: query.eq("content", "hello"), []),
    "neq": (lambda query, talk: query.neq("role", "user"), [0, 2, 4]),
    "neq leaves out null": (lambda query, talk: query.neq("intent", "greet"), [3, 5]),
    "gt": (lambda query, talk: query.gt("created_at", talk.times[3]), [4, 5]),
    "gte": (lambda query, talk: query.gte("created_at", talk.times[3]), [3, 4, 5]),
    "lt": (lambda query, talk: query.lt("created_at", talk.times[3]), [0, 1, 2]),
    "lte": (lambda query, talk: query.lte("created_at", talk.times[3]), [0, 1, 2, 3]),
    "gt number": (lambda query, talk: query.gt("confidence", 0.25), [1, 5]),
    "gte number": (lambda query, talk: query.gte("confidence", 0.25), [1, 3, 5]),
    "in": (lambda query, talk: query.in_("role", ["system", "user"]), [0, 1, 3, 5]),
    "in ids": (lambda query, talk: query.in_("id", [talk.ids[5], talk.ids[0], SOME_ID]), [0, 5]),
    "in texts with reserved characters": (
        lambda query, talk: query.in_("content", ["Hello, you (and yours): welcome", "Bye"]), [2, 5]),
    "in nothing": (lambda query, talk: query.in_("role", []), []),
    "is null": (lambda query, talk: query.is_("intent", None), [0, 2, 4]),
    "is null as a word": (lambda query, talk: query.is_("confidence", "null"), [0, 2, 4]),
    "two columns": (lambda query, talk: query.eq("role", "user").neq("content", "Bye"), [1, 3]),
    "one column twice": (
        lambda query, talk: query.gt("created_at", talk.times[0]).lt("created_at", talk.times[3]), [1, 2]),
}


@pytest.mark.parametrize(("restricted", "expected"), FILTERS.values(), ids=FILTERS.keys())
def test_filters_leave_the_rows_that_match(
    talk: Talk, restricted: Callable[[Any, Talk], Any], expected: list[int]
) -> None:
    """Filters compare as SQL does, and several must all match."""
    rows = restricted(talk.messages("id"), talk).order("created_at").execute().data
    assert [row["id"] for row in rows] == [talk.ids[number] for number in expected]


PARTS: dict[str, tuple[Callable[[Any], Any], list[int]]] = {
    "ascending": (lambda query: query.order("created_at"), [0, 1, 2, 3, 4, 5]),
    "descending": (lambda query: query.order("created_at", desc=True), [5, 4, 3, 2, 1, 0]),
    "by two columns": (
        lambda query: query.order("role").order("created_at", desc=True), [4, 2, 0, 5, 3, 1]),
    "nulls first": (
        lambda query: query.order("confidence", desc=True, nullsfirst=True).order("created_at"), [0, 2, 4, 5, 1, 3]),
    "limit": (lambda query: query.order("created_at").limit(2), [0, 1]),
    "limit 0": (lambda query: query.order("created_at").limit(0), []),
    "offset": (lambda query: query.order("created_at").limit(2).offset(3), [3, 4]),
    "range": (lambda query: query.order("created_at").range(1, 3), [1, 2, 3]),
    "range over the end": (lambda query: query.order("created_at").range(4, 9), [4, 5]),
}


@pytest.mark.parametrize(("part", "expected"), PARTS.values(), ids=PARTS.keys())
def test_rows_come_in_the_order_and_the_part_asked_for(
    talk: Talk, part: Callable[[Any], Any], expected: list[int]
) -> None:
    """`order`, `limit`, `offset` and `range` do what they do on PostgREST."""
    rows = part(talk.messages("id")).execute().data
    assert [row["id"] for row in rows] == [talk.ids[number] for number in expected]


def test_the_total_can_be_counted(talk: Talk) -> None:
    """`count="exact"` counts every matching row, whatever the limit."""
    answer = talk.messages("id", count="exact").eq("role", "user").limit(2).execute()
    assert (len(answer.data), answer.count) == (2, 3)
    answer = talk.messages("id", count="exact").eq("role", "robot").execute()
    assert (answer.data, answer.count) == ([], 0)


@pytest.mark.skipif(not offered(SyncRequestBuilder.select, "head"), reason="this version cannot ask for the head alone")
def test_the_total_can_be_counted_without_rows(talk: Talk) -> None:
    """`head=True` asks with HEAD: no rows, and the count in the header."""
    answer = talk.messages("*", count="exact", head=True).execute()
    assert (answer.data, answer.count) == ([], 6)


def test_a_single_row_comes_as_an_object(talk: Talk) -> None:
    """`single` and `maybe_single` give the one row bare; for none `maybe_single` gives nothing and no error."""
    for query in (talk.messages("id, content").eq("id", talk.ids[1]).single(),
                  talk.messages("id, content").eq("id", talk.ids[1]).maybe_single()):
        assert query.execute().data == {"id": talk.ids[1], "content": "Hello"}
    assert talk.messages("*").eq("id", SOME_ID).maybe_single().execute() is None
    with pytest.raises(APIError):
        talk.messages("*").maybe_single().execute()


def test_no_more_than_a_thousand_rows_come_at_once(clients: Clients) -> None:
    """Without a limit and with a larger one the rows are capped, and pages by `range` reach the rest."""
    client, user = clients.backend, new_user()
    conversation = open_conversation(client, user)
    with Native(clients.server, clients.server.service_key) as native:
        ids = [message["id"] for message in native.append_all(conversation, [f"{number}" for number in range(1_002)])]

    def page(part: Callable[[Any], Any]) -> list[str]:
        query = client.table("pam_messages").select("id").eq("conversation_id", conversation).order("created_at")
        return [row["id"] for row in part(query).execute().data]

    assert page(lambda query: query) == ids[:1_000]
    assert page(lambda query: query.limit(5_000)) == ids[:1_000]
    assert page(lambda query: query.range(1_000, 1_999)) == ids[1_000:]


def test_messages_that_the_former_table_could_not_hold_are_not_in_it(clients: Clients) -> None:
    """What a tool answered is Parley's own: neither the table nor the history shows it."""
    client, user = clients.backend, new_user()
    conversation = open_conversation(client, user)
    with Native(clients.server, clients.server.service_key) as native:
        for role, content in (("user", "What is the time?"), ("tool", "12:00"), ("assistant", "Noon.")):
            assert native.append(conversation, {"role": role, "content": content}).status == 201
    query = client.table("pam_messages").select("content", count="exact").eq("conversation_id", conversation)
    answer = query.order("created_at").execute()
    assert [row["content"] for row in answer.data] == ["What is the time?", "Noon."]
    assert answer.count == 2
    assert [row["content"] for row in history(client, user)] == ["Noon.", "What is the time?"]


# Conversations


def test_a_conversation_is_a_row_with_the_former_columns(clients: Clients) -> None:
    """Session, context and times are there; a message makes `updated_at` later and nothing else."""
    client, user = clients.backend, new_user()
    context = {"page": "home", "cart": [1, {"n": None}]}
    conversation = client.rpc("get_or_create_pam_conversation", {
        "p_user_id": user, "p_session_id": "phone", "p_context": context}).execute().data

    def row() -> dict[str, Any]:
        [only] = client.table("pam_conversations").select("*").eq("user_id", user).execute().data
        assert CONVERSATION_COLUMNS <= set(only)
        return only

    first = row()
    told = {name: first[name] for name in ("id", "user_id", "session_id", "context_data")}
    assert told == {"id": conversation, "user_id": user, "session_id": "phone", "context_data": context}
    assert all(re.fullmatch(POSTGRES_TIME, first[name]) for name in ("created_at", "updated_at"))
    store(client, conversation, "Hello")
    second = row()
    assert datetime.fromisoformat(second["updated_at"]) > datetime.fromisoformat(first["updated_at"])
    assert second["created_at"] == first["created_at"]


def test_conversations_are_found_by_their_columns(clients: Clients) -> None:
    """The default conversation has a null session; the others are found by theirs."""
    user = new_user()
    client = clients.of(user)
    phone, web, default = (open_conversation(client, user, session) for session in ("phone", "web", None))

    def found(restricted: Callable[[Any], Any]) -> list[str]:
        rows = restricted(client.table("pam_conversations").select("id, session_id")).order("created_at").execute().data
        return [row["id"] for row in rows]

    assert found(lambda query: query) == [phone, web, default]
    assert found(lambda query: query.eq("session_id", "web")) == [web]
    assert found(lambda query: query.is_("session_id", None)) == [default]
    assert found(lambda query: query.in_("session_id", ["phone", "web"])) == [phone, web]
    assert found(lambda query: query.neq("id", phone).limit(1)) == [web]


# Whose rows


def test_another_users_rows_are_not_there(clients: Clients, talk: Talk) -> None:
    """A signed-in user finds only its own rows however it asks; the backend finds everybody's."""
    user = new_user()
    own = clients.of(user)
    conversation = open_conversation(own, user)
    message = store(own, conversation, "mine")
    assert [row["id"] for row in own.table("pam_conversations").select("id").execute().data] == [conversation]
    assert [row["id"] for row in own.table("pam_messages").select("id").execute().data] == [message]
    for table, column, value in (
        ("pam_messages", "conversation_id", talk.conversation), ("pam_messages", "id", talk.ids[0]),
        ("pam_conversations", "id", talk.conversation), ("pam_conversations", "user_id", talk.user),
    ):
        answer = own.table(table).select("*", count="exact").eq(column, value).execute()
        assert (answer.data, answer.count) == ([], 0)
    both = clients.backend.table("pam_conversations").select("id").in_("user_id", [user, talk.user]).execute().data
    assert {row["id"] for row in both} == {conversation, talk.conversation}


@pytest.mark.parametrize("table", ["pam_messages", "pam_conversations"])
def test_the_public_key_alone_may_read_no_table(clients: Clients, talk: Talk, table: str) -> None:
    """Without a signed-in user reading is not permitted: 401."""
    refused = refusal(clients.anonymous(), lambda client: client.table(table).select("*"))
    assert (refused.status, refused.error.code) == (401, "42501")
    assert refused.error.message == f"permission denied for table {table}"
