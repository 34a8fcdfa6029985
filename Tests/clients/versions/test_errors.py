"""Every refusal reaches the programs as the error that they know, through each version of the client."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from supabase import Client

from harness import (
    ANSWER_SECONDS, READY_SECONDS, Native, Server, history, new_user, open_conversation, poll, signed_token, store,
)
from official import KEY_KINDS, Clients, refusal

SOME_ID = "0190a5b0-7c00-7000-8000-00000000cafe"
FIELDS = {"code", "details", "hint", "message"}
NO_FUNCTION = "Could not find the function public.{} in the schema cache"
NO_TABLE = "Could not find the table 'public.{}' in the schema cache"
NOT_UUID = 'invalid input syntax for type uuid: "{}"'
NOT_PERMITTED = "permission denied for function {}"
NOT_IN_LIST = 'new row for relation "pam_messages" violates check constraint "pam_messages_role_check"'
IS_NULL = 'null value in column "{}" of relation "pam_messages" violates not-null constraint'


@dataclass(frozen=True)
class Stage:
    """What the refused calls act on, and who makes them.

    There are a user with two conversations of one message each, and another user with one.
    """

    clients: Clients
    user: str
    own: Client
    other: Client
    nobody: Client
    conversation: str
    elsewhere: str
    foreign: str

    @property
    def backend(self) -> Client:
        """Returns the backend's client."""
        return self.clients.backend

    def store(self, **other: Any) -> Callable[[Client], Any]:
        """Returns a call that would store a message but for the arguments named here."""
        valid = {"p_conversation_id": self.conversation, "p_role": "user", "p_content": "text"}
        return lambda client: client.rpc("store_pam_message", valid | other)

    def open(self, **other: Any) -> Callable[[Client], Any]:
        """Returns a call that would open the user's conversation but for the arguments named here."""
        return lambda client: client.rpc("get_or_create_pam_conversation", {"p_user_id": self.user} | other)

    def history(self, **other: Any) -> Callable[[Client], Any]:
        """Returns a call that would read the user's history but for the arguments named here."""
        return lambda client: client.rpc("get_conversation_history", {"p_user_id": self.user} | other)

    def assert_untouched(self) -> None:
        """Asserts that every text is as it was, and that the user has no other conversations."""
        with Native(self.clients.server, self.clients.server.service_key) as native:
            contents = [[message["content"] for message in native.messages(each)]
                        for each in (self.conversation, self.elsewhere, self.foreign)]
            owned = native.ask("GET", f"/v1/conversations?user_id={self.user}").json["data"]
        assert contents == [["here"], ["elsewhere"], ["not theirs"]]
        assert {each["id"] for each in owned} == {self.conversation, self.elsewhere}


@pytest.fixture(scope="module")
def stage(clients: Clients) -> Stage:
    """Returns a stage that no test may change."""
    backend, user, other = clients.backend, new_user(), new_user()
    conversation, elsewhere = (open_conversation(backend, user, session) for session in (None, "elsewhere"))
    foreign = open_conversation(backend, other)
    for content, each in (("here", conversation), ("elsewhere", elsewhere), ("not theirs", foreign)):
        store(backend, each, content, p_client_id="taken")
    return Stage(clients, user, clients.of(user), clients.of(other), clients.anonymous(), conversation, elsewhere,
                 foreign)


def messages(client: Client) -> Any:
    """Returns the client's builder of requests to the table of messages."""
    return client.table("pam_messages")


def conversations(client: Client) -> Any:
    """Returns the client's builder of requests to the table of conversations."""
    return client.table("pam_conversations")


# Calls of the backend and of a signed-in user

Call = Callable[[Client], Any]
Row = tuple[int, str, str | None, Callable[[Stage], Call]]

