"""An hour of programs that know only the former system: nothing is lost, doubled, reordered or shown to others.

Two users have three devices each. A device is a thread with client objects of its own: it opens its conversation,
reads it through the functions and the tables, writes, goes and comes back. Between its actions it thinks for seconds
that are drawn and not slept. Meanwhile the server is restarted once and killed once, and answers get lost.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import httpx
import pytest
from supabase import Client, PostgrestAPIError

from harness import READY_SECONDS, Server, backend_client, history, new_user, open_conversation, store, user_client

HOUR, RESTART_AT, KILL_AT = 3_600.0, 1_200.0, 2_400.0
THINKING = 30.0
LEAD = 60.0
LOSS = 0.06
LATEST = 20
SESSIONS = {"phone": None, "web": None, "speaker": "speaker"}
ENDINGS = ("", ' He said "yes, (no): maybe" \\ %', " Grüße & 1+1=2 🌍", "\nsecond line\n", " null", " — 你好，世界" * 40)

Row = dict[str, Any]
T = TypeVar("T")


class Clock:
    """The devices' simulated seconds: each has its own, and none runs a minute ahead of the slowest."""

    def __init__(self, devices: list[str]) -> None:
        self._seconds = dict.fromkeys(devices, 0.0)
        self._changed = threading.Condition()

    def think(self, device: str, seconds: float) -> bool:
        """Lets the device's time pass and returns whether its hour still runs."""
        with self._changed:
            self._seconds[device] += seconds
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._seconds[device] <= min(self._seconds.values()) + LEAD)
            return self._seconds[device] < HOUR

    def leave(self, device: str) -> None:
        """Ends the device's time, so that nobody waits for it."""
        with self._changed:
            self._seconds[device] = float("inf")
            self._changed.notify_all()

    def reach(self, seconds: float) -> None:
        """Waits until it is so late for every device."""
        with self._changed:
            self._changed.wait_for(lambda: min(self._seconds.values()) >= seconds)


@dataclass(frozen=True)
class Said:
    """One message, as its device wrote it down when it knew that the server has it."""

    id: str
    role: str
    content: str
    intent: str | None


@dataclass
class Ledger:
    """What one device wrote, in the order of writing."""

    device: str
    user: str
    session: str | None
    conversation: str = ""
    said: list[Said] = field(default_factory=list)


class NoAnswer(Exception):
    """The device does not know whether its call was carried out."""


