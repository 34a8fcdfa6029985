"""`parley check` finds damage done to the store behind the server's back."""

from __future__ import annotations

import re
import sqlite3
import uuid
from contextlib import closing

import pytest

from harness import Native, Server, backend_client, new_user, open_conversation

MESSAGES = 60
DAMAGED = 37
MOVED_TO = 1_037

DAMAGE = {
    "a deleted message": (
        "DELETE FROM pam_messages WHERE conversation_id = :conversation AND position = :position", (DAMAGED,)),
    "a changed content": (
        "UPDATE pam_messages SET content = content || 'x' WHERE conversation_id = :conversation "
        "AND position = :position", (DAMAGED,)),
    "a changed position": (
        "UPDATE pam_messages SET position = position + 1000 WHERE conversation_id = :conversation "
        "AND position = :position", (DAMAGED, MOVED_TO)),
    "a wrong head": (
        "UPDATE pam_branches SET head_position = head_position + 1 WHERE conversation_id = :conversation "
        "AND :position = :position", (MESSAGES, MESSAGES + 1)),
}


@pytest.mark.parametrize(("statement", "positions"), DAMAGE.values(), ids=DAMAGE.keys())
def test_check_finds_damage_and_names_its_place(
    own_server: Server, statement: str, positions: tuple[int, ...]
) -> None:
    """The exit code is 0 before the damage and 1 after it, and the finding names the conversation and the place."""
    client, user = backend_client(own_server), new_user()
    damaged, sound = (open_conversation(client, user, session) for session in ("damaged", "sound"))
    with Native(own_server, own_server.service_key) as native:
        for conversation in (damaged, sound):
            native.append_all(conversation, [f"message {number}" for number in range(1, MESSAGES + 1)])
    code, findings = own_server.check()
    assert code == 0, f"beside the running server: {findings}"
    own_server.stop()
    code, findings = own_server.check()
    assert code == 0, f"before the damage: {findings}"

    with closing(sqlite3.connect(own_server.store)) as database, database:
        place = {"conversation": uuid.UUID(damaged).bytes, "position": DAMAGED}
        assert database.execute(statement, place).rowcount == 1
    code, findings = own_server.check()
    assert code == 1, findings
    assert damaged in findings and sound not in findings
    assert any(re.search(rf"(?<![\w-]){position}(?![\w-])", findings) for position in positions), findings
