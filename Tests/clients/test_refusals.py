"""What is refused, and that a refusal tells nobody anything about other users."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from supabase import Client, PostgrestAPIError, create_client

from harness import (
    Answer, Native, Server, backend_client, history, is_uuid, new_user, open_conversation, signed_token, store,
    user_client,
)

SOME_ID = "0190a5b0-7c00-7000-8000-00000000cafe"


def refusal(client: Client, function: str, arguments: Any, get: bool = False) -> PostgrestAPIError:
    """Calls the function and returns the error that the official client raises."""
    with pytest.raises(PostgrestAPIError) as caught:
        client.rpc(function, arguments, get=get).execute()
    return caught.value


def telling_parts(answer: Answer, conversation: str) -> tuple[int, dict[str, str], bytes]:
    """Returns an answer without what may differ: its request id, its date and the id that was asked for."""
    request_id = answer.headers["x-request-id"]
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")}
    body = answer.body.replace(request_id.encode(), b"REQUEST").replace(conversation.encode(), b"CONVERSATION")
    return answer.status, headers, body


# Others' conversations


@pytest.mark.parametrize("function", ["get_conversation_history", "get_or_create_pam_conversation"])
def test_a_user_cannot_name_another_user(server: Server, function: str) -> None:
    """Another's `p_user_id` is refused with 42501, whether that user exists or not."""
    alice, mallory = new_user(), new_user()
    open_conversation(backend_client(server), alice)
    client = user_client(server, server.token(mallory))
    existing = refusal(client, function, {"p_user_id": alice})
    assert existing.code == "42501"
    assert refusal(client, function, {"p_user_id": new_user()}).json() == existing.json()


def test_the_public_key_alone_reads_nothing(server: Server) -> None:
    """Without a signed-in user the functions are not permitted."""
    client = create_client(server.url, server.anon_key)
    error = refusal(client, "get_conversation_history", {"p_user_id": new_user()})
    assert (error.code, error.message) == ("42501", "permission denied for function get_conversation_history")


def test_storing_into_a_foreign_conversation_is_refused_and_stores_nothing(server: Server) -> None:
    """A foreign conversation is 23503, as one that does not exist, and it stays as it was."""
    alice, mallory = new_user(), new_user()
    backend = backend_client(server)
    conversation = open_conversation(backend, alice)
    store(backend, conversation, "Alice's own")
    before = history(backend, alice)

    client = user_client(server, server.token(mallory))
    message = {"p_role": "user", "p_content": "Mallory was here"}
    assert refusal(client, "store_pam_message", {"p_conversation_id": conversation, **message}).code == "23503"
    assert refusal(client, "store_pam_message", {"p_conversation_id": SOME_ID, **message}).code == "23503"
    assert history(backend, alice) == before


def test_a_foreign_and_an_unknown_conversation_get_the_same_answer(server: Server) -> None:
    """At both doors the answers differ in nothing but the request id and the id that was asked for."""
    alice, mallory = new_user(), new_user()
    backend = backend_client(server)
    conversation = open_conversation(backend, alice)
    store(backend, conversation, "Alice's own", p_client_id="first")
    message = {"role": "user", "content": "Mallory was here", "client_id": "first"}

    with Native(server, server.token(mallory)) as native:

        def answers(asked: str) -> list[tuple[int, dict[str, str], bytes]]:
            rpc = {"p_conversation_id": asked, "p_role": "user", "p_content": "Mallory was here",
                   "p_client_id": "first"}
            return [telling_parts(answer, asked) for answer in (
                native.ask("POST", "/rest/v1/rpc/store_pam_message", rpc, {"apikey": server.anon_key}),
                native.append(asked, message),
                native.ask("GET", f"/v1/conversations/{asked}"),
                native.ask("GET", f"/v1/conversations/{asked}/messages"),
                native.ask("DELETE", f"/v1/conversations/{asked}"),
            )]

        foreign = answers(conversation)
        assert foreign == answers(SOME_ID)
    assert [status for status, _, _ in foreign] == [409, 404, 404, 404, 404]
    assert [row["content"] for row in history(backend, alice)] == ["Alice's own"]


# Bad arguments

REFUSED_ARGUMENTS: dict[str, tuple[str, str, dict[str, Any], str | None]] = {
    "a bad uuid": (
        "22P02", "get_or_create_pam_conversation", {"p_user_id": "user-123"},
        'invalid input syntax for type uuid: "user-123"'),
    "a role not in the list": ("23514", "store_pam_message", {"p_role": "robot"}, None),
    "null content": ("23502", "store_pam_message", {"p_content": None}, None),
    "a confidence out of range": ("22003", "store_pam_message", {"p_confidence": 100}, None),
    "an unknown function": (
        "PGRST202", "get_pam_history", {"p_user_id": SOME_ID},
        "Could not find the function public.get_pam_history(p_user_id) in the schema cache"),
    "an unknown argument": ("PGRST202", "store_pam_message", {"p_colour": "red"}, None),
    "a missing argument": ("PGRST202", "get_conversation_history", {"p_limit": 5}, None),
    "a session id of 256 characters": (
        "22001", "get_or_create_pam_conversation", {"p_user_id": SOME_ID, "p_session_id": "s" * 256}, None),
    "a negative limit": (
        "2201W", "get_conversation_history", {"p_user_id": SOME_ID, "p_limit": -1}, "LIMIT must not be negative"),
}