class Device:
    """One device: a program of the former system, its client object and its ledger."""

    def __init__(self, clock: Clock, ledger: Ledger, connect: Callable[[], Client]) -> None:
        self.ledger = ledger
        self.events: Counter[str] = Counter()
        self._clock = clock
        self._connect = connect
        self._random = random.Random(f"Parley {ledger.device}")
        self._client = connect()

    def live(self) -> None:
        """Spends the hour."""
        actions = [self.take_a_turn, self.load_history, self.read_messages, self.read_conversations, self.come_back]
        try:
            self.open()
            while self._clock.think(self.ledger.device, self._random.expovariate(1 / THINKING)):
                [action] = self._random.choices(actions, weights=[50, 20, 12, 8, 10])
                action()
        finally:
            self._clock.leave(self.ledger.device)

    def open(self) -> None:
        """Finds the conversation, always the same, and loads what was said last."""
        conversation = self._insist(lambda client: open_conversation(client, self.ledger.user, self.ledger.session))
        assert self.ledger.conversation in ("", conversation), "the device was given another conversation"
        self.ledger.conversation = conversation
        self.load_history()

    def come_back(self) -> None:
        """Goes away and returns with a new client object."""
        self.events["came back"] += 1
        self._client = self._connect()
        self.open()

    def take_a_turn(self) -> None:
        """Writes what the user says and what the assistant answers."""
        self._say("user", self._random.choice((None, "ask", "tell")))
        self._say("assistant", None)

    def load_history(self) -> None:
        """Loads the last messages as the former programs do: of the user, without naming a session."""
        rows = self._insist(lambda client: history(client, self.ledger.user, p_limit=LATEST))
        self._expect_latest(rows, all_mine=self.ledger.session is None)

    def read_messages(self) -> None:
        """Reads the last messages of the own conversation from the table."""
        rows = self._insist(lambda client: client.table("pam_messages").select("*").eq(
            "conversation_id", self.ledger.conversation).order("created_at", desc=True).limit(LATEST).execute().data)
        self._expect_latest(rows, all_mine=True)

    def read_conversations(self) -> None:
        """Reads the user's conversations from the table, the latest active one first."""
        rows = self._insist(lambda client: client.table("pam_conversations").select("*").eq(
            "user_id", self.ledger.user).order("updated_at", desc=True).execute().data)
        assert (self.ledger.conversation, self.ledger.session) in [(row["id"], row["session_id"]) for row in rows]
        times = [datetime.fromisoformat(row["updated_at"]) for row in rows]
        assert times == sorted(times, reverse=True) and len(rows) <= len(set(SESSIONS.values()))

    def _say(self, role: str, intent: str | None) -> None:
        number = len(self.ledger.said) + 1
        content = f"{self.ledger.device} says {number}.{self._random.choice(ENDINGS)}"
        more = {"p_intent": intent, "p_entities": {"number": number}} if intent else {}
        message: str | None = None
        while message is None:
            try:
                message = self._attempt(
                    lambda client: store(client, self.ledger.conversation, content, role, **more))
            except NoAnswer:
                message = self._find(content)
                self.events["repeated" if message is None else "found"] += 1
        self.ledger.said.append(Said(message, role, content, intent))

    def _find(self, content: str) -> str | None:
        """Returns the id of the message if it was stored: all that a former program can do about a lost answer."""
        rows = self._insist(lambda client: client.table("pam_messages").select("id").eq(
            "conversation_id", self.ledger.conversation).eq("content", content).execute().data)
        assert len(rows) <= 1, f"{content!r} is there {len(rows)} times"
        return rows[0]["id"] if rows else None

    def _expect_latest(self, rows: list[Row], all_mine: bool) -> None:
        """Asserts that the rows, newest first, end with what this device wrote last and show no other user's."""
        contents = [row["content"] for row in reversed(rows)]
        owner = self.ledger.device.split()[0]
        assert all(content.startswith(f"{owner} ") for content in contents), "another user's message"
        own = [content for content in contents if content.startswith(f"{self.ledger.device} ")]
        written = [said.content for said in self.ledger.said]
        assert own == written[len(written) - len(own):], "not the last messages of this device in their order"
        assert not all_mine or len(own) == len(written) or len(rows) == LATEST, "a message of this device is missing"

    def _insist(self, call: Callable[[Client], T]) -> T:
        """Makes a call that does no harm when repeated until an answer comes."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                return self._attempt(call)
            except NoAnswer:
                assert time.monotonic() < deadline, "the server did not come back"

    def _attempt(self, call: Callable[[Client], T]) -> T:
        """Makes one call; every so often the request or the answer gets lost, and the device connects anew."""
        is_lost = self._random.random() < LOSS
        try:
            if is_lost and self._random.random() < 0.5:
                raise NoAnswer
            answer = call(self._client)
            if is_lost:
                raise NoAnswer
            return answer
        except NoAnswer:
            self.events["lost"] += 1
            self._client = self._connect()
            raise
        except (httpx.TransportError, PostgrestAPIError) as error:
            if isinstance(error, PostgrestAPIError) and error.code != "PGRST000":
                raise
            self.events["interrupted"] += 1
            self._client = self._connect()
            raise NoAnswer from error


@dataclass(frozen=True)
class Hour:
    """What the hour left behind: the server, and the devices with their ledgers."""

    server: Server
    devices: list[Device]

    @property
    def ledgers(self) -> list[Ledger]:
        """Returns the ledgers of all devices."""
        return [device.ledger for device in self.devices]

    @property
    def conversations(self) -> dict[str, list[Ledger]]:
        """Returns the ledgers by the conversation that they are about."""
        return {ledger.conversation: [other for other in self.ledgers if other.conversation == ledger.conversation]
                for ledger in self.ledgers}

    def table(self, conversation: str) -> list[Row]:
        """Returns the rows of the conversation in the table, oldest first, read in pages of 100."""
        query = backend_client(self.server).table("pam_messages")
        rows: list[Row] = []
        while True:
            page = query.select("*").eq("conversation_id", conversation).order("created_at").range(
                len(rows), len(rows) + 99).execute().data
            rows += page
            if len(page) < 100:
                return rows

    def history(self, ledger: Ledger) -> list[Row]:
        """Returns the rows of the ledger's conversation as the function gives them, oldest first, in pages of 50."""
        client = user_client(self.server, self.server.token(ledger.user))
        session = {"p_session_id": ledger.session} if ledger.session else {}
        rows = history(client, ledger.user, p_limit=50, **session)
        while page := history(client, ledger.user, p_limit=50, p_before=rows[-1]["id"], **session):
            rows += page
        return rows[::-1]


