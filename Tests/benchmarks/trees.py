"""Trees of unusual shapes: very broad, very deep, very long."""

from typing import Any

from load import request_head
from parley import Client, Conversation

PLAIN = 100
BRANCHES = 1_000
DEPTH = 200
APPEND = 100


def grow(client: Client, conversation: Conversation, messages: int) -> list[dict[str, Any]]:
    """Append so many messages to the active branch, and return the last ones."""
    stored: list[dict[str, Any]] = []
    for start in range(0, messages, APPEND):
        body = [{"role": "user", "content": f"message {number} " + "a word " * 40}
                for number in range(start, min(start + APPEND, messages))]
        stored = client.post(conversation.path, {"messages": body}, conversation.token)["messages"]
    return stored


def grow_broad(client: Client, conversation: Conversation) -> str:
    """Edit one message in the newest page a thousand times, each time as a branch; return its id."""
    edited = grow(client, conversation, PLAIN)[-10]["id"]
    for number in range(BRANCHES):
        _branch(client, conversation, {"edit_message": edited, "content": f"edit {number}", "activate": False})
    return edited


def grow_deep(client: Client, conversation: Conversation) -> None:
    """Fork behind the head and go on there, again and again."""
    last = grow(client, conversation, 1)[-1]
    for _ in range(DEPTH):
        _branch(client, conversation, {"from_message": last["id"]})
        last = grow(client, conversation, 1)[-1]


def fork_in_the_middle(client: Client, conversation: Conversation, messages: int) -> None:
    """Fork in the middle of a long trunk and go on there for a page."""
    page = client.get(f"{conversation.path}?around={messages // 2}&limit=1", conversation.token)
    _branch(client, conversation, {"from_message": page["data"][0]["id"]})
    grow(client, conversation, APPEND)


def message(conversation: Conversation, message: str) -> str:
    """Return the request for one message with its siblings."""
    return request_head("GET", f"/v1/messages/{message}", {"Authorization": f"Bearer {conversation.token}"})


def _branch(client: Client, conversation: Conversation, body: dict[str, object]) -> None:
    client.post(f"/v1/conversations/{conversation.id}/branches", body, conversation.token)
