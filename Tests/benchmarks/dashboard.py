"""The dashboard on a real terminal over a full server: how soon it paints, and what it costs."""

import json
import math
import multiprocessing
import os
import random
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import live
import machine
import seeding
from load import BenchmarkError, Recorder, request_head
from parley import Conversation, Parley
from terminal import Terminal, busy_nanoseconds, frames

LIVE = 50
STARTS = 20
KEYS = 300
ESCAPES = 30
RESIZES = 20
LOADS = 30
IDLE_SECONDS = 20
STREAM_SECONDS = 10
WRITERS = 8
"""Each grows a message of its own, at the end of the open thread."""
EVENTS_PER_SECOND = 1_000
EDITS = 200
"""Of one message, before its writer begins another."""


@dataclass(frozen=True)
class Bench:
    """The program and the server that it looks at."""

    binary: Path
    server: Parley
    found: Recorder

    def terminal(self, rows: int = 36, columns: int = 120) -> Terminal:
        """Start the dashboard."""
        command = ["dashboard", "--data", str(self.server.data), "--server", f"http://127.0.0.1:{self.server.port}"]
        return Terminal([str(self.binary), *command], rows, columns)

    def note(self, key: str, what: str, values: Sequence[float], unit: str = "ms") -> None:
        """Record the spread of some times, and the value that is promised of them."""
        p50, p95, p99 = (percentile(values, share) for share in (0.5, 0.95, 0.99))
        self.found.remarks.append(
            f"Dashboard: {what}: p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f}, longest {max(values):.1f} {unit}, {len(values)} times.")
        machine.say(f"  {self.found.remarks[-1]}")
        self.found.values[key] = p95

    def tell(self, what: str) -> None:
        """Record a fact beside the promises."""
        self.found.remarks.append(f"Dashboard: {what}")
        machine.say(f"  {self.found.remarks[-1]}")


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of them lies."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def measure(bench: Bench, threads: int, messages: int) -> None:
    """Fill the server, keep sessions open on it, and measure every figure of the screens."""
    *others, long = seeding.fill(bench.server, threads, seeding.RUN, messages)
    with sessions(bench.server.port, others[:LIVE]):
        measure_starts(bench)
        with bench.terminal() as terminal:
            terminal.until(lambda: terminal.shows(f"{LIVE} live"), f"'{LIVE} live'")
            terminal.settle()
            clears = terminal.clears
            measure_keys(bench, terminal)
            measure_stopped_server(bench, terminal)
            measure_escape(bench, terminal)
            measure_idle(bench, terminal)
            open_thread(bench, terminal, long)
            measure_loading(bench, terminal)
            measure_streaming(bench, terminal, long)
            measure_memory(bench, terminal)
            bench.found.values["dash_clears"] = terminal.clears - clears
            measure_resizes(bench, terminal)


# What keeps the server busy


@contextmanager
def sessions(port: int, conversations: Sequence[Conversation]) -> Iterator[None]:
    """Keep a WebSocket attached to each conversation, from a process of its own."""
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    helper = context.Process(target=_attend, args=(port, list(conversations), begun), daemon=True)
    helper.start()
    try:
        if not begun.wait(60):
            raise BenchmarkError("The live sessions did not begin.")
        yield
    finally:
        helper.terminate()
        helper.join()


def _attend(port: int, conversations: Sequence[Conversation], begun: "multiprocessing.synchronize.Event") -> None:
    sockets = []
    for conversation in conversations:
        made = socket.create_connection(("127.0.0.1", port), timeout=30)
        made.sendall(live.upgrade(conversation.token))
        made.sendall(live.framed({"type": "attach", "conversation_id": conversation.id}))
        received = b""
        while b'"attached"' not in received:
            received += made.recv(65_536)
        sockets.append(made)
    begun.set()
    while True:
        ready, _, _ = select.select(sockets, [], [])
        for made in ready:
            piece = made.recv(65_536)
            if not piece:
                sockets.remove(made)
            elif piece[0] == 0x89:
                # What was sent with the ping comes back with the pong, under a mask that is nothing.
                made.sendall(bytes([0x8A, 0x80 | piece[1]]) + bytes(4) + piece[2:2 + piece[1]])


@contextmanager
def streaming(port: int, conversation: Conversation) -> Iterator[Callable[[], int]]:
    """Let answers grow at the end of a conversation, word by word, from a process of its own; give how many changes so far."""
    context = multiprocessing.get_context("spawn")
    done, count = context.Event(), context.Value("l", 0)
    helper = context.Process(target=_stream, args=(port, conversation, done, count), daemon=True)
    helper.start()
    try:
        yield lambda: count.value
    finally:
        done.set()
        helper.join(10)
        helper.terminate()


