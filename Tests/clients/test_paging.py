"""A long conversation can be read from end to end while it goes on."""

from __future__ import annotations

from typing import Any

from harness import (
    PAGE_LIMIT, Native, Server, appending, backend_client, in_threads, new_user, open_conversation,
)

MESSAGES = 100_000
SEEDERS = 4


def seed(server: Server, conversation: str) -> dict[int, tuple[str, str]]:
    """Appends 100,000 messages from several connections and returns id and content by position."""
    share = MESSAGES // SEEDERS

    def append_share(seeder: int) -> list[dict[str, Any]]:
        with Native(server, server.service_key) as native:
            return native.append_all(
                conversation, [f"message {number:06}" for number in range(seeder * share, (seeder + 1) * share)])

    return {message["position"]: (message["id"], message["content"])
            for messages in in_threads(SEEDERS, append_share) for message in messages}


def first_misplaced(messages: list[dict[str, Any]], first: int) -> tuple[int, int] | None:
    """Returns the first place, counted from `first`, whose message has another position, with that position."""
    return next(((place, message["position"]) for place, message in enumerate(messages, first)
                 if message["position"] != place), None)


def test_100_000_messages_page_back_and_forth_each_exactly_once_while_others_append(own_server: Server) -> None:
    """Backwards by `before` and forwards by `after` the pages join without a gap or an overlap."""
    user = new_user()
    conversation = open_conversation(backend_client(own_server), user)
    seeded = seed(own_server, conversation)
    assert (len(seeded), min(seeded), max(seeded)) == (MESSAGES, 1, MESSAGES)
    assert len({content for _, content in seeded.values()}) == MESSAGES

    with (appending(own_server, own_server.token(user), conversation) as meanwhile,
          Native(own_server, own_server.service_key) as native):
        back = list(native.pages_back(conversation, PAGE_LIMIT))
        appended = len(meanwhile)
        forth = list(native.pages_forward(conversation, position=1, limit=PAGE_LIMIT))

    assert {len(page) for page in back[:-1]} | {len(page) for page in forth[:-1]} == {PAGE_LIMIT}
    backwards = [message for page in reversed(back) for message in page]
    forwards = [message for page in forth for message in page]
    assert first_misplaced(backwards, 1) is None
    assert first_misplaced(forwards, 2) is None
    assert len(backwards) > MESSAGES and len(forwards) + 1 >= MESSAGES + appended
    for walk in (backwards, forwards):
        found = {message["position"]: (message["id"], message["content"]) for message in walk}
        assert all(found[position] == what for position, what in seeded.items() if position in found)
        assert len({message["id"] for message in walk}) == len(walk)
