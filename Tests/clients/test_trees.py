"""Conversations are trees at the native door, and one path for the programs of the former system."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness import Answer, Native, Server, history, in_threads, new_user, user_client


@pytest.fixture
def native(server: Server) -> Iterator[Native]:
    """Yields a connection of a user of its own."""
    with Native(server, server.token(new_user())) as connection:
        yield connection


def opened(native: Native, *contents: str) -> tuple[str, list[dict[str, Any]]]:
    """Returns a new conversation with these messages, roles taking turns."""
    conversation: str = native.ask("POST", "/v1/conversations", {}).json["conversation"]["id"]
    messages = [{"role": "user" if index % 2 == 0 else "assistant", "content": content}
                for index, content in enumerate(contents)]
    stored = native.append(conversation, {"messages": messages}).json["messages"] if messages else []
    return conversation, stored


def contents(native: Native, conversation: str, **query: str | int) -> list[str]:
    """Returns what one page says."""
    return [message["content"] for message in native.page(conversation, **query)["data"]]


def edit(native: Native, conversation: str, message: str, content: str, **more: Any) -> Answer:
    """Puts another text in a message's place, as a branch."""
    body = {"edit_message": message, "content": content, **more}
    return native.ask("POST", f"/v1/conversations/{conversation}/branches", body)


# Edits


def test_an_edit_in_place_keeps_the_earlier_text(native: Native) -> None:
    """The revision counts up, `If-Match` guards it, and the earlier texts come newest first."""
    _, [message] = opened(native, "first")
    path = f"/v1/messages/{message['id']}"
    second = native.ask("PATCH", path, {"content": "second", "metadata": {"n": 2}}, {"If-Match": '"1"'})
    assert second.status == 200 and second.headers["etag"] == '"2"'
    assert second.json["message"]["revision"] == 2 and second.json["message"]["edited_at"]
    assert second.json["version"] == 3 and second.json["durability"] == "stored"
    assert native.ask("PATCH", path, {"content": "late"}, {"If-Match": "1"}).status == 412
    assert native.ask("PATCH", path, {"content": "third"}).status == 200
    page = native.ask("GET", f"{path}/revisions?limit=1").json
    assert [(row["revision"], row["content"], row["metadata"]) for row in page["data"]] == [(2, "second", {"n": 2})]
    rest = native.ask("GET", f"{path}/revisions?cursor={page['next_cursor']}").json
    assert [(row["revision"], row["content"]) for row in rest["data"]] == [(1, "first")] and not rest["has_more"]
    for body in ({}, {"content": None}, {"content": "x", "role": "user"}):
        assert native.ask("PATCH", path, body).status == 400


def test_a_deleted_message_keeps_its_place_and_nothing_else(native: Native) -> None:
    """It can be a parent and an anchor, but not be edited; its client id stays used."""
    conversation, _ = opened(native)
    message = native.append(conversation, {"role": "user", "content": "secret", "client_id": "c"}).json["message"]
    path = f"/v1/messages/{message['id']}"
    native.ask("PATCH", path, {"content": "secret too"})
    deleted = native.ask("DELETE", path)
    assert deleted.status == 200 and deleted.json["message"]["status"] == "deleted"
    assert (deleted.json["message"]["content"], deleted.json["message"]["position"]) == ("", 1)
    assert native.ask("GET", f"{path}/revisions").json["data"] == []
    assert native.ask("PATCH", path, {"content": "again"}).status == 410
    assert edit(native, conversation, message["id"], "again").status == 410
    again = native.append(conversation, {"role": "user", "content": "secret", "client_id": "c"})
    assert (again.status, again.json["code"]) == (410, "gone")
    assert native.append(conversation, {"role": "user", "content": "on", "parent": message["id"]}).status == 201
    assert native.ask("GET", f"/v1/conversations/{conversation}").json["message_count"] == 1


# Branches


