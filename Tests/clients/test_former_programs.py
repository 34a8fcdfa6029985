"""How programs of the former system find their way about in long and in several conversations."""

from __future__ import annotations

from typing import Any

import pytest

from harness import Native, Server, appending, backend_client, history, new_user, open_conversation, store


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
