"""Nothing acknowledged is lost, doubled or reordered, however the server ends."""

from __future__ import annotations

import random
import sqlite3
import time
import uuid
from contextlib import closing
from functools import partial
from typing import Any

from harness import Native, Server, backend_client, history, new_user, open_conversation, store, user_client
from ledger import Ledger, Writer, judge, native_door, official_client, send_again, writing

KILLS = 10


def eight_writers(server: Server) -> list[Writer]:
    """Returns writers of both doors with both kinds of key, spread over two conversations of a new user."""
    user = new_user()
    token, backend = server.token(user), backend_client(server)
    conversations = [open_conversation(backend, user, session) for session in ("phone", "web")]
    connects = [partial(native_door, server, key) for key in (token, server.service_key) for _ in range(3)]
    connects += [partial(official_client, client) for client in (backend, user_client(server, token))]
    return [Writer(conversations[number % 2], connect) for number, connect in enumerate(connects)]


def stored_messages(server: Server, writers: list[Writer]) -> dict[str, list[dict[str, Any]]]:
    """Returns every message of the writers' conversations, read page by page through the native door."""
    with Native(server, server.service_key) as native:
        return {conversation: native.messages(conversation)
                for conversation in sorted({writer.conversation for writer in writers})}


def assert_nothing_wrong(server: Server, ledger: Ledger, writers: list[Writer], when: str) -> None:
    """Asserts that the ledger, the pages and the server's own check agree."""
    verdict = judge(ledger, stored_messages(server, writers))
    assert not verdict.faults, f"{when}: {verdict}"
    code, findings = server.check()
    assert code == 0, f"{when}: {findings}"


def test_a_returning_user_finds_everything_after_kill_9(own_server: Server) -> None:
    """Sessions, messages, keys and tokens are the same after a crash as before it."""
    user, other = new_user(), new_user()
    token = own_server.token(user)
    keys = (own_server.service_key, own_server.anon_key, own_server.secret)
    sessions = [None, "phone", "web"]

    def everything() -> dict[str | None, Any]:
        client = user_client(own_server, token)
        return {session: (open_conversation(client, user, session), history(client, user, p_session_id=session))
                for session in sessions}

    client = user_client(own_server, token)
    for session in sessions:
        conversation = open_conversation(client, user, session)
        for number in range(10):
            store(client, conversation, f"{session} {number}", ("user", "assistant")[number % 2])
    before = everything()
    assert [len(rows) for _, rows in before.values()] == [10, 10, 10]

    own_server.kill9()
    own_server.restart()
    assert everything() == before
    assert keys == (own_server.service_key, own_server.anon_key, own_server.secret)
    assert history(user_client(own_server, own_server.token(other)), other) == []


def test_ten_kills_under_load_lose_double_and_reorder_nothing(own_server: Server) -> None:
    """After each kill every acknowledged message is there once, and what was unanswered can be sent again."""
    ledger, writers = Ledger(), eight_writers(own_server)
    for kill in range(1, KILLS + 1):
        seconds = random.uniform(0.3, 1.2)
        when = f"kill {kill}, {seconds:.3f} s into the load"
        with writing(ledger, writers):
            time.sleep(seconds)
            own_server.kill9()
        assert ledger.unresolved, f"{when}: no writer was interrupted"

        own_server.restart()
        stored = stored_messages(own_server, writers)
        verdict = judge(ledger, stored)
        assert not verdict.faults, f"{when}, before sending again: {verdict}"
        send_again(ledger, writers, stored)
        assert ledger.unresolved == []
        assert_nothing_wrong(own_server, ledger, writers, when)
    own_server.stop()
    code, findings = own_server.check()
    assert code == 0, findings


def test_sigterm_under_load_ends_in_time_and_loses_nothing(own_server: Server) -> None:
    """The server ends within 10 s and with exit code 0 while eight writers go on, and keeps what it acknowledged."""
    ledger, writers = Ledger(), eight_writers(own_server)
    with writing(ledger, writers):
        own_server.stop()
    assert ledger.unresolved, "no writer was interrupted"

    own_server.restart()
    stored = stored_messages(own_server, writers)
    verdict = judge(ledger, stored)
    assert not verdict.faults, f"before sending again: {verdict}"
    send_again(ledger, writers, stored)
    assert_nothing_wrong(own_server, ledger, writers, "after SIGTERM")


# Controls: the checker must see what it is there to see.


def test_control_the_checker_sees_a_row_deleted_by_hand_as_lost(own_server: Server) -> None:
    """A message taken out of the stopped store is counted as lost, that one and no other."""
    ledger, writers = Ledger(), eight_writers(own_server)
    with writing(ledger, writers):
        pass
    own_server.stop()
    victim, message_id = next(iter(ledger.acknowledged.items()))
    with closing(sqlite3.connect(own_server.store)) as database, database:
        deleted = database.execute("DELETE FROM pam_messages WHERE id = ?", (uuid.UUID(message_id).bytes,))
        assert deleted.rowcount == 1
    own_server.restart()
    verdict = judge(ledger, stored_messages(own_server, writers))
    assert verdict.lost == [victim.client_id]
    assert set(verdict.faults) == {"lost", "holes"}


def test_control_the_checker_sees_doubled_reordered_and_strange_rows() -> None:
    """Rows that repeat, swap or invent messages are counted as what they are."""
    ledger = Ledger()
    rows = []
    for place in range(1, 6):
        entry = ledger.draw(0, "c")
        ledger.acknowledge(entry, f"id {place}")
        rows.append({"id": f"id {place}", "client_id": entry.client_id, "content": entry.content, "position": place})
    assert judge(ledger, {"c": rows}).faults == {}

    again = rows[1] | {"id": "another", "position": 6}
    assert judge(ledger, {"c": [*rows, again]}).doubled == ["writer-0-2"]
    swapped = [rows[0], rows[2] | {"position": 2}, rows[1] | {"position": 3}, *rows[3:]]
    assert judge(ledger, {"c": swapped}).faults == {"reordered": ["writer-0-2"]}
    stranger = {"id": "stranger", "client_id": None, "content": "who?", "position": 6}
    assert judge(ledger, {"c": [*rows, stranger]}).faults == {"never_sent": ["stranger"]}
    changed = [*rows[:4], rows[4] | {"content": "changed"}]
    assert judge(ledger, {"c": changed}).lost == ["writer-0-5"]
