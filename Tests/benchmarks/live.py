"""The live door: a chat over WebSockets, alone and beside clients that never read, and sockets that only wait."""

import asyncio
import json
import os
import random
import resource
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

import machine
from load import BenchmarkError, Point, request_head
from parley import Conversation

DEAF = 300
ROOMS = 10
CHATTERS = 2
"""In each room; each sends a message after a pause of about so many seconds."""
PAUSE_SECONDS = 0.25
TEXT = "a word " * 290
TURNS = 3
CHAT_SECONDS = 20
"""Alone, before each time beside the deaf."""
ATTACH_SECONDS = 3
"""In which the deaf come: what they cost is asked, not what their coming does."""
GIVE_UP_SECONDS = 60
IDLE = 2_000
IDLE_USERS = 500
IDLE_SETTLE_SECONDS = 5
SMALL_INBOX = 4_096
FILES = 4_096


def allow_sockets() -> None:
    """Let this process, and a server that it starts, have as many sockets as the suites need."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, FILES), most))


def upgrade(token: str) -> bytes:
    """Return the request that asks for a live socket."""
    return request_head("GET", "/v1/live", {
        "Authorization": f"Bearer {token}", "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "parley.v1",
    }).encode()


def framed(frame: dict[str, object]) -> bytes:
    """Return a frame as clients send it; the mask is nothing, which is a mask too."""
    text = json.dumps(frame).encode()
    length = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0x80 | 126]) + struct.pack("!H", len(text))
    return b"\x81" + length + bytes(4) + text


def open_sockets(pid: int) -> int:
    """Return how many sockets a process holds."""
    count = 0
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            count += os.readlink(entry.path).startswith("socket:")
        except FileNotFoundError:
            continue
    return count


# Sockets that only wait


@contextmanager
def idle_sockets(port: int, conversations: Sequence[Conversation], *, attached: bool) -> Iterator[None]:
    """Hold `IDLE` sockets while the body runs, by turns of these users; `attached` ones follow their conversation."""
    with ExitStack() as sockets:
        for number in range(IDLE):
            conversation = conversations[number % len(conversations)]
            made = sockets.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            made.sendall(upgrade(conversation.token))
            _await(made, b" 101 ")
            if attached:
                made.sendall(framed({"type": "attach", "conversation_id": conversation.id}))
                _await(made, b'"attached"')
        yield


def _await(made: socket.socket, word: bytes) -> None:
    received = b""
    while word not in received:
        more = made.recv(65_536)
        if not more:
            raise BenchmarkError(f"A socket was closed: {received[:300]!r}")
        received += more


# A chat


@dataclass
class Times:
    """Microseconds from sending a message to its acknowledgement and to its event at the others, by the time of sending."""

    acks: list[tuple[float, float]] = field(default_factory=list)
    events: list[tuple[float, float]] = field(default_factory=list)

    def points(self, name: str, connections: int, spans: Sequence[tuple[float, float]]) -> list[Point]:
        """Return the points of what was sent in some spans of time."""
        return [
            point(
                f"{what}, {name}", connections,
                [us for sent, us in times if any(start <= sent < end for start, end in spans)], _seconds(spans))
            for what, times in (("send to ack", self.acks), ("send to event", self.events))
        ]


def point(name: str, connections: int, times: list[float], seconds: float) -> Point:
    """Return the point of some times in microseconds, of which there must be one."""
    if not times:
        raise BenchmarkError(f"Nothing was measured of {name}.")
    times = sorted(times)
    p50, p99 = (times[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.99))
    return Point(name, connections, len(times), seconds, fmean(times), p50, p99)


class Chat:
    """Chatters in rooms, each a conversation: they send at their own pace and check that nothing is missing."""

    def __init__(self, port: int, rooms: Sequence[Conversation]) -> None:
        self.times = Times()
        self.problems: list[str] = []
        self._port = port
        self._rooms = rooms
        self._sent: dict[str, float] = {}

    async def run(self, done: asyncio.Event, begun: asyncio.Event) -> None:
        """Chat until `done`; `begun` is set when all are there."""
        sockets = [(await self._attach(room), room) for room in self._rooms for _ in range(CHATTERS)]
        begun.set()
        async with asyncio.TaskGroup() as tasks:
            listeners = [tasks.create_task(self._listen(stream[0], number)) for number, (stream, _) in enumerate(sockets)]
            senders = [tasks.create_task(self._talk(stream[1], number, done)) for number, (stream, _) in enumerate(sockets)]
            await asyncio.wait(senders)
            await asyncio.sleep(1)
            for listener in listeners:
                listener.cancel()
        for (_, writer), _ in sockets:
            writer.close()

    async def _attach(self, room: Conversation) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        writer.write(upgrade(room.token) + framed({"type": "attach", "conversation_id": room.id}))
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head:
            raise BenchmarkError(f"No socket: {head!r}")
        while (await _heard(reader))["type"] != "attached":
            continue
        return reader, writer

    async def _talk(self, writer: asyncio.StreamWriter, number: int, done: asyncio.Event) -> None:
        dice, count = random.Random(number), 0
        while not done.is_set():
            await asyncio.sleep(dice.uniform(0.5, 1.5) * PAUSE_SECONDS)
            name = f"{number}-{count}-{time.monotonic_ns()}"
            count += 1
            self._sent[name] = time.perf_counter()
            writer.write(framed({"type": "send", "client_id": name, "content": TEXT}))

    async def _listen(self, reader: asyncio.StreamReader, number: int) -> None:
        version = 0
        while True:
            frame = await _heard(reader)
            now = time.perf_counter()
            if frame["type"] == "ack":
                self._note(self.times.acks, frame["client_id"], now)
            elif frame["type"] == "event":
                if version and frame["version"] != version + 1:
                    self.problems.append(f"Chatter {number} was told version {frame['version']} after {version}.")
                version = frame["version"]
                for change in frame["changes"]:
                    if change["kind"] == "message" and not change["row"]["client_id"].startswith(f"{number}-"):
                        self._note(self.times.events, change["row"]["client_id"], now)
            elif frame["type"] != "presence":
                self.problems.append(f"Chatter {number} was told {frame}.")

    def _note(self, times: list[tuple[float, float]], name: str, now: float) -> None:
        times.append((self._sent[name], (now - self._sent[name]) * 1e6))


async def _heard(reader: asyncio.StreamReader) -> dict:
    head = await reader.readexactly(2)
    length = head[1]
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2), "big")
    elif length == 127:
        length = int.from_bytes(await reader.readexactly(8), "big")
    body = await reader.readexactly(length)
    if head[0] != 0x81:
        raise BenchmarkError(f"A chatting socket was told {head[0]:#x} {body[:200]!r}.")
    return json.loads(body)


@dataclass
class ChatBesideDeaf:
    """What a chat took alone and beside the deaf, how long the last of these was there, and what was wrong.

    `others` is what other programs had of a core meanwhile, alone and beside: 1 is all of one.
    """

    alone: list[Point]
    beside: list[Point]
    closed_seconds: float
    others: tuple[float, float]
    problems: list[str]


def chat_beside_deaf(port: int, pid: int, rooms: Sequence[Conversation]) -> ChatBesideDeaf:
    """Chat by turns alone, and until all clients that attach in the same rooms and never read are closed."""

    async def chat() -> ChatBesideDeaf:
        chatting = Chat(port, rooms)
        done, begun = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(chatting.run(done, begun))
        await begun.wait()
        await asyncio.sleep(2)
        marks, others = [time.perf_counter()], [_others_seconds(pid)]
        for turn in range(2 * TURNS):
            await (_deaf_come_and_go(port, pid, rooms) if turn % 2 else asyncio.sleep(CHAT_SECONDS))
            marks.append(time.perf_counter())
            others.append(_others_seconds(pid))
        done.set()
        await running
        spans = list(pairwise(marks))
        alone, beside = spans[::2], spans[1::2]
        taken = [end - start for start, end in pairwise(others)]
        count = len(rooms) * CHATTERS
        return ChatBesideDeaf(
            chatting.times.points("alone", count, alone),
            chatting.times.points(f"beside {DEAF} that never read", count, beside),
            max(end - start for start, end in beside),
            (sum(taken[::2]) / _seconds(alone), sum(taken[1::2]) / _seconds(beside)), chatting.problems)

    return asyncio.run(chat())


def _seconds(spans: Sequence[tuple[float, float]]) -> float:
    return sum(end - start for start, end in spans)


def _others_seconds(pid: int) -> float:
    return machine.busy_seconds() - machine.cpu_seconds(pid) - machine.cpu_seconds(os.getpid())


async def _deaf_come_and_go(port: int, pid: int, rooms: Sequence[Conversation]) -> None:
    before, start = open_sockets(pid), time.perf_counter()
    with ExitStack() as sockets:
        for number in range(DEAF):
            sockets.enter_context(_deaf(port, rooms[number % len(rooms)]))
            await asyncio.sleep(ATTACH_SECONDS / DEAF)
        # The last may have to be accepted yet.
        await asyncio.sleep(1)
        while open_sockets(pid) > before and time.perf_counter() < start + GIVE_UP_SECONDS:
            await asyncio.sleep(0.25)


def _deaf(port: int, room: Conversation) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_INBOX)
    made.connect(("127.0.0.1", port))
    made.sendall(upgrade(room.token) + framed({"type": "attach", "conversation_id": room.id}))
    return made