REFUSED: dict[str, Row] = {
    "an unknown function": (
        404, "PGRST202", NO_FUNCTION.format("get_pam_history(p_limit, p_user_id)"),
        lambda stage: lambda client: client.rpc("get_pam_history", {"p_limit": 1, "p_user_id": stage.user})),
    "an unknown argument": (
        404, "PGRST202", NO_FUNCTION.format("get_conversation_history(p_colour, p_user_id)"),
        lambda stage: stage.history(p_colour="red")),
    "a missing argument": (
        404, "PGRST202", NO_FUNCTION.format("get_conversation_history(p_limit)"),
        lambda stage: lambda client: client.rpc("get_conversation_history", {"p_limit": 5})),
    "a body that is no object": (
        400, "PGRST102", None, lambda stage: lambda client: client.rpc("get_conversation_history", [stage.user])),
    "an unknown table": (
        404, "PGRST205", NO_TABLE.format("pam_secrets"),
        lambda stage: lambda client: client.table("pam_secrets").select("*")),
    "an unknown column selected": (
        400, "42703", "column pam_messages.colour does not exist",
        lambda stage: lambda client: messages(client).select("id,colour")),
    "an unknown column in a filter": (
        400, "42703", "column pam_messages.colour does not exist",
        lambda stage: lambda client: messages(client).select("*").eq("colour", "red")),
    "an unknown column to order by": (
        400, "42703", "column pam_conversations.colour does not exist",
        lambda stage: lambda client: conversations(client).select("*").order("colour")),
    "a filter by a bad uuid": (
        400, "22P02", NOT_UUID.format("user-123"),
        lambda stage: lambda client: messages(client).select("*").eq("conversation_id", "user-123")),
    "no row where one was to be": (
        406, "PGRST116", None,
        lambda stage: lambda client: messages(client).select("*").eq("id", SOME_ID).single()),
    "two rows where one was to be": (
        406, "PGRST116", None,
        lambda stage: lambda client: conversations(client).select("*").eq("user_id", stage.user).single()),
    "no row of a function where one was to be": (
        406, "PGRST116", None,
        lambda stage: lambda client: stage.history(p_limit=0)(client).single()),
    "a user id that is no uuid": (
        400, "22P02", NOT_UUID.format("user-123"), lambda stage: stage.open(p_user_id="user-123")),
    "a long user id that is no uuid": (
        400, "22P02", NOT_UUID.format("u" * 64), lambda stage: stage.history(p_user_id="u" * 65)),
    "a conversation id that is no uuid": (
        400, "22P02", NOT_UUID.format("c-1"), lambda stage: stage.store(p_conversation_id="c-1")),
    "a message id that is no uuid": (400, "22P02", NOT_UUID.format("m-1"), lambda stage: stage.history(p_before="m-1")),
    "a role not in the list": (400, "23514", NOT_IN_LIST, lambda stage: stage.store(p_role="robot")),
    "a role of Parley's own": (400, "23514", NOT_IN_LIST, lambda stage: stage.store(p_role="tool")),
    "null content": (400, "23502", IS_NULL.format("content"), lambda stage: stage.store(p_content=None)),
    "a null role": (400, "23502", IS_NULL.format("role"), lambda stage: stage.store(p_role=None)),
    "a null conversation id": (
        400, "23502", IS_NULL.format("conversation_id"), lambda stage: stage.store(p_conversation_id=None)),
    "a confidence out of range": (
        400, "22003", "numeric field overflow", lambda stage: stage.store(p_confidence=10)),
    "a limit out of range": (
        400, "22003", 'value "3000000000" is out of range for type integer',
        lambda stage: stage.history(p_limit=3_000_000_000)),
    "an unknown conversation": (409, "23503", None, lambda stage: stage.store(p_conversation_id=SOME_ID)),
    "a client id used before": (409, "23505", None, lambda stage: stage.store(p_client_id="taken")),
    "a page before an unknown message": (400, "22023", None, lambda stage: stage.history(p_before=SOME_ID)),
    "a page before another conversation's message": (
        400, "22023", None, lambda stage: stage.history(p_before=the_message_of(stage, stage.elsewhere))),
    "a session id of 256 characters": (400, "22001", None, lambda stage: stage.open(p_session_id="s" * 256)),
    "a negative limit": (400, "2201W", "LIMIT must not be negative", lambda stage: stage.history(p_limit=-1)),
    "a GET of a function that writes": (
        405, "25006", None,
        lambda stage: lambda client: client.postgrest.rpc(
            "get_or_create_pam_conversation", {"p_user_id": stage.user, "p_session_id": "new"}, get=True)),
}


def the_message_of(stage: Stage, conversation: str) -> str:
    """Returns the id of the conversation's only message."""
    with Native(stage.clients.server, stage.clients.server.service_key) as native:
        [message] = native.messages(conversation)
    return str(message["id"])


