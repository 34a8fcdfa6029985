"""A hundred answers that stream at once: what they cost the server, when each word comes, and who else has to wait."""

import asyncio
import json
import multiprocessing
import os
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing.connection import Connection

import live
import machine
from load import BenchmarkError, Point, Recorder, contents
from parley import Conversation, Parley
from promises import PAGE

TURNS = 100
PACE_MILLISECONDS = 20
"""From one word of an answer to the next."""
BEGIN_SECONDS = 2
"""In which the answers begin: they are not to speak in chorus."""
SETTLE_SECONDS = 3
BESIDE_SECONDS = 40
ALONE_SECONDS = 20
"""Before the answers, and once more behind them."""
SPARE_SECONDS = 5
WARM_UP_SECONDS = 2
PROBES_PER_SECOND = 20
WORDS = (SETTLE_SECONDS + BESIDE_SECONDS + BEGIN_SECONDS + SPARE_SECONDS) * 1_000 // PACE_MILLISECONDS
BEGUN_SECONDS, ENDED_SECONDS = 60, 180
QUIET_SECONDS = 35
"""Behind it all: the server gives memory back every half minute."""
SAID = "You said: "
RECEIVED_AT_ONCE = 65_536


@dataclass
class Probe:
    """One program that saves a message and loads the last 20, again and again: when, and the microseconds of each."""

    saves: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    seconds: float = 0

    def points(self, name: str) -> list[Point]:
        """Return the points of both."""
        return [
            live.point(f"{what}, {name}", 1, times, self.seconds)
            for what, times in (("save", self.saves), (f"last {PAGE}", self.pages))
        ]


@dataclass
class Heard:
    """What the listeners heard: when each delta came, and how much later than the model's clock would have it."""

    deltas: list[tuple[float, float]] = field(default_factory=list)
    words: int = 0
    texts: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass
class Memory:
    """Resident megabytes of the server."""

    before: float
    under: float = 0
    after: float = 0


@dataclass(frozen=True)
class Listeners:
    """The process of those who ask and listen, and where it says that all have begun, and what they heard."""

    pid: int
    pipe: Connection

    def next(self, seconds: float) -> Heard | str:
        """Return what it says next."""
        if not self.pipe.poll(seconds):
            raise BenchmarkError(f"The listeners said nothing for {seconds} s.")
        return self.pipe.recv()


def measure(server: Parley, found: Recorder) -> None:
    """Let answers stream to a listener each, and measure them and a program beside them."""
    client = server.client()
    rooms = [server.new_conversation(client, number, 0) for number in range(1, TURNS + 1)]
    probed = server.new_conversation(client, TURNS + 1, PAGE)
    alone, beside = Probe(), Probe()
    probe(server, probed, WARM_UP_SECONDS, Probe())
    memory = Memory(machine.resident_megabytes(server.pid)[1])
    probe(server, probed, ALONE_SECONDS, alone)
    with listening(server.port, rooms) as listeners:
        time.sleep(SETTLE_SECONDS)
        start, before = time.perf_counter(), _cpu_seconds(server, listeners)
        probe(server, probed, BESIDE_SECONDS, beside, memory)
        end, after = time.perf_counter(), _cpu_seconds(server, listeners)
        heard = listeners.next(ENDED_SECONDS)
    probe(server, probed, ALONE_SECONDS, alone)
    time.sleep(QUIET_SECONDS)
    memory.after = machine.resident_megabytes(server.pid)[1]
    late = [microseconds for came, microseconds in heard.deltas if start <= came < end]
    deltas = live.point("delta, behind the model's clock", TURNS, late, end - start)
    cpu = [end - start for start, end in zip(before, after, strict=True)]
    for point in (*alone.points("alone"), *beside.points(f"beside {TURNS} answers"), _with_cpu(deltas, cpu[0])):
        found.add(point)
    _check(server, rooms, heard, found)
    mine, theirs, others = (seconds / (end - start) for seconds in cpu)
    found.remarks += [
        f"Turns: with {TURNS} answers, {deltas.per_second:,.0f} deltas a second and the program beside them the server took "
        f"{mine:.1%} of a core; the listeners {theirs:.1%}, other programs {others:.1%}.",
        f"Turns: resident memory {memory.before:.1f} MB before, {memory.under:.1f} MB at most while they streamed, "
        f"{memory.after:.1f} MB {QUIET_SECONDS} s behind all of it.",
    ]


def _cpu_seconds(server: Parley, listeners: Listeners) -> tuple[float, float, float]:
    """Return the processor time so far of the server, of the listeners, and of whatever else runs on the machine."""
    ours = [machine.cpu_seconds(pid) for pid in (server.pid, listeners.pid, os.getpid())]
    return ours[0], ours[1], machine.busy_seconds() - sum(ours)


def _with_cpu(point: Point, cpu_seconds: float) -> Point:
    return Point(**vars(point) | {"cpu_us": cpu_seconds * 1e6 / point.requests})


def _check(server: Parley, rooms: Sequence[Conversation], heard: Heard, found: Recorder) -> None:
    """Check that every word was heard once, in its place, and is stored."""
    client = server.client()
    said = SAID + text()
    stored = [client.get(room.path, room.token)["data"][-1] for room in rooms]
    kept = sum(message["status"] == "complete" and message["content"] == said for message in stored)
    whole = sum(heard.texts.get(room.id) == said for room in rooms)
    words = TURNS * len(said.split())
    found.problems += heard.problems[:10]
    found.check(kept == TURNS, f"Turns: {TURNS - kept} answers are not stored as they were said.")
    found.check(whole == TURNS, f"Turns: {TURNS - whole} answers were not heard as they were said.")
    found.check(heard.words == words, f"Turns: {words:,} words were said and {heard.words:,} heard.")
    found.remarks.append(
        f"Turns: {words:,} words were said and {heard.words:,} heard, in {len(heard.deltas):,} deltas; {whole} of {TURNS} "
        f"answers were heard without a hole or a repetition, {kept} are stored so.")


