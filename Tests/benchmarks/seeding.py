"""Fills a store over HTTP the way users do: all conversations grow side by side, one turn at a time."""

import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import machine
from load import BenchmarkError, contents, request_head
from parley import Conversation, Parley

RUN = 2
"""Messages in one append: a question and its answer. The former tables are filled in the same order."""

CREATING_THREADS = 8
APPENDING_THREADS = 64
PIPELINED = 16


def fill(server: Parley, small: int, each: int, big: int = 0) -> list[Conversation]:
    """Make `small` conversations of `each` messages and, if `big` is not 0, a last one of `big`; each has its own user."""
    sizes = [each] * small + ([big] if big else [])
    conversations = _create(server, sizes)
    rounds = each // RUN
    one_round = _woven(conversations, small, big // RUN // rounds)
    filling = _Filling(server.port, one_round, rounds, contents())
    with ThreadPoolExecutor(APPENDING_THREADS) as pool:
        workers = [pool.submit(filling.append, start) for start in range(min(APPENDING_THREADS, len(one_round)))]
        try:
            for worker in as_completed(workers):
                worker.result()
        finally:
            # After an error or Ctrl-C the pool would else wait for all workers to finish their shares.
            filling.stop.set()
    return conversations


def _create(server: Parley, sizes: Sequence[int]) -> list[Conversation]:
    clients = threading.local()

    def create(numbered: tuple[int, int]) -> Conversation:
        if not hasattr(clients, "own"):
            clients.own = server.client()
        return server.new_conversation(clients.own, *numbered)

    with ThreadPoolExecutor(CREATING_THREADS) as pool:
        return list(pool.map(create, enumerate(sizes, start=1)))


def _woven(conversations: Sequence[Conversation], small: int, times: int) -> list[Conversation]:
    """Return the order of one round: each small conversation once, the big one `times` times, evenly between them."""
    order: list[Conversation] = []
    for index in range(small):
        order.append(conversations[index])
        due = (index + 1) * times // small - index * times // small
        order += [conversations[-1]] * due
    return order


class _Filling:
    """The appends of all rounds, shared out to workers."""

    def __init__(self, port: int, one_round: Sequence[Conversation], rounds: int, texts: Sequence[str]) -> None:
        self.stop = threading.Event()
        self._port = port
        self._one_round = one_round
        self._rounds = rounds
        self._texts = texts
        self._progress = _Progress(rounds * len(one_round) * RUN)

    def append(self, start: int) -> None:
        """Append one worker's share of every round; a small conversation belongs to one worker, so its order is kept."""
        share = list(enumerate(self._one_round))[start::APPENDING_THREADS]
        heads = {one.id: self._head(one) for _, one in share}
        pipe = _Pipe(self._port)
        for number in range(self._rounds):
            for first in range(0, len(share), PIPELINED):
                if self.stop.is_set():
                    return
                some = share[first:first + PIPELINED]
                pipe.send([heads[one.id] + self._body(number, place) for place, one in some])
                self._progress.add(len(some) * RUN)

    def _head(self, one: Conversation) -> bytes:
        headers = {"Authorization": f"Bearer {one.token}"}
        return request_head("POST", one.path, headers, len(self._body(0, 0))).encode()

    def _body(self, number: int, place: int) -> bytes:
        """Return one turn; every turn has the same length and, by its round and its place in it, client ids of its own."""
        messages = (
            f'{{"role":"{role}","content":"{self._texts[(number * 37 + place + shift) % len(self._texts)]}",'
            f'"client_id":"seed-{number:04d}-{place:06d}-{shift}"}}'
            for shift, role in enumerate(("user", "assistant"))
        )
        return f'{{"messages":[{",".join(messages)}]}}'.encode()


class _Pipe:
    """One connection on which several requests are sent before their answers are read."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._answers = self._socket.makefile("rb")

    def send(self, requests: Sequence[bytes]) -> None:
        """Send all requests, and return when all were answered 201."""
        self._socket.sendall(b"".join(requests))
        for _ in requests:
            self._expect_created()

    def _expect_created(self) -> None:
        status, length = self._answers.readline(), None
        while (line := self._answers.readline()).strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = self._answers.read(length or 0)
        if length is None or status.split()[1:2] != [b"201"]:
            raise BenchmarkError(f"An append while filling the store was answered {status!r}: {body[:300]!r}")


class _Progress:
    """Shows each tenth of the messages stored so far."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._stored = 0
        self._lock = threading.Lock()

    def add(self, messages: int) -> None:
        """Count messages that were stored."""
        with self._lock:
            tenths = self._stored * 10 // self._total
            self._stored += messages
            if self._stored * 10 // self._total > tenths:
                machine.say(f"  {self._stored:,} of {self._total:,} messages stored")
