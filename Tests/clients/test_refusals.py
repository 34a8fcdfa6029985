"""What is refused, and that a refusal tells nobody anything about other users."""

from __future__ import annotations

import socket

import pytest
from supabase import PostgrestAPIError

from harness import Native, Server, backend_client, call, new_user, open_conversation, user_client


# Others' conversations


@pytest.mark.parametrize("function", ["get_conversation_history", "get_or_create_pam_conversation"])
def test_a_user_cannot_name_another_user(server: Server, function: str) -> None:
    """Another's `p_user_id` is refused with 42501, whether that user exists or not."""
    alice, mallory = new_user(), new_user()
    open_conversation(backend_client(server), alice)
    client = user_client(server, server.token(mallory))

    def refusal(user: str) -> PostgrestAPIError:
        with pytest.raises(PostgrestAPIError) as caught:
            call(client, function, {"p_user_id": user})
        return caught.value

    existing = refusal(alice)
    assert existing.code == "42501"
    assert refusal(new_user()).json() == existing.json()


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