def test_an_edit_as_a_branch_loses_nothing(native: Native) -> None:
    """Both texts stay, each with what followed it, and each shows where the other is."""
    conversation, [_, second, _] = opened(native, "a", "b", "c")
    made = edit(native, conversation, second["id"], "B", client_id="e1", title="try")
    assert made.status == 201
    branch, message = made.json["branch"], made.json["message"]
    assert (branch["number"], branch["parent"], branch["fork_position"], branch["head_position"]) == (1, 0, 1, 2)
    assert (branch["origin"], branch["title"], branch["active"]) == ("edit", "try", True)
    assert (message["role"], message["position"], message["branch"]) == ("assistant", 2, 1)
    assert contents(native, conversation) == ["a", "B"]
    assert contents(native, conversation, branch=0) == ["a", "b", "c"]
    assert native.page(conversation, branch=0)["forks"] == [{"position": 2, "branches": [1]}]
    siblings = native.ask("GET", f"/v1/messages/{second['id']}").json["siblings"]
    assert siblings == [{"id": second["id"], "branch": 0}, {"id": message["id"], "branch": 1}]
    replay = edit(native, conversation, second["id"], "B", client_id="e1")
    assert replay.status == 200 and replay.json["replayed"] and replay.json["message"]["id"] == message["id"]
    assert edit(native, conversation, second["id"], "other", client_id="e1").status == 409


def test_switching_titling_and_deleting_branches(native: Native) -> None:
    """The active branch is what is shown by default; a deleted one leaves its parent in its place."""
    conversation, [first, _] = opened(native, "a", "b")
    path = f"/v1/conversations/{conversation}"
    fork = native.ask("POST", f"{path}/branches", {"from_message": first["id"], "activate": False})
    assert fork.status == 201 and "message" not in fork.json and not fork.json["branch"]["active"]
    assert native.append(conversation, {"role": "assistant", "content": "B", "branch": 1}).status == 201
    assert contents(native, conversation) == ["a", "b"]
    switched = native.ask("PATCH", path, {"active_branch": 1})
    assert switched.json["conversation"]["active_branch"] == 1 and contents(native, conversation) == ["a", "B"]
    assert native.ask("PATCH", f"{path}/branches/1", {"title": "other"}).json["branch"]["title"] == "other"
    assert [branch["number"] for branch in native.ask("GET", f"{path}/branches").json["data"]] == [0, 1]
    child = native.ask("POST", f"{path}/branches", {"from_message": native.page(conversation)["data"][1]["id"]})
    assert child.json["branch"]["parent"] == 1
    assert native.ask("DELETE", f"{path}/branches/1").status == 409
    assert native.ask("DELETE", f"{path}/branches/0").status == 409
    assert native.ask("DELETE", f"{path}/branches/2").json["branch"]["deleted"]
    lost = native.page(conversation, branch=1)["data"][1]["id"]
    assert native.ask("DELETE", f"{path}/branches/1").status == 200
    assert contents(native, conversation) == ["a", "b"]
    assert native.ask("GET", f"{path}/messages?branch=1").status == 404
    assert native.ask("GET", f"/v1/messages/{lost}").status == 410
    assert native.ask("PATCH", f"{path}/branches/1", {"title": "x"}).status == 404
    assert edit(native, conversation, first["id"], "A").json["branch"]["number"] == 3


@pytest.mark.parametrize("body", [
    {}, {"from_message": None, "edit_message": None}, {"edit_message": None, "content": "x"}, {"edit_message": "x"},
    {"from_message": None, "content": "x"}, {"from_message": None, "client_id": "x"}, {"from_message": 7},
    {"from_message": None, "title": ""}, {"from_message": None, "activate": 1}])
def test_a_branch_that_makes_no_sense_is_refused(native: Native, body: dict[str, Any]) -> None:
    """With 400, and nothing is made."""
    conversation, _ = opened(native, "a")
    answer = native.ask("POST", f"/v1/conversations/{conversation}/branches", body)
    assert answer.status == 400, answer
    assert native.ask("GET", f"/v1/conversations/{conversation}").json["branch_count"] == 1


# Conflicts