def discrepancies(ledgers: list[Ledger], rows: list[Row]) -> dict[str, list[str]]:
    """Holds the ledgers of all devices of one conversation against its rows, oldest first; empty if they agree.

    - missing: a message in a ledger that is not there as it was written
    - strange: a row that is in no ledger
    - doubled: an id or a text that is there more than once
    - reordered: a device whose messages are not in the order of writing
    """
    stored = [Said(row["id"], row["role"], row["content"], row["intent"]) for row in rows]
    written = [said for ledger in ledgers for said in ledger.said]
    ids, contents = (Counter(getattr(said, name) for said in stored) for name in ("id", "content"))
    found = {
        "missing": [said.content for said in written if said not in stored],
        "strange": [said.content for said in stored if said not in written],
        "doubled": [said.content for said in stored if ids[said.id] > 1 or contents[said.content] > 1],
        "reordered": [ledger.device for ledger in ledgers
                      if [said for said in stored if said in ledger.said] != [
                          said for said in ledger.said if said in stored]],
    }
    return {kind: cases for kind, cases in found.items() if cases}


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hour]:
    """Yields the hour once it is over, its server running."""
    server = Server(tmp_path_factory.mktemp("hour"))
    try:
        server.start()
        yield Hour(server, spend_hour(server))
        server.stop()
    finally:
        server.clean_up()


def spend_hour(server: Server) -> list[Device]:
    """Lets the devices live, restarts the server in the second third and kills it in the last."""
    clock = Clock([f"{owner} {name}" for owner in ("Ada", "Grace") for name in SESSIONS])
    devices: list[Device] = []
    for owner in ("Ada", "Grace"):
        user = new_user()
        token = server.token(user)
        for name, session in SESSIONS.items():
            # The speakers speak through a backend.
            def connect(token: str = token, backend: bool = name == "speaker") -> Client:
                return backend_client(server) if backend else user_client(server, token)

            devices.append(Device(clock, Ledger(f"{owner} {name}", user, session), connect))

    with ThreadPoolExecutor(len(devices)) as pool:
        lives = [pool.submit(device.live) for device in devices]
        clock.reach(RESTART_AT)
        server.stop()
        server.restart()
        clock.reach(KILL_AT)
        server.kill9()
        server.restart()
        for life in lives:
            life.result()
    return devices


# What is true after the hour


def test_the_hour_was_as_eventful_as_it_was_to_be(hour: Hour) -> None:
    """Much was written, answers were lost both ways, and the server's two ends were felt."""
    events = sum((device.events for device in hour.devices), Counter[str]())
    assert all(len(ledger.said) > 60 for ledger in hour.ledgers)
    assert all(device.events["came back"] and device.events["lost"] for device in hour.devices)
    assert events["repeated"] and events["found"] and events["interrupted"] >= 2, events
    assert len(hour.conversations) == 4


