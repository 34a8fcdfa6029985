"""What was erased is in no file any more when the server says so: the bytes of every file are looked at."""

from __future__ import annotations

import http.client
import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from harness import Native, Server, new_user, poll
from test_outages import wait_until_stored

DONE_SECONDS = 60.0

SECRETS = {
    "title": "Quasimodotitle", "session": "quasimodosession", "context": "quasimodocontext", "content": "Quasimodocontent",
    "earlier": "Quasimodoearlier", "metadata": "quasimodometadata", "intent": "quasimodointent",
    "entity": "quasimodoentity", "client id": "quasimodoclient", "branch": "Quasimodobranch", "deleted": "Quasimododeleted",
    "chinese": "卡西莫多",
}


def found_in(directory: Path, words: list[str]) -> set[tuple[str, str]]:
    """Returns which words stand in the bytes of which files, as they are and in small letters."""
    found = set()
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found |= {(word, path.name) for word in words
                      if word.encode() in data or word.lower().encode() in data or word.encode("utf-16-le") in data}
    return found


def fill(native: Native, rounds: int = 3) -> str:
    """Makes a conversation that says every secret in every place, and returns its id."""
    opened = native.ask("POST", "/v1/conversations", {
        "session_id": SECRETS["session"], "title": SECRETS["title"], "context": {"word": SECRETS["context"]}})
    conversation: str = opened.json["conversation"]["id"]
    for number in range(rounds):
        sent = native.append(conversation, {
            "role": "user", "content": f"{SECRETS['earlier']} {number} {SECRETS['chinese']}", "intent": SECRETS["intent"],
            "metadata": {"word": SECRETS["metadata"]}, "entities": {"word": SECRETS["entity"]},
            "client_id": f"{SECRETS['client id']}-{number}"})
        message = sent.json["message"]["id"]
        native.ask("PATCH", f"/v1/messages/{message}", {"content": f"{SECRETS['content']} {number} " + "and more " * 300})
        native.ask("POST", f"/v1/conversations/{conversation}/branches", {
            "edit_message": message, "content": f"{SECRETS['branch']} {number}", "title": SECRETS["branch"]})
        gone = native.append(conversation, {"role": "assistant", "content": f"{SECRETS['deleted']} {number}"})
        native.ask("DELETE", f"/v1/messages/{gone.json['message']['id']}")
    return conversation


def erase(native: Native, path: str) -> dict[str, Any]:
    """Asks for an erasure until it is complete; returns the first answer."""
    first = native.ask("DELETE", path)
    assert first.status == 200, first
    answers = [first]

    def is_complete() -> bool:
        if answers[-1].status == 404 or answers[-1].json["state"] == "complete":
            return True
        answers.append(native.ask("DELETE", path))
        return False

    poll(is_complete, DONE_SECONDS, "a complete erasure")
    receipt: dict[str, Any] = first.json
    return receipt


def test_an_erased_conversation_is_in_no_file(own_server: Server) -> None:
    user, words = new_user(), list(SECRETS.values())
    with Native(own_server, own_server.token(user)) as native, Native(
            own_server, own_server.token(new_user())) as other:
        kept = other.ask("POST", "/v1/conversations", {"session_id": "kept"}).json["conversation"]["id"]
        other.append_all(kept, ["Esmeralda stays"] * 50)
        conversation = fill(native)
        # The control: it is there, in the tables and in the index.
        assert {word for word, _ in found_in(own_server.directory, words)} == set(words)
        receipt = erase(native, f"/v1/conversations/{conversation}")
        assert receipt["counts"]["conversations"] == 1 and receipt["counts"]["messages"] > 6
        assert found_in(own_server.directory, words) == set()
        records = [json.loads(line) for line in own_server.stderr.read_text().splitlines()]
        told = next(record for record in records if record.get("conversation") == conversation)
        assert (told["message"], told["by"]) == ("erased", f"user {user}")
        assert told["messages"] == str(receipt["counts"]["messages"])
        assert native.ask("DELETE", f"/v1/conversations/{conversation}").status == 404
        assert [message["content"] for message in other.messages(kept)] == ["Esmeralda stays"] * 50
    assert own_server.check()[0] == 0


def test_rows_that_are_only_deleted_are_still_found(own_server: Server, tmp_path: Path) -> None:
    """The control of the look into the files: deleting rows is not erasing."""
    with Native(own_server, own_server.token(new_user())) as native:
        fill(native)
    own_server.stop()
    with closing(sqlite3.connect(own_server.data / "parley.sqlite")) as database:
        database.execute("PRAGMA secure_delete = OFF")
        for table in ("pam_messages", "pam_revisions", "pam_branches", "pam_conversations"):
            database.execute(f"DELETE FROM {table}")
        database.commit()
    assert found_in(own_server.data, list(SECRETS.values())) != set()


