"""The ledger with both kinds of acknowledgement, and the doors through which its entries are sent."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness import Native, new_user, poll
from ledger import Acknowledgement, Entry, Ledger, OutcomeUnknown, Send, Writer
from rig import Rig
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

ANSWER_SECONDS = 30.0
RETRY_SECONDS = 0.05
TOKEN_LIFE = "3000h"


@dataclass(frozen=True)
class Receipt(Acknowledgement):
    """The server's word for one entry, and whether the message is in the store or in the spool."""

    kind: str


class Book(Ledger):
    """A ledger that also knows how each entry was acknowledged, and what the server refused."""

    def __init__(self) -> None:
        super().__init__()
        self._more = threading.Lock()
        self._kinds: Counter[str] = Counter()
        self._unanswered = 0
        self.renamed: dict[Entry, str] = {}
        """Entries that the store has under another id than the acknowledged one, with the latter."""

    def note(self, entry: Entry, receipt: Acknowledgement) -> None:
        """Writes down an acknowledgement of either kind."""
        self.acknowledge(entry, receipt.message_id)
        with self._more:
            self._kinds[receipt.kind if isinstance(receipt, Receipt) else "stored"] += 1

    def note_unanswered(self) -> None:
        """Writes down an attempt that acknowledged nothing."""
        with self._more:
            self._unanswered += 1

    def take_over(self, other: Book) -> None:
        """Counts what another book holds, without its entries."""
        with self._more:
            self._kinds += other._kinds
            self._unanswered += other._unanswered

    def rename(self, entry: Entry, real: str) -> None:
        """Writes down that the acknowledged id of an entry stands for another one, which the store has."""
        self.renamed[entry] = self.acknowledged[entry]
        self.acknowledge(entry, real)

    def count(self, kind: str) -> int:
        """Returns how many entries were acknowledged as `stored` or as `spooled`."""
        with self._more:
            return self._kinds[kind]

    @property
    def answered(self) -> int:
        """Returns how many entries were acknowledged, either way."""
        return self.count("stored") + self.count("spooled")

    @property
    def unanswered(self) -> int:
        """Returns how many attempts acknowledged nothing: refusals, and connections that broke."""
        with self._more:
            return self._unanswered


# The doors


def _receipt(answer: dict[str, Any]) -> Receipt:
    """Reads a receipt: what is only spooled has its final id, and neither a position nor a version."""
    kind, message = answer["durability"], answer["message"]
    assert kind in ("stored", "spooled") and message["durability"] == kind, answer
    assert (kind == "spooled") == (message["position"] is None) == (answer["version"] is None), answer
    return Receipt(message["id"], answer["replayed"], kind)


@contextmanager
def plain_door(rig: Rig, key: str) -> Iterator[Send]:
    """Yields a way to send entries over HTTP; 202 for what is spooled, 503 for what is refused."""
    with Native(rig, key) as native:

        def send(entry: Entry) -> Receipt:
            body = {"role": "user", "content": entry.content, "client_id": entry.client_id}
            try:
                answer = native.append(entry.conversation, body)
            except (OSError, http.client.HTTPException) as error:
                raise OutcomeUnknown from error
            if answer.status == 503:
                assert "retry-after" in answer.headers, answer
                raise OutcomeUnknown
            receipt = _receipt(answer.json)
            expected = 202 if receipt.kind == "spooled" else 200 if receipt.replayed else 201
            assert answer.status == expected, answer
            return receipt

        yield send


class _Socket:
    """One live socket, attached to one conversation when it is first needed."""

    def __init__(self, rig: Rig, key: str) -> None:
        self._rig, self._key = rig, key
        self._socket: ClientConnection | None = None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def send(self, entry: Entry) -> Receipt:
        try:
            if self._socket is None:
                self._socket = connect(
                    f"ws://{self._rig.host}:{self._rig.port}/v1/live", subprotocols=[Subprotocol("parley.v1")],
                    additional_headers={"Authorization": f"Bearer {self._key}"}, max_size=None, close_timeout=1)
                self._ask("attach", "attached", "a", conversation_id=entry.conversation)
            return _receipt(self._ask(
                "send", "ack", entry.client_id, client_id=entry.client_id, content=entry.content))
        except (OSError, WebSocketException) as error:
            raise OutcomeUnknown from error

    def _ask(self, type: str, answer: str, ref: str, **fields: Any) -> dict[str, Any]:
        assert self._socket is not None
        self._socket.send(json.dumps({"type": type, "ref": ref, **fields}))
        while True:
            # Events of what all others write come in between.
            frame: dict[str, Any] = json.loads(self._socket.recv(ANSWER_SECONDS))
            if frame["type"] == "error":
                assert frame["code"] == "unavailable", frame
                raise OutcomeUnknown
            if frame["type"] == answer and frame.get("ref") == ref:
                return frame


@contextmanager
def live_door(rig: Rig, key: str) -> Iterator[Send]:
    """Yields a way to send entries through a WebSocket."""
    opened = _Socket(rig, key)
    try:
        yield opened.send
    finally:
        opened.close()


def writers(rig: Rig, *, with_tokens: bool = True) -> list[Writer]:
    """Returns six writers of both doors, over three conversations of a new user.

    They have the service key, and half of them the user's token, unless the clock is to jump over its end.
    """
    user = new_user()
    token = rig.service_key
    if with_tokens:
        minted = rig.run("token", "--user", user, "--ttl", TOKEN_LIFE)
        assert minted.returncode == 0, minted.stderr
        token = minted.stdout.strip()
    conversations = []
    with Native(rig, rig.service_key) as native:
        for session in ("phone", "web", "tablet"):
            made = native.ask("POST", "/v1/conversations", {"user_id": user, "session_id": session})
            assert made.status == 201, made
            conversations.append(made.json["conversation"]["id"])
    doors = [plain_door, plain_door, live_door]
    return [Writer(conversation, partial(door, rig, key))
            for conversation, door in zip(conversations, doors) for key in (rig.service_key, token)]


@contextmanager
def load(book: Book, writers: list[Writer]) -> Iterator[None]:
    """Lets every writer send without end while the body runs, from the time when each was acknowledged once.

    A writer whose entry was refused, or whose connection broke, sends it again until it is acknowledged: so each
    writer's entries are sent in order. What is unresolved at the end is left for `send_again`.
    """
    done = threading.Event()
    begun = [threading.Event() for _ in writers]

    def write(number: int) -> None:
        while not done.is_set():
            entry = book.draw(number, writers[number].conversation)
            while not done.is_set():
                # A new connection after every trouble, as a client that lost its server does.
                with writers[number].connect() as send:
                    try:
                        while not done.is_set():
                            book.note(entry, send(entry))
                            begun[number].set()
                            entry = book.draw(number, writers[number].conversation)
                    except OutcomeUnknown:
                        book.note_unanswered()
                done.wait(RETRY_SECONDS)

    with ThreadPoolExecutor(len(writers)) as pool:
        running = [pool.submit(write, number) for number in range(len(writers))]
        try:
            poll(lambda: all(event.is_set() for event in begun) or any(each.done() for each in running),
                 ANSWER_SECONDS, "every writer's first acknowledgement")
            yield
        finally:
            done.set()
            # Also when the body has failed: a writer that stopped is often the cause.
            for each in running:
                each.result()


def wait_for(book: Book, kind: str, more: int, seconds: float = 20.0) -> None:
    """Waits until so many more entries were acknowledged in that way."""
    before = book.count(kind)
    poll(lambda: book.count(kind) >= before + more, seconds, f"{more} more acknowledgements as {kind}")
