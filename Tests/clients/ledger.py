"""What writers sent and what the server acknowledged, held against what the server has."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from supabase import Client, PostgrestAPIError

from harness import ANSWER_SECONDS, Native, Server, poll, store

EXAMPLES = 5
FILLING = "The quick brown fox jumps over the lazy dog. " * 6


@dataclass(frozen=True)
class Entry:
    """One message as its writer sends it; `sequence` counts up per writer."""

    conversation: str
    writer: int
    sequence: int

    @property
    def client_id(self) -> str:
        """Returns the writer's own name of the message, by which it can be sent again."""
        return f"writer-{self.writer}-{self.sequence}"

    @property
    def content(self) -> str:
        """Returns a text that no other entry has."""
        return f"writer {self.writer} message {self.sequence}. {FILLING}"


class Ledger:
    """The writers' common book: an entry is written down before it is sent, its id when it is acknowledged."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: list[Entry] = []
        self._acknowledged: dict[Entry, str] = {}
        self._sequences: Counter[int] = Counter()

    def draw(self, writer: int, conversation: str) -> Entry:
        """Writes down the writer's next entry and returns it."""
        with self._lock:
            self._sequences[writer] += 1
            entry = Entry(conversation, writer, self._sequences[writer])
            self._sent.append(entry)
            return entry

    def acknowledge(self, entry: Entry, message_id: str) -> None:
        """Writes down that the server acknowledged the entry under that message id."""
        with self._lock:
            self._acknowledged[entry] = message_id

    @property
    def sent(self) -> list[Entry]:
        """Returns every entry that was sent, in the order of sending."""
        with self._lock:
            return list(self._sent)

    @property
    def acknowledged(self) -> dict[Entry, str]:
        """Returns every acknowledged entry with its message id."""
        with self._lock:
            return dict(self._acknowledged)

    @property
    def unresolved(self) -> list[Entry]:
        """Returns the entries that were sent and not acknowledged, in the order of sending."""
        acknowledged = self.acknowledged
        return [entry for entry in self.sent if entry not in acknowledged]


@dataclass
class Verdict:
    """What the checker found; everything but `acknowledged` and `unacknowledged` is a fault."""

    acknowledged: int = 0
    unacknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    never_sent: list[str] = field(default_factory=list)
    holes: list[str] = field(default_factory=list)

    @property
    def faults(self) -> dict[str, list[str]]:
        """Returns the faults by kind, without the kinds of which there are none."""
        kinds = ("lost", "doubled", "reordered", "never_sent", "holes")
        return {kind: getattr(self, kind) for kind in kinds if getattr(self, kind)}

    def __str__(self) -> str:
        """Returns the counts, and of each kind of fault the first examples."""
        counts = f"{self.acknowledged} acknowledged, {self.unacknowledged} unacknowledged"
        faults = [f"{len(cases)} {kind} ({', '.join(cases[:EXAMPLES])} …)" for kind, cases in self.faults.items()]
        return "; ".join([counts, *faults])


def judge(ledger: Ledger, stored: dict[str, list[dict[str, Any]]]) -> Verdict:
    """Holds the ledger against the stored messages of each conversation, oldest first.

    - lost: an acknowledged entry that is not there under its id, with its client id and its content
    - doubled: an entry whose client id or content is there more than once
    - reordered: a message of a writer that stands behind a later one of the same writer
    - never_sent: a stored message that no writer sent
    - holes: a place in the order whose message does not bear the number of the place, 1, 2, 3 …
    """
    verdict = Verdict(len(ledger.acknowledged), len(ledger.unresolved))
    ids = {(name, row["id"]): row for name, rows in stored.items() for row in rows}
    for entry, message_id in ledger.acknowledged.items():
        row = ids.get((entry.conversation, message_id))
        if row is None or row["client_id"] != entry.client_id or row["content"] != entry.content:
            verdict.lost.append(entry.client_id)

    for conversation, rows in stored.items():
        entries = {entry.client_id: entry for entry in ledger.sent if entry.conversation == conversation}
        contents = {entry.content: entry for entry in entries.values()}
        seen_client_ids = Counter(row["client_id"] for row in rows)
        seen_contents = Counter(row["content"] for row in rows)
        latest: dict[int, int] = {}
        for place, row in enumerate(rows, start=1):
            if row["position"] != place:
                verdict.holes.append(f"{conversation} has position {row['position']} in place {place}")
            sent = entries.get(row["client_id"])
            if sent is None or contents.get(row["content"]) != sent:
                verdict.never_sent.append(row["id"])
                continue
            if sent.sequence < latest.get(sent.writer, 0):
                verdict.reordered.append(sent.client_id)
            latest[sent.writer] = max(sent.sequence, latest.get(sent.writer, 0))
        for entry in entries.values():
            if seen_client_ids[entry.client_id] > 1 or seen_contents[entry.content] > 1:
                verdict.doubled.append(entry.client_id)
    return verdict