def test_two_clients_that_append_after_the_same_message_end_up_on_two_branches(server: Server) -> None:
    """Both are stored, both are told where they are, and whoever was second is not shown by default."""
    token = server.token(new_user())
    with Native(server, token) as native:
        conversation, [_, last] = opened(native, "a", "b")

    def append(number: int) -> Answer:
        with Native(server, token) as client:
            return client.append(conversation, {"role": "user", "content": f"from {number}", "parent": last["id"],
                                                "client_id": f"client-{number}"})

    answers = in_threads(2, append)
    assert [answer.status for answer in answers] == [201, 201]
    winner, loser = sorted(answers, key=lambda answer: answer.json["message"]["branch"])
    assert "branch" not in winner.json and winner.json["message"]["branch"] == 0
    assert loser.json["branch"]["origin"] == "conflict" and loser.json["branch"]["number"] == 1
    assert (loser.json["branch"]["fork_position"], loser.json["branch"]["active"]) == (2, False)
    with Native(server, token) as native:
        assert contents(native, conversation) == ["a", "b", winner.json["message"]["content"]]
        assert contents(native, conversation, branch=1) == ["a", "b", loser.json["message"]["content"]]
        again = append(int(loser.json["message"]["content"][-1]))
        assert again.status == 200 and again.json["branch"]["number"] == 1
        rejected = native.append(conversation, {"role": "user", "content": "x", "parent": last["id"],
                                                "on_conflict": "reject"})
        assert (rejected.status, rejected.json["code"]) == (409, "conflict")
        assert native.ask("GET", f"/v1/conversations/{conversation}").json["branch_count"] == 2


# Changes


def test_changes_lead_from_any_version_to_now(native: Native) -> None:
    """In whole versions, each row once and as it is now; what was deleted says so."""
    conversation, [first, second] = opened(native, "a", "b")
    edit(native, conversation, second["id"], "B")
    native.ask("PATCH", f"/v1/messages/{first['id']}", {"content": "A"})
    native.ask("DELETE", f"/v1/messages/{second['id']}")
    path = f"/v1/conversations/{conversation}/changes"
    rows, since = [], 0
    while True:
        page = native.ask("GET", f"{path}?since={since}&limit=2").json
        rows += page["data"]
        assert page["version"] > since and all(since < row["version"] <= page["version"] for row in page["data"])
        since = page["version"]
        if not page["has_more"]:
            break
    assert [row["version"] for row in rows] == sorted(row["version"] for row in rows)
    said = {row["row"]["id"]: row["row"]["content"] for row in rows if row["kind"] == "message"}
    assert sorted(said.values()) == ["", "A", "B"]
    assert rows[-1]["kind"] == "conversation" and rows[-1]["row"]["version"] == since == 5
    assert native.ask("GET", f"{path}?since=5").json == {"data": [], "version": 5, "has_more": False}
    assert native.ask("GET", f"{path}?since=6").status == 400


# The former programs


def test_the_programs_of_the_former_system_see_the_active_path_only(server: Server) -> None:
    """Their functions and tables show no other branch, nothing deleted and no tool results."""
    user = new_user()
    token = server.token(user)
    client = user_client(server, token)
    with Native(server, token) as native:
        conversation = native.ask("POST", "/v1/conversations", {"session_id": None}).json["conversation"]["id"]
        messages = native.append_all(conversation, ["a", "b", "c", "d"])
        edit(native, conversation, messages[2]["id"], "C")
        native.append(conversation, {"role": "tool", "content": "tool"})
        native.append(conversation, {"role": "user", "content": "D"})
        native.append(conversation, {"role": "user", "content": "hidden", "branch": 0})
        native.ask("DELETE", f"/v1/messages/{messages[0]['id']}")
        native.ask("PATCH", f"/v1/messages/{messages[1]['id']}", {"content": "b again"})
    seen = ["D", "C", "b again"]
    assert [row["content"] for row in history(client, user, p_limit=20)] == seen
    rows = client.table("pam_messages").select("content").eq("conversation_id", conversation)
    assert [row["content"] for row in rows.order("created_at", desc=True).execute().data] == seen