@pytest.mark.parametrize("who", ["backend", "own"])
@pytest.mark.parametrize("row", REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_call_is_refused_with_its_code(stage: Stage, row: Row, who: str) -> None:
    """The client raises an `APIError` with the code and the message, and nothing was stored."""
    status, code, message, call = row
    refused = refusal(getattr(stage, who), call(stage))
    assert (refused.status, refused.error.code) == (status, code), refused.body
    assert set(refused.body) == FIELDS
    assert refused.error.message and message in (None, refused.error.message)
    assert refused.error.message == refused.body["message"]
    stage.assert_untouched()


# Calls that nobody permitted

FOREIGN: dict[str, Row] = {
    "another's conversation to open": (
        403, "42501", NOT_PERMITTED.format("get_or_create_pam_conversation"), lambda stage: stage.open()),
    "another's history": (
        403, "42501", NOT_PERMITTED.format("get_conversation_history"), lambda stage: stage.history()),
    "a message into another's conversation": (409, "23503", None, lambda stage: stage.store()),
}


@pytest.mark.parametrize("row", FOREIGN.values(), ids=FOREIGN.keys())
def test_another_user_is_refused(stage: Stage, row: Row) -> None:
    """A signed-in user cannot name another user, and another's conversation is like one that does not exist."""
    status, code, message, call = row
    refused = refusal(stage.other, call(stage))
    assert (refused.status, refused.error.code) == (status, code), refused.body
    assert set(refused.body) == FIELDS
    assert message in (None, refused.error.message)
    stage.assert_untouched()


@pytest.mark.parametrize(("call", "function"), [
    (Stage.open, "get_or_create_pam_conversation"), (Stage.store, "store_pam_message"),
    (Stage.history, "get_conversation_history")])
def test_the_public_key_alone_may_call_nothing(stage: Stage, call: Callable[[Stage], Call], function: str) -> None:
    """Without a signed-in user the functions are not permitted: 401."""
    refused = refusal(stage.nobody, call(stage))
    assert (refused.status, refused.error.code) == (401, "42501"), refused.body
    assert refused.error.message == NOT_PERMITTED.format(function)
    assert set(refused.body) == FIELDS
    stage.assert_untouched()


ROW = {"conversation_id": SOME_ID, "role": "user", "content": "text"}
TABLE_WRITES: dict[str, Callable[[Client, Stage], Any]] = {
    "insert": lambda client, stage: messages(client).insert(ROW | {"conversation_id": stage.conversation}),
    "insert many": lambda client, stage: messages(client).insert([ROW, ROW]),
    "upsert": lambda client, stage: messages(client).upsert(ROW | {"id": SOME_ID}),
    "update": lambda client, stage: messages(client).update({"content": "changed"}).eq("content", "here"),
    "delete": lambda client, stage: messages(client).delete().eq("conversation_id", stage.conversation),
}


@pytest.mark.parametrize("who", ["backend", "own", "nobody"])
@pytest.mark.parametrize("write", TABLE_WRITES.values(), ids=TABLE_WRITES.keys())
def test_rows_cannot_be_written(stage: Stage, write: Callable[[Client, Stage], Any], who: str) -> None:
    """Rows are made by the functions only, and the hint names the one to call."""
    refused = refusal(getattr(stage, who), lambda client: write(client, stage))
    assert (refused.status, refused.error.code) == (401 if who == "nobody" else 403, "42501"), refused.body
    assert "store_pam_message" in str(refused.error.hint)
    assert set(refused.body) == FIELDS
    stage.assert_untouched()


def test_conversations_cannot_be_written_either(stage: Stage) -> None:
    """The hint names the function that makes conversations."""
    writes: list[Call] = [
        lambda client: conversations(client).insert({"user_id": stage.user}),
        lambda client: conversations(client).update({"title": "changed"}).eq("id", stage.conversation),
        lambda client: conversations(client).delete().eq("id", stage.conversation),
    ]
    for write in writes:
        refused = refusal(stage.backend, write)
        assert (refused.status, refused.error.code) == (403, "42501"), refused.body
        assert "get_or_create_pam_conversation" in str(refused.error.hint)
    stage.assert_untouched()


# Keys and tokens

# Made when the tests are collected: good until the last of them has run.
CLAIMS = {"role": "authenticated", "exp": int(time.time()) + 86_400}
OTHER_SECRET = b"another secret of at least 32 bytes"


def test_a_token_is_good_until_it_expires(stage: Stage) -> None:
    """A token that anybody signed with the server's secret counts."""
    token = signed_token(stage.clients.server.secret, CLAIMS | {"sub": stage.user})
    assert [row["content"] for row in history(stage.clients.bearing(token), stage.user)] == ["here"]


@pytest.mark.parametrize(("secret", "claims", "code", "message"), [
    (None, {"exp": int(time.time()) - 3_600}, "PGRST303", "JWT expired"),
    (None, {"exp": None}, "PGRST301", None),
    (None, {"role": "postgres"}, "PGRST301", None),
    (OTHER_SECRET, {}, "PGRST301", None),
], ids=["expired", "without an end", "of a role that is none", "signed by somebody else"])
def test_a_bad_token_is_refused_with_a_challenge(
    stage: Stage, secret: bytes | None, claims: dict[str, Any], code: str, message: str | None
) -> None:
    """A bad token is 401 and the answer says in `WWW-Authenticate` what is wrong."""
    every = {name: value for name, value in (CLAIMS | {"sub": stage.user} | claims).items() if value is not None}
    token = signed_token(secret or stage.clients.server.secret, every)
    refused = refusal(stage.clients.bearing(token), stage.history())
    assert (refused.status, refused.error.code) == (401, code), refused.body
    assert message in (None, refused.error.message)
    assert set(refused.body) == FIELDS
    assert refused.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


@pytest.mark.parametrize("role", ["service_role", "anon"])
def test_a_key_of_another_server_is_refused(stage: Stage, role: str) -> None:
    """A key that this server never made is refused, in the words of the former gateway if it is an opaque one."""
    keys = ["wrong-key"] if "opaque keys" in KEY_KINDS else []
    keys.append(signed_token(OTHER_SECRET, {"role": role, "exp": CLAIMS["exp"]}))
    for key in keys:
        refused = refusal(Clients(stage.clients.server, key, key).backend, stage.history())
        assert refused.status == 401, refused.body
        assert set(refused.body) == FIELDS
        assert refused.error.message == "Invalid API key" if key == "wrong-key" else refused.error.code == "PGRST301"


@pytest.mark.parametrize("path", ["rpc/get_conversation_history", "pam_messages", "pam_secrets"])
def test_a_request_without_a_key_is_told_so(server: Server, path: str) -> None:
    """No header at all: 401 in the words of the former gateway, whatever was asked. No client would send this."""
    status, body = plain(server, "GET", path, {})
    assert (status, body["message"]) == (401, "No API key found in request")
    assert set(body) == FIELDS


@pytest.mark.parametrize(("method", "header"), [("GET", "Accept-Profile"), ("POST", "Content-Profile")])
def test_another_schema_is_not_acceptable(stage: Stage, method: str, header: str) -> None:
    """`public` may be named and is the only schema: 406 for any other."""
    server = stage.clients.server
    for schema, expected in (("public", 200), ("private", 406)):
        path = "rpc/get_conversation_history" + (f"?p_user_id={stage.user}" if method == "GET" else "")
        headers = {"apikey": stage.clients.service_key, header: schema}
        body = None if method == "GET" else {"p_user_id": stage.user}
        status, answer = plain(server, method, path, headers, body)
        assert status == expected, answer
        assert expected == 200 or set(answer) == FIELDS


def plain(server: Server, method: str, path: str, headers: dict[str, str], body: Any = None) -> tuple[int, Any]:
    """Sends one request without any client and returns its status and its body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_SECONDS)
    try:
        connection.request(method, f"/rest/v1/{path}", body if body is None else json.dumps(body),
                           {"Content-Type": "application/json"} | headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


# A store that is down


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Clients]:
    """Yields the makers of clients of a server from whose files the space can be taken."""
    server = Server(tmp_path, restore_signals=False)
    try:
        server.start()
        yield Clients(server, server.role_token("anon"), server.role_token("service_role"))
    finally:
        server.clean_up()


def test_a_store_that_cannot_write_is_an_error_of_the_connection(cramped: Clients) -> None:
    """Writes are 503 with `Retry-After`, reads go on, and with the space all is well again."""
    client, user = cramped.backend, new_user()
    conversation = open_conversation(client, user)
    store(client, conversation, "before")
    during = {"p_conversation_id": conversation, "p_role": "user", "p_content": "during"}
    with cramped.server.without_file_space():
        for function, arguments in (("store_pam_message", during),
                                    ("get_or_create_pam_conversation", {"p_user_id": new_user()})):
            refused = refusal(client, lambda client: client.rpc(function, arguments))
            assert (refused.status, refused.error.code) == (503, "PGRST000"), refused.body
            assert refused.error.message == "Database connection error."
            assert set(refused.body) == FIELDS
            assert int(refused.headers["retry-after"]) > 0
        assert [row["content"] for row in history(client, user)] == ["before"]

    def is_ready() -> bool:
        with Native(cramped.server, "") as native:
            return native.ask("GET", "/readyz").status == 200

    poll(is_ready, READY_SECONDS, "an answer of 200 at /readyz")
    store(client, conversation, "after")
    assert [row["content"] for row in history(client, user)] == ["after", "before"]