@pytest.mark.parametrize(
    ("code", "function", "arguments", "message"), REFUSED_ARGUMENTS.values(), ids=REFUSED_ARGUMENTS.keys())
def test_a_bad_argument_is_refused_with_postgresqls_code(
    server: Server, code: str, function: str, arguments: dict[str, Any], message: str | None
) -> None:
    """The official client raises an `APIError` with the code and all four fields, and nothing was stored."""
    client, user = backend_client(server), new_user()
    if function == "store_pam_message":
        valid = {"p_conversation_id": open_conversation(client, user), "p_role": "user", "p_content": "text"}
        arguments = valid | arguments
    error = refusal(client, function, arguments)
    assert error.code == code, error
    assert set(error.json()) == {"code", "details", "hint", "message"}
    assert error.message and message in (None, error.message)
    assert history(client, user) == []


def test_a_session_id_of_255_characters_is_accepted(server: Server) -> None:
    """The limit counts characters and not bytes."""
    assert is_uuid(open_conversation(backend_client(server), new_user(), "é" * 255))


def test_arguments_that_are_not_an_object_are_refused(server: Server) -> None:
    """A body of another kind is PGRST102."""
    assert refusal(backend_client(server), "get_conversation_history", []).code == "PGRST102"


def test_a_function_that_writes_cannot_be_called_with_get(server: Server) -> None:
    """A read-only call of a writing function is 25006."""
    error = refusal(backend_client(server), "get_or_create_pam_conversation", {"p_user_id": new_user()}, get=True)
    assert error.code == "25006"


def test_a_page_before_a_message_of_another_conversation_is_refused(server: Server) -> None:
    """`p_before` must be a message of the conversation whose history is asked: 22023 otherwise."""
    client, user = backend_client(server), new_user()
    store(client, open_conversation(client, user), "here")
    elsewhere = store(client, open_conversation(client, user, "phone"), "elsewhere")
    for before in (elsewhere, SOME_ID):
        assert refusal(client, "get_conversation_history", {"p_user_id": user, "p_before": before}).code == "22023"


def test_a_client_id_stores_one_message_however_often_it_is_sent(server: Server) -> None:
    """The same content returns the same id, other content is 23505, another conversation is another matter."""
    client, user = backend_client(server), new_user()
    conversation, other = open_conversation(client, user), open_conversation(client, user, "phone")
    ids = {store(client, conversation, "once", p_client_id="c-1") for _ in range(3)}
    assert len(ids) == 1
    changed = {"p_conversation_id": conversation, "p_role": "user", "p_content": "twice", "p_client_id": "c-1"}
    assert refusal(client, "store_pam_message", changed).code == "23505"
    assert store(client, other, "twice", p_client_id="c-1") not in ids
    assert [row["content"] for row in history(client, user, p_session_id=None)] == ["once"]


def test_a_write_to_a_table_is_refused_with_a_hint(server: Server) -> None:
    """Rows are made by the functions only, and the hint names the one to call."""
    row = {"conversation_id": SOME_ID, "role": "user", "content": "text"}
    with pytest.raises(PostgrestAPIError) as caught:
        backend_client(server).table("pam_messages").insert(row).execute()
    assert "store_pam_message" in str(caught.value.hint)


# Bad keys


def test_a_wrong_key_is_named_as_such(server: Server) -> None:
    """A key that the server never made is refused in the words of the former system's gateway."""
    error = refusal(create_client(server.url, "wrong-key"), "get_conversation_history", {"p_user_id": new_user()})
    assert error.message == "Invalid API key"
    assert set(error.json()) == {"code", "details", "hint", "message"}


def test_a_token_counts_by_its_signature_and_its_end(server: Server) -> None:
    """A token signed with the server's secret is good until it expires; a foreign signature never is."""
    user = new_user()
    now = int(time.time())
    claims = {"sub": user, "role": "authenticated", "exp": now + 600}
    assert history(user_client(server, signed_token(server.secret, claims)), user) == []

    expired = user_client(server, signed_token(server.secret, claims | {"exp": now - 3_600}))
    error = refusal(expired, "get_conversation_history", {"p_user_id": user})
    assert (error.code, error.message) == ("PGRST303", "JWT expired")
    forged = user_client(server, signed_token(b"another secret of at least 32 bytes", claims))
    assert refusal(forged, "get_conversation_history", {"p_user_id": user}).code == "PGRST301"


# Broken bodies


@pytest.mark.parametrize("rest", [
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
    b"Content-Length: 20\r\n\r\n{}"])
def test_a_body_that_is_framed_wrongly_or_ends_early_is_no_fault_of_the_servers(server: Server, rest: bytes) -> None:
    """The answer is 400 or the end of the connection, never a 5xx, and others are served on."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        head = f"POST /v1/conversations HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {server.service_key}\r\n"
        connection.sendall(head.encode() + rest)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(4096)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400"), answer
    with Native(server, server.service_key) as native:
        assert native.ask("GET", "/v1/conversations").status == 200
    assert b"request failed" not in server.stderr.read_bytes()