# The program beside them


def probe(server: Parley, conversation: Conversation, seconds: float, taken: Probe, memory: Memory | None = None) -> None:
    """Save and load at a modest pace, one after the other, and note what it took; what comes late is not made up for."""
    client, texts = server.client(), cycle(contents(100))
    start = time.perf_counter()
    end, tick, due = start + seconds, 1 / PROBES_PER_SECOND, start
    while (now := time.perf_counter()) < end:
        if now < due:
            time.sleep(due - now)
        due = max(due + tick, time.perf_counter())
        message = {"role": "user", "content": next(texts), "client_id": f"probe-{time.monotonic_ns()}"}
        begun = time.perf_counter()
        client.post(conversation.path, message, conversation.token)
        between = time.perf_counter()
        page = client.get(f"{conversation.path}?limit={PAGE}", conversation.token)
        ended = time.perf_counter()
        if page["data"][-1]["content"] != message["content"]:
            raise BenchmarkError("The newest page does not end with the message that was just saved.")
        taken.saves.append((between - begun) * 1e6)
        taken.pages.append((ended - between) * 1e6)
        if memory is not None and len(taken.saves) % PROBES_PER_SECOND == 0:
            memory.under = max(memory.under, machine.resident_megabytes(server.pid)[1])
    taken.seconds += time.perf_counter() - start


# The answers


def text() -> str:
    """Return what every answer repeats."""
    return " ".join(f"w{number:04}" for number in range(WORDS))


@contextmanager
def listening(port: int, rooms: Sequence[Conversation]) -> Iterator[Listeners]:
    """Ask in every conversation from a process of its own; the body runs when all have begun."""
    context = multiprocessing.get_context("spawn")
    pipe, other = context.Pipe(duplex=False)
    helper = context.Process(target=_listen, args=(port, list(rooms), other), daemon=True)
    helper.start()
    try:
        listeners = Listeners(helper.pid, pipe)
        listeners.next(BEGUN_SECONDS)
        yield listeners
    finally:
        helper.terminate()
        helper.join()


def _listen(port: int, rooms: Sequence[Conversation], pipe: Connection) -> None:
    async def everybody() -> None:
        begun = asyncio.Semaphore(0)
        async with asyncio.TaskGroup() as tasks:
            dice = random.Random(1)
            for room in rooms:
                tasks.create_task(_follow(port, room, dice.uniform(0, BEGIN_SECONDS), begun, heard))
            for _ in rooms:
                await begun.acquire()
            pipe.send("begun")

    heard = Heard()
    asyncio.run(everybody())
    pipe.send(heard)


async def _follow(port: int, room: Conversation, wait: float, begun: asyncio.Semaphore, heard: Heard) -> None:
    """Ask, and follow the answer to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(live.upgrade(room.token) + live.framed({"type": "attach", "conversation_id": room.id}))
    if b" 101 " not in (head := await reader.readuntil(b"\r\n\r\n")):
        raise BenchmarkError(f"No socket: {head!r}")
    await asyncio.sleep(wait)
    writer.write(live.framed({"type": "turn", "client_id": "q", "content": f"/slow {PACE_MILLISECONDS} {text()}"}))
    so_far, words, came = "", 0, list[tuple[float, int]]()
    async for frame in _frames(reader, writer):
        match frame["type"]:
            case "ack":
                begun.release()
            case "delta":
                came.append((time.perf_counter(), words))
                if frame["offset"] != len(so_far):
                    heard.problems.append(f"An answer was told {frame['offset']} behind {len(so_far)} characters.")
                so_far += frame["text"]
                words += len(frame["text"].split())
            case "done":
                if frame["message"]["content"] != so_far:
                    heard.problems.append("An answer ended as another text than its deltas make.")
                break
            case "attached" | "event" | "presence":
                continue
            case _:
                heard.problems.append(f"A listener was told {frame}.")
                break
    writer.close()
    heard.texts[room.id] = so_far
    heard.words += words
    # The model speaks by the clock: each word has its time, and the word that came soonest shows when the first was due.
    due = min(at - word * PACE_MILLISECONDS / 1_000 for at, word in came)
    heard.deltas += [(at, (at - word * PACE_MILLISECONDS / 1_000 - due) * 1e6) for at, word in came]


async def _frames(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncIterator[dict]:
    received = bytearray()
    while True:
        start = 0
        while (frame := _frame(received, start)) is not None:
            opcode, body, start = frame
            if opcode == 0x9:
                # What was sent with the ping comes back with the pong, under a mask that is nothing.
                writer.write(bytes([0x8A, 0x80 | len(body)]) + bytes(4) + body)
            elif opcode == 0x1:
                yield json.loads(body)
            else:
                raise BenchmarkError(f"A listener was told {opcode:#x} {body[:200]!r}.")
        del received[:start]
        more = await reader.read(RECEIVED_AT_ONCE)
        if not more:
            raise BenchmarkError("A listener's socket was closed.")
        received += more


def _frame(received: bytearray, start: int) -> tuple[int, bytes, int] | None:
    if len(received) < start + 2:
        return None
    opcode, length = received[start] & 0xF, received[start + 1]
    start += 2
    if length >= 126:
        size = 2 if length == 126 else 8
        length = int.from_bytes(received[start:start + size], "big") if len(received) >= start + size else len(received)
        start += size
    end = start + length
    return (opcode, bytes(received[start:end]), end) if len(received) >= end else None
