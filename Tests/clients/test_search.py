"""Messages are found by their words at the native door, one's own only, and gone from the index when they are gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from harness import Answer, Native, Server, new_user, poll


@pytest.fixture
def native(server: Server) -> Iterator[Native]:
    """Yields a connection of a user of its own."""
    with Native(server, server.token(new_user())) as connection:
        yield connection


def said(native: Native, *contents: str, title: str | None = None) -> tuple[str, list[dict[str, Any]]]:
    """Returns a new conversation with these messages."""
    body = {} if title is None else {"title": title}
    conversation: str = native.ask("POST", "/v1/conversations", body).json["conversation"]["id"]
    messages = [{"role": "user", "content": content} for content in contents]
    return conversation, native.append(conversation, {"messages": messages}).json["messages"]


def search(native: Native, q: str, **more: str | int) -> Answer:
    """Searches."""
    return native.ask("GET", f"/v1/search?{urlencode({'q': q, **more})}")


def found(native: Native, q: str, **more: str | int) -> list[str]:
    """Returns the texts of one page of hits."""
    answer = search(native, q, **more)
    assert answer.status == 200, answer.json
    return [hit["message"]["content"] for hit in answer.json["data"]]


def test_a_hit_is_a_message_its_conversation_and_a_part_of_its_text(native: Native) -> None:
    conversation, messages = said(native, "one", "Ein schönes\nWochenende in Oslo", "three", title="Trips")
    answer = search(native, "SCHONES oslo")
    assert answer.json["has_more"] is False and answer.json["next_cursor"] is None
    [hit] = answer.json["data"]
    assert hit == {"message": messages[1], "snippet": "Ein schönes Wochenende in Oslo",
                   "conversation": {"id": conversation, "title": "Trips"}}
    around = native.page(conversation, around=hit["message"]["id"], limit=3)
    assert [message["content"] for message in around["data"]] == ["one", messages[1]["content"], "three"]


def test_pages_join_and_cursors_belong_to_their_search(native: Native) -> None:
    contents = [f"word number {number}" for number in range(45)]
    said(native, *contents)
    pages: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = search(native, "word", limit=20, **cursor).json
        pages.append([hit["message"]["content"] for hit in answer["data"]])
        if not answer["has_more"]:
            break
        cursor = {"cursor": answer["next_cursor"]}
    assert [len(page) for page in pages] == [20, 20, 5] and sum(pages, []) == contents[::-1]
    for q, more in (("number", {}), ("word", {"scope": "all"}), ("word", {"conversation_id": new_user()})):
        assert search(native, q, **more, **cursor).status == 400


@pytest.mark.parametrize("q", [
    '"', "'", '"oslo" OR "x"', "NEAR(oslo x, 5)", "oslo*)", "-oslo", "oslo -x", "words:oslo", "owner:x", "{a b}:oslo",
    "oslo AND NOT x", "^oslo", "oslo + x", "* *", "oslo\\", "oslo'; DROP TABLE pam_search; --", "%", "_", "oslo\n\tx", "\u202eoslo",
    "🎉", "東", "\U0001f1f3", "a\u0301", "\ufeff", "𝔬𝔰𝔩𝔬", "*" * 200, "(" * 200, " ".join("ab" * 1 for _ in range(60)),
])
def test_raw_query_syntax_cannot_break_out(server: Server, native: Native, q: str) -> None:
    said(native, "in oslo")
    with Native(server, server.token(new_user())) as other:
        said(other, "oslo x a b words owner and not or near 5 drop table pam search 東 🎉")
        assert set(found(native, q)) <= {"in oslo"}


def test_parameters_are_checked(native: Native) -> None:
    said(native, "word")
    for query in ("", "q=", "q=word&scope=none", "q=word&limit=0", "q=word&limit=201", "q=word&limit=x", "q=word&x=1",
                  "q=word&q=word", "q=word&cursor=abc", "q=word&conversation_id=x", f"q={'a' * 201}", "q=%00", "q=%FF"):
        answer = native.ask("GET", f"/v1/search?{query}")
        assert answer.status == 400 and answer.json["code"] == "invalid", query
    assert native.ask("POST", "/v1/search?q=word").status == 405
    assert native.ask("GET", "/v1/limits").json["search_characters"] == 200
    assert found(native, " ") == found(native, "?!") == [] and found(native, "+".join(["word"] * 40)) == ["word"]


def test_branches_edits_and_deletions(native: Native) -> None:
    conversation, messages = said(native, "root apple", "second apple")
    edit = native.ask("POST", f"/v1/conversations/{conversation}/branches",
                      {"edit_message": messages[1]["id"], "content": "edited apple"})
    assert edit.status == 201
    assert found(native, "apple") == ["edited apple", "root apple"]
    assert found(native, "apple", scope="all") == ["edited apple", "second apple", "root apple"]
    native.ask("PATCH", f"/v1/conversations/{conversation}", {"active_branch": 0})
    assert found(native, "apple") == ["second apple", "root apple"]
    assert native.ask("PATCH", f"/v1/messages/{messages[0]['id']}", {"content": "root pear"}).status == 200
    assert native.ask("DELETE", f"/v1/messages/{messages[1]['id']}").status == 200
    assert found(native, "apple") == [] and found(native, "pear") == ["root pear"]
    assert native.ask("DELETE", f"/v1/conversations/{conversation}/branches/1").status == 200
    assert found(native, "apple", scope="all") == []
    assert native.ask("DELETE", f"/v1/conversations/{conversation}").status == 200
    assert found(native, "pear", scope="all") == []


def test_whose_messages(server: Server, native: Native) -> None:
    marker = f"w{new_user().replace('-', '')}"
    mine, _ = said(native, f"{marker} mine")
    user = new_user()
    with Native(server, server.token(user)) as other, Native(server, server.service_key) as service:
        theirs, _ = said(other, f"{marker} theirs")
        assert found(native, marker) == [f"{marker} mine"] and found(other, marker) == [f"{marker} theirs"]
        assert search(native, marker, conversation_id=theirs).status == 404
        assert search(native, marker, user_id=user).status == 403
        assert found(service, marker, user_id=user) == [f"{marker} theirs"]
        assert found(service, marker, conversation_id=mine) == [f"{marker} mine"]
        assert search(service, marker, user_id=user, conversation_id=mine).status == 404
        assert found(service, marker) == [f"{marker} theirs", f"{marker} mine"]
        assert found(service, f"{marker[:20]}*") == [f"{marker} theirs", f"{marker} mine"]
    with Native(server, server.anon_key) as anybody:
        assert search(anybody, marker).status == 403
    with Native(server, "nonsense") as nobody:
        assert search(nobody, marker).status == 401


def test_an_answer_is_found_and_the_model_finds_what_its_user_said(server: Server, native: Native) -> None:
    conversation, _ = said(native, "The zebra is called Otto", title="Names")
    turn = native.ask("POST", f"/v1/conversations/{conversation}/turns", {"content": "giraffe"})
    assert found(native, "said giraffe") == [turn.json["reply"]["content"]]
    with Native(server, server.token(new_user())) as other:
        said(other, "The zebra of somebody else")
    tool = native.ask("POST", f"/v1/conversations/{conversation}/turns",
                      {"content": '/tool search_messages {"words":"zebra"}'}).json["reply"]
    [use] = tool["metadata"]["tools"]
    assert use["name"] == "search_messages"
    assert use["result"].endswith('user, in "Names": The zebra is called Otto') and "somebody" not in use["result"]


def test_an_older_database_is_indexed_at_the_start(own_server: Server) -> None:
    with Native(own_server, own_server.token(user := new_user())) as native:
        conversation, _ = said(native, *(f"earlier message {number}" for number in range(100)))
        for _ in range(14):
            native.append_all(conversation, [f"earlier message x{number}" for number in range(100)])
    own_server.stop()
    with sqlite3.connect(own_server.store) as file:
        file.executescript("DROP TABLE pam_search_words; DROP TABLE pam_search; DROP TABLE pam_search_state; "
                           "PRAGMA user_version = 4")
    file.close()
    own_server.restart()
    with Native(own_server, own_server.token(user)) as native:
        assert found(native, "earlier 42") == ["earlier message 42"]
        assert len(found(native, "earl*", limit=200)) == 200
    assert own_server.check()[0] == 0


def test_a_damaged_index_is_named_and_written_anew(own_server: Server) -> None:
    """No message depends on the index: the operator is told which command writes it from them."""
    with Native(own_server, own_server.token(user := new_user())) as native:
        said(native, "first", "second", "third")
    refused = own_server.run("migrate", "--rebuild-search")
    assert refused.returncode == 75, "while the server has the store"
    own_server.stop()
    with sqlite3.connect(own_server.store) as file:
        file.execute("INSERT INTO pam_search (pam_search) VALUES ('delete-all')")
    file.close()
    check = own_server.run("check")
    assert check.returncode == 1 and check.stdout.count("is not in the search index") == 3
    assert "parley migrate --rebuild-search" in check.stderr
    rebuilt = own_server.run("migrate", "--rebuild-search")
    assert rebuilt.returncode == 0 and "written anew" in rebuilt.stdout
    check = own_server.run("check")
    assert check.returncode == 0 and "rebuild" not in check.stderr
    own_server.restart()
    with Native(own_server, own_server.token(user)) as native:
        assert found(native, "second") == ["second"]


def test_deleted_words_leave_the_file(own_server: Server) -> None:
    """The purge comes by itself while nobody writes; the log is emptied at the end of the server."""
    secret = "xyzzyplugh"
    with Native(own_server, own_server.token(new_user())) as native:
        _, messages = said(native, "first", f"the word is {secret}", "last")
        native.ask("DELETE", f"/v1/messages/{messages[1]['id']}")

    def purged() -> bool:
        with sqlite3.connect(f"{own_server.store.as_uri()}?mode=ro", uri=True) as file:
            return file.execute("SELECT purge FROM pam_search_state").fetchone() == (0,)

    poll(purged, 20, "the purge of the search index")
    own_server.stop()
    for path in Path(own_server.store).parent.iterdir():
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    assert own_server.check()[0] == 0


def test_a_search_while_the_store_is_down_says_so(own_server: Server) -> None:
    with Native(own_server, own_server.token(new_user())) as native:
        conversation, _ = said(native, "before")
        with own_server.without_store():
            poll(lambda: native.append(conversation, {"role": "user", "content": "spooled"}).status == 202, 10, "the outage")
            answer = search(native, "before")
            assert answer.status in (200, 503)
            if answer.status == 503:
                assert answer.json["code"] == "unavailable" and answer.headers["retry-after"]
        poll(lambda: found(native, "spooled") != [], 20, "the end of the outage")