def _stream(port: int, conversation: Conversation, done: "multiprocessing.synchronize.Event", count: object) -> None:
    def write() -> None:
        made = socket.create_connection(("127.0.0.1", port), timeout=30)
        answers = made.makefile("rb")
        head = {"Authorization": f"Bearer {conversation.token}"}

        def exchange(method: str, path: str, body: dict[str, str]) -> dict:
            text = json.dumps(body).encode()
            made.sendall(request_head(method, path, head, len(text)).encode() + text)
            length = 0
            status = answers.readline()
            while (line := answers.readline()).strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            answer = answers.read(length)
            if status.split()[1] not in (b"200", b"201"):
                raise BenchmarkError(f"A change was answered {status!r}: {answer[:300]!r}")
            return json.loads(answer)

        due = time.perf_counter()
        while not done.is_set():
            text = "An answer that grows:"
            said = exchange("POST", conversation.path, {"role": "assistant", "content": text})["message"]["id"]
            for number in range(EDITS):
                with count.get_lock():
                    count.value += 1
                if done.is_set():
                    return
                text += f" word{number}"
                exchange("PATCH", f"/v1/messages/{said}", {"content": text})
                due = max(due + WRITERS / EVENTS_PER_SECOND, time.perf_counter() - 0.1)
                time.sleep(max(0.0, due - time.perf_counter()))

    writers = [threading.Thread(target=write, daemon=True) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()


# What is measured


def measure_starts(bench: Bench) -> None:
    """From exec to the first frame, and to the first data."""
    first, data = [], []
    for _ in range(STARTS):
        with bench.terminal() as terminal:
            chunks = terminal.gather(0.4, least=2)
            moments: dict[str, float] = {}
            for chunk in chunks:
                terminal.feed([chunk])
                for word in ("PARLEY", f"{LIVE} live", f"of {LIVE} "):
                    if terminal.shows(word):
                        moments.setdefault(word, chunk[0])
            bench.found.check(len(moments) == 3, f"The dashboard began without its data: {list(moments)}")
            first.append((min(moments.values()) - terminal.started) * 1_000)
            data.append((max(moments.values()) - terminal.started) * 1_000)
    bench.note("dash_first", "exec to the first frame", first)
    bench.note("dash_data", f"exec to the first data, {LIVE} live sessions", data)


def press(terminal: Terminal, keys: str) -> float | None:
    """Press keys and return the milliseconds until the screen below the clock has changed; None if it did not."""
    before = terminal.body
    sent = terminal.send(keys)
    chunks = terminal.gather(0.02, longest=1.0)
    found = terminal.time_of(chunks, lambda: terminal.body != before)
    return None if found is None else (found - sent) * 1_000


def measure_keys(bench: Bench, terminal: Terminal) -> None:
    """From a key to what it does on the screen, in every view."""
    dice = random.Random(7)
    times: list[float] = []
    lost = 0
    script = "jjjjkkkk2135" + "3jjjjjjkkk1" + "?\x1b?\x1b2531"
    while len(times) + lost < KEYS:
        for key in script:
            # Apart, so that the Esc is one, and not in step with the clock.
            time.sleep(dice.uniform(0.02, 0.08))
            terminal.settle(0.01)
            took = press(terminal, key)
            if took is None:
                lost += 1
            elif key != "\x1b":
                times.append(took)
    _note_keys(bench, "dash_key", "key to paint", times, lost)


def _note_keys(bench: Bench, key: str, what: str, times: Sequence[float], lost: int) -> None:
    bench.note(key, what, times)
    del bench.found.values[key]
    bench.found.values[f"{key}_p50"] = percentile(times, 0.5)
    bench.found.values[f"{key}_p99"] = percentile(times, 0.99)
    bench.found.check(lost == 0, f"Dashboard: {lost} keys changed nothing within a second ({key}).")


def measure_stopped_server(bench: Bench, terminal: Terminal) -> None:
    """The same with a server that says nothing; and how long until that is shown, and until it is healed."""
    os.kill(bench.server.pid, signal.SIGSTOP)
    stopped = time.perf_counter()
    times, lost, shown = [], 0, None
    try:
        while time.perf_counter() < stopped + 6:
            for key in "jkjkjk25?\x1b1":
                time.sleep(0.04)
                terminal.settle(0.01)
                took = press(terminal, key)
                if took is None:
                    lost += 1
                elif key != "\x1b":
                    times.append(took)
                if shown is None and terminal.shows("DISCONNECTED"):
                    shown = time.perf_counter() - stopped
    finally:
        os.kill(bench.server.pid, signal.SIGCONT)
    back = time.perf_counter()
    healed = terminal.until(lambda: not terminal.shows("DISCONNECTED"), "The end of an outage") - back
    _note_keys(bench, "dash_key_stopped", "key to paint, server stopped by SIGSTOP", times, lost)
    bench.found.values["dash_lost_seconds"] = shown or float("inf")
    bench.found.values["dash_healed_seconds"] = healed


def measure_escape(bench: Bench, terminal: Terminal) -> None:
    """From Esc to what it does: it is told from the beginning of another key by waiting."""
    times = []
    for _ in range(ESCAPES):
        terminal.send("?")
        terminal.until(lambda: terminal.shows("─ Keys"), "The help")
        terminal.settle(0.03)
        sent = terminal.send("\x1b")
        times.append((terminal.until(lambda: not terminal.shows("─ Keys"), "Esc") - sent) * 1_000)
    bench.note("dash_escape", "Esc to action", times)


def measure_idle(bench: Bench, terminal: Terminal) -> None:
    """Processor time while nothing is asked for: paused, and with a reading and a tick a second; and bytes of a frame."""
    terminal.send("1 ")
    terminal.until(lambda: terminal.shows("PAUSED"), "The pause")
    terminal.settle(1.0)
    spent = busy_nanoseconds(terminal.pid)
    quiet = terminal.gather(0.5, least=1, longest=IDLE_SECONDS / 2)
    bench.found.check(not quiet, f"Dashboard: something was drawn while paused: {quiet[:2]!r}")
    bench.found.values["dash_paused"] = (busy_nanoseconds(terminal.pid) - spent) / (IDLE_SECONDS / 2) / 1e7
    terminal.send(" ")
    terminal.until(lambda: not terminal.shows("PAUSED"), "The end of the pause")
    terminal.settle(0.2)
    spent, start = busy_nanoseconds(terminal.pid), time.perf_counter()
    chunks = terminal.gather(2, least=10_000, longest=IDLE_SECONDS)
    bench.found.values["dash_idle"] = (busy_nanoseconds(terminal.pid) - spent) / (time.perf_counter() - start) / 1e7
    terminal.feed(chunks)
    drawn = [size for _, size in frames(chunks)]
    bench.found.values["dash_bytes"] = percentile(drawn, 0.95)
    bench.tell(
        f"{len(drawn) / IDLE_SECONDS:.1f} frames/s while idle, of {median(drawn):.0f} bytes (p50), {max(drawn)} the largest.")


def open_thread(bench: Bench, terminal: Terminal, long: Conversation) -> None:
    """Open the long thread from the list of all: something is said in it first, so that it is the first of them."""
    bench.server.client().post(long.path, {"role": "user", "content": "The newest of all."}, long.token)
    terminal.send("3")
    terminal.until(lambda: terminal.shows("MADE"), "The list of threads")
    terminal.send("g")
    # The list is read again every few seconds; until then another thread is the first of it.
    terminal.until(lambda: any("> " in line and f"{long.messages // 1_000}k" in line for line in terminal.lines[:8]),
                   "The long thread at the top of the list")
    terminal.send("\r")
    terminal.until(lambda: terminal.shows(f"#{long.messages + 1} "), "The long thread")
    terminal.settle(0.3)


def _status(terminal: Terminal) -> str:
    """Return the last line of the messages: what follows, and where one is."""
    return terminal.lines[-4][33:].strip("│ ")


def measure_loading(bench: Bench, terminal: Terminal) -> None:
    """From asking for older messages to their being there, and whether what is read keeps its place."""
    # At once above the newest: then the last line says what is under way.
    terminal.send("k")
    terminal.settle(0.1)
    times = []
    for _ in range(LOADS):
        sent = terminal.send("L")
        chunks = terminal.gather(0.1, least=2, longest=2)
        asked, there = False, None
        for chunk in chunks:
            terminal.feed([chunk])
            # Both may come in one piece.
            asked = asked or b"loading" in chunk[1]
            if asked and there is None and "loading" not in _status(terminal):
                there = chunk[0]
        bench.found.check(there is not None, "Dashboard: older messages did not come.")
        times += [(there - sent) * 1_000] if there is not None else []
    bench.note("dash_older", "load older 50", times)
    # A server that sleeps for a moment: the reader is at the top before the next fifty are there.
    kept = 0
    for _ in range(5):
        terminal.send("G")
        terminal.settle(0.3)
        terminal.send("g")
        terminal.until(lambda: terminal.shows("#1 "), "The oldest message")
        terminal.send("G")
        terminal.until(lambda: "following" in _status(terminal), "The newest message")
        terminal.settle(0.2)
        os.kill(bench.server.pid, signal.SIGSTOP)
        try:
            terminal.send("\x1b[5~" * 12)
            terminal.until(lambda: terminal.shows("older messages, loading"), "The top of what is loaded", 1.5)
            terminal.settle(0.05)
            before = _rows(terminal)
        finally:
            os.kill(bench.server.pid, signal.SIGCONT)
        terminal.settle(0.4)
        after = _rows(terminal)
        kept += not terminal.shows("older messages, loading") and bool(before) and all(after.get(position) == row for position, row in before.items())
    bench.found.values["dash_kept"] = kept / 5
    bench.tell(f"the messages on the screen kept their rows while 50 came above them: {kept} of 5 times.")


def _rows(terminal: Terminal) -> dict[str, int]:
    """Return the row of each message that begins on the screen."""
    found = {}
    for row, line in enumerate(terminal.lines[3:-4]):
        head = line[33:].lstrip("│ ")
        if head.startswith("#"):
            found[head.split()[0]] = row
    return found


def measure_streaming(bench: Bench, terminal: Terminal, long: Conversation) -> None:
    """Frames and processor time while answers grow in the open thread."""
    terminal.send("G")
    terminal.until(lambda: "following" in _status(terminal), "The newest message")
    with streaming(bench.server.port, long) as changes:
        terminal.until(lambda: terminal.shows("An answer that grows"), "The first answer")
        terminal.settle_for(2)
        spent, counted, start = busy_nanoseconds(terminal.pid), changes(), time.perf_counter()
        chunks = terminal.gather(2, least=100_000, longest=STREAM_SECONDS)
        seconds = time.perf_counter() - start
        rate = (changes() - counted) / seconds
        bench.found.values["dash_stream_cpu"] = (busy_nanoseconds(terminal.pid) - spent) / seconds / 1e7
        terminal.feed(chunks)
    drawn = frames(chunks)
    bench.found.values["dash_stream_frames"] = len(drawn) / seconds
    bench.tell(
        f"streaming: {rate:,.0f} changes/s of {WRITERS} messages that grow by a word each, as edits, because answers do not "
        f"stream yet; frames of {median(size for _, size in drawn):.0f} bytes (p50), {max(size for _, size in drawn):,} the largest.")
    bench.found.check(rate >= 0.9 * EVENTS_PER_SECOND, f"Dashboard: only {rate:,.0f} of {EVENTS_PER_SECOND:,} changes/s were made.")
    terminal.settle(0.5)


def measure_memory(bench: Bench, terminal: Terminal) -> None:
    """Resident memory after all of the long thread was paged through, upwards."""
    start, pages = time.perf_counter(), 0
    before = machine.resident_megabytes(terminal.pid)[1]
    while not any(line[33:].lstrip("│ ").startswith("#1 ") for line in terminal.lines):
        # Several at once: as fast as a key repeats, and as fast as the screen follows.
        terminal.send("\x1b[5~" * 2)
        pages += 2
        terminal.feed(terminal.gather(0.002, longest=1))
        if time.perf_counter() > start + 600:
            raise BenchmarkError("Paging upwards does not end:\n" + "\n".join(terminal.lines))
    seconds = time.perf_counter() - start
    peak, present = machine.resident_megabytes(terminal.pid)
    bench.found.values["dash_memory_mb"] = peak
    anonymous = next(
        int(line.split()[1]) * 1_024 / machine.MEGABYTE
        for line in Path(f"/proc/{terminal.pid}/status").read_text().splitlines() if line.startswith("RssAnon"))
    bench.tell(
        f"paged to the first message in {seconds:.0f} s, {pages:,} pages; resident {before:.1f} MB before, {present:.1f} MB "
        f"after, {anonymous:.1f} MB of it anonymous; peak {peak:.1f} MB.")


def measure_resizes(bench: Bench, terminal: Terminal) -> None:
    """From a new size to the last row at its new place."""
    times = []
    sizes = [(24, 80), (36, 120), (50, 160), (30, 100)]
    for number in range(RESIZES):
        rows, columns = sizes[number % len(sizes)]
        terminal.settle(0.05)
        sent = terminal.resize(rows, columns)
        times.append((terminal.until(lambda: "q quit" in terminal.lines[-1], "The new size") - sent) * 1_000)
    bench.note("dash_resize", "resize to repaint", times)