# Writers


class OutcomeUnknown(Exception):
    """No answer came, or one that acknowledges nothing and refuses nothing: the entry has to be sent again."""


@dataclass(frozen=True)
class Acknowledgement:
    """The server's word for one entry; `replayed` is `None` at a door that does not say."""

    message_id: str
    replayed: bool | None


Send = Callable[[Entry], Acknowledgement]


@dataclass(frozen=True)
class Writer:
    """One of the writers: the conversation it writes to and a way to connect to the server."""

    conversation: str
    connect: Callable[[], AbstractContextManager[Send]]


@contextmanager
def native_door(server: Server, key: str) -> Iterator[Send]:
    """Yields a way to send entries through the native door on one new connection."""
    with Native(server, key) as native:

        def send(entry: Entry) -> Acknowledgement:
            body = {"role": "user", "content": entry.content, "client_id": entry.client_id}
            try:
                answer = native.append(entry.conversation, body)
            except (OSError, http.client.HTTPException) as error:
                raise OutcomeUnknown from error
            if answer.status == 503:
                raise OutcomeUnknown
            assert answer.status in (200, 201), answer
            receipt = answer.json
            assert receipt["durability"] == "stored" and receipt["replayed"] == (answer.status == 200), answer
            return Acknowledgement(receipt["message"]["id"], receipt["replayed"])

        yield send


@contextmanager
def official_client(client: Client) -> Iterator[Send]:
    """Yields a way to send entries through the official client, which looks after its connections itself."""

    def send(entry: Entry) -> Acknowledgement:
        try:
            message_id = store(client, entry.conversation, entry.content, p_client_id=entry.client_id)
        except httpx.TransportError as error:
            raise OutcomeUnknown from error
        except PostgrestAPIError as error:
            if error.code != "PGRST000":
                raise
            raise OutcomeUnknown from error
        return Acknowledgement(message_id, None)

    yield send


@contextmanager
def writing(ledger: Ledger, writers: list[Writer]) -> Iterator[None]:
    """Lets every writer send without pause until an outcome is unknown to it or the body has ended.

    The body begins when each writer has been acknowledged once. Any other failure of a writer is raised.
    """
    done = threading.Event()
    begun = [threading.Event() for _ in writers]

    def write(number: int) -> None:
        with writers[number].connect() as send:
            while not done.is_set():
                entry = ledger.draw(number, writers[number].conversation)
                try:
                    ledger.acknowledge(entry, send(entry).message_id)
                except OutcomeUnknown:
                    return
                begun[number].set()

    with ThreadPoolExecutor(len(writers)) as pool:
        running = [pool.submit(write, number) for number in range(len(writers))]
        try:
            poll(lambda: all(event.is_set() for event in begun) or any(each.done() for each in running),
                 ANSWER_SECONDS, "every writer's first acknowledgement")
            yield
        finally:
            done.set()
        for each in running:
            each.result()


def send_again(ledger: Ledger, writers: list[Writer], stored: dict[str, list[dict[str, Any]]]) -> None:
    """Sends what was not acknowledged once more, each by its writer and under its old client id.

    An entry that `stored` holds already must come back as it is there, any other must be new.
    """
    for entry in ledger.unresolved:
        known = {row["client_id"]: row["id"] for row in stored[entry.conversation]}
        with writers[entry.writer].connect() as send:
            acknowledgement = send(entry)
        if entry.client_id in known:
            assert acknowledgement.message_id == known[entry.client_id], "a resent message got another id"
        assert acknowledgement.replayed in (None, entry.client_id in known), "a receipt is wrong about the replay"
        ledger.acknowledge(entry, acknowledgement.message_id)