def test_an_erased_user_is_in_no_file_and_begins_anew(own_server: Server) -> None:
    user, words = new_user(), list(SECRETS.values())
    with Native(own_server, own_server.token(user)) as native:
        fill(native)
        for number in range(20):
            opened = native.ask("POST", "/v1/conversations", {"session_id": f"{SECRETS['session']} {number}"})
            native.append_all(opened.json["conversation"]["id"], [f"{SECRETS['content']} {number}"] * 30)
        with Native(own_server, own_server.token(new_user())) as stranger:
            assert stranger.ask("DELETE", f"/v1/users/{user}").status == 403
        with Native(own_server, own_server.service_key) as operator:
            receipt = erase(operator, f"/v1/users/{user}")
        assert receipt["counts"]["conversations"] == 21 and receipt["counts"]["messages"] > 600
        assert found_in(own_server.directory, words) == set()
        assert native.ask("GET", "/v1/conversations").json["data"] == []
        again = native.ask("DELETE", f"/v1/users/{user}").json
        assert again == {"state": "complete", "counts": {"conversations": 0, "branches": 0, "messages": 0, "revisions": 0}}
        assert native.ask("POST", "/v1/conversations", {"session_id": SECRETS["session"]}).status == 201
    assert own_server.check()[0] == 0


def test_what_was_spooled_leaves_the_spool_too(own_server: Server) -> None:
    words = list(SECRETS.values())
    with Native(own_server, own_server.token(new_user())) as native:
        conversation = fill(native)
        with own_server.without_store():
            sent = native.append(conversation, {"role": "user", "content": f"{SECRETS['content']} in the spool"})
            assert sent.status == 202
            assert (SECRETS["content"], "spool.sqlite-wal") in found_in(own_server.data, words)
            assert native.ask("DELETE", f"/v1/conversations/{conversation}").status == 503
        wait_until_stored(own_server)
        erase(native, f"/v1/conversations/{conversation}")
        assert found_in(own_server.directory, words) == set()
    assert own_server.check()[0] == 0


def test_others_write_and_read_while_a_user_is_erased(own_server: Server) -> None:
    user, words = new_user(), list(SECRETS.values())
    stop, said = threading.Event(), [0, 0]

    def keep_talking(number: int) -> None:
        with Native(own_server, own_server.token(new_user())) as native:
            opened = native.ask("POST", "/v1/conversations", {"session_id": "busy"})
            conversation = opened.json["conversation"]["id"]
            while not stop.is_set():
                assert native.append(conversation, {"role": "user", "content": "Esmeralda speaks"}).status == 201
                said[number] += 1
                if said[number] % 10 == 0:
                    native.ask("GET", f"/v1/conversations/{conversation}/messages?limit=200")
            assert len(native.messages(conversation)) == said[number]

    with Native(own_server, own_server.token(user)) as native:
        fill(native)
        for number in range(4):
            opened = native.ask("POST", "/v1/conversations", {"session_id": f"{SECRETS['session']} {number}"})
            for _ in range(6):
                native.append_all(opened.json["conversation"]["id"], [f"{SECRETS['content']} {number}"] * 100)
        threads = [threading.Thread(target=keep_talking, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        try:
            poll(lambda: min(said) > 20, DONE_SECONDS, "two writers at work")
            before = sum(said)
            erase(native, f"/v1/users/{user}")
            found = found_in(own_server.directory, words)
            assert sum(said) > before
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert found == set()
    assert own_server.check()[0] == 0


def test_an_erasure_that_a_kill_cut_off_is_finished_by_the_next_start(own_server: Server) -> None:
    user, words = new_user(), list(SECRETS.values())
    with Native(own_server, own_server.token(user)) as native:
        fill(native)
        opened = native.ask("POST", "/v1/conversations", {"session_id": f"{SECRETS['session']} more"})
        for _ in range(40):
            native.append_all(opened.json["conversation"]["id"], [f"{SECRETS['content']} {SECRETS['chinese']}"] * 100)
    asked = threading.Thread(target=ask_and_be_cut_off, args=(own_server, user))
    asked.start()

    def has_begun() -> bool:
        with Native(own_server, own_server.token(user)) as native:
            return not native.ask("GET", "/v1/conversations").json["data"]

    poll(has_begun, DONE_SECONDS, "hidden conversations")
    own_server.kill9()
    asked.join()
    assert found_in(own_server.data, words) != set(), "the kill came too late to cut anything off"
    own_server.restart()
    with Native(own_server, own_server.token(user)) as native:
        assert native.ask("GET", "/v1/conversations").json["data"] == []
        erase(native, f"/v1/users/{user}")
    assert found_in(own_server.directory, words) == set()
    assert own_server.check()[0] == 0


def ask_and_be_cut_off(server: Server, user: str) -> None:
    """Asks for an erasure whose answer may never come."""
    try:
        with Native(server, server.token(user)) as native:
            native.ask("DELETE", f"/v1/users/{user}")
    except (OSError, http.client.HTTPException):
        pass