def test_everything_written_is_there_once_and_in_order(hour: Hour) -> None:
    """In the table and in the history stands what the ledgers say and nothing else."""
    for conversation, ledgers in hour.conversations.items():
        assert discrepancies(ledgers, hour.table(conversation)) == {}
        assert discrepancies(ledgers, hour.history(ledgers[0])) == {}


def test_the_table_and_the_history_agree_in_order_and_time(hour: Hour) -> None:
    """Both give the same rows, and each is later than the one before it."""
    for conversation, ledgers in hour.conversations.items():
        table = hour.table(conversation)
        columns = ("id", "role", "content", "intent", "created_at")
        assert [[row[name] for name in columns] for row in table] == [
            [row[name] for name in columns] for row in hour.history(ledgers[0])]
        times = [datetime.fromisoformat(row["created_at"]) for row in table]
        assert all(earlier < later for earlier, later in zip(times, times[1:], strict=False))


def test_nobody_was_left_with_anything_of_others(hour: Hour) -> None:
    """A user who reads the tables without any filter finds its own conversations and messages."""
    for user in {ledger.user for ledger in hour.ledgers}:
        client = user_client(hour.server, hour.server.token(user))
        own = [ledger for ledger in hour.ledgers if ledger.user == user]
        for table, column in (("pam_conversations", "id"), ("pam_messages", "conversation_id")):
            answer = client.table(table).select(column, count="exact").execute()
            assert {row[column] for row in answer.data} == {ledger.conversation for ledger in own}
        assert answer.count == sum(len(ledger.said) for ledger in own)


def test_the_store_is_sound(hour: Hour) -> None:
    """The server's own check finds nothing."""
    code, findings = hour.server.check()
    assert code == 0, findings


# Controls: the checker must see what it is there to see.

DAMAGE: dict[str, tuple[Callable[[list[Said], list[Row]], object], set[str]]] = {
    "a message left out of the ledger": (lambda said, rows: said.pop(5), {"strange"}),
    "a row lost": (lambda said, rows: rows.remove(row_of(said[5], rows)), {"missing"}),
    "two messages swapped in the ledger": (lambda said, rows: said.insert(5, said.pop(6)), {"reordered"}),
    "a row moved": (lambda said, rows: rows.append(rows.pop(rows.index(row_of(said[5], rows)))), {"reordered"}),
    "a row twice": (lambda said, rows: rows.append(row_of(said[5], rows)), {"doubled", "reordered"}),
    "a text twice": (lambda said, rows: rows.append(row_of(said[5], rows) | {"id": "other"}), {"doubled", "strange"}),
    "a text changed": (lambda said, rows: row_of(said[5], rows).update(content="changed"), {"missing", "strange"}),
    "an intent changed": (lambda said, rows: row_of(said[5], rows).update(intent="shout"), {"missing", "strange"}),
    "another user's row": (
        lambda said, rows: rows.append({"id": "x", "role": "user", "content": "Eve says 1.", "intent": None}),
        {"strange"}),
}


def row_of(said: Said, rows: list[Row]) -> Row:
    """Returns the row of the message."""
    return next(row for row in rows if row["id"] == said.id)


@pytest.mark.parametrize(("damage", "kinds"), DAMAGE.values(), ids=DAMAGE.keys())
def test_control_the_checker_sees_damage(
    hour: Hour, damage: Callable[[list[Said], list[Row]], object], kinds: set[str]
) -> None:
    """Each damage to the hour's ledgers or rows is seen as what it is."""
    conversation = hour.ledgers[0].conversation
    ledgers = [Ledger(ledger.device, ledger.user, ledger.session, conversation, list(ledger.said))
               for ledger in hour.conversations[conversation]]
    rows = hour.table(conversation)
    assert discrepancies(ledgers, rows) == {}
    damage(ledgers[0].said, rows)
    assert set(discrepancies(ledgers, rows)) == kinds
