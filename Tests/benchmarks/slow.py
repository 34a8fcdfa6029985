"""Slow clients: connections that send or take so little that they only hold the server's memory and time."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle

from load import request_head
from parley import Client, Conversation

CONNECTIONS = 500
SECONDS = 60
DRIP_SECONDS = 0.5
QUIET_SECONDS = 35
"""After the last of them: the server gives memory back every half minute."""
LONG_MESSAGES = 64
LONG_BYTES = 250_000
SMALL_INBOX = 4_096


@dataclass
class Attacked:
    """What the slow clients met so far: connections that the server closed on them, and ones it refused."""

    opened: int = 0
    closed: int = 0


def long_conversation(client: Client, conversation: Conversation) -> None:
    """Fill a conversation so that its newest page of 200 holds sixteen megabytes."""
    for number in range(LONG_MESSAGES):
        message = {"role": "user", "content": "x" * LONG_BYTES, "client_id": f"long-{number}"}
        client.post(conversation.path, message, conversation.token)


@contextmanager
def slow_clients(port: int, conversation: Conversation) -> Iterator[Attacked]:
    """Hold connections while the body runs: a third drip their head, a third their body, a third never read their answer.

    One that the server closes is opened again at once.
    """
    authorization = {"Authorization": f"Bearer {conversation.token}"}
    page = f"/v1/conversations/{conversation.id}/messages?limit=200"
    beginnings = cycle([
        (b"GET /healthz HTTP/1.1\r\nHost: slow\r\nX: ", True),
        (request_head("POST", conversation.path, authorization, 900_000).encode(), True),
        (request_head("GET", page, authorization).encode(), False),
    ])
    attacked = Attacked()
    stop = threading.Event()
    thread = threading.Thread(target=_attack, args=(port, beginnings, attacked, stop))
    thread.start()
    try:
        yield attacked
    finally:
        stop.set()
        thread.join()


def _attack(port: int, beginnings: Iterator[tuple[bytes, bool]], attacked: Attacked, stop: threading.Event) -> None:
    with selectors.DefaultSelector() as selector:

        def open_one(beginning: bytes, drips: bool) -> None:
            made = socket.socket()
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_INBOX)
            made.connect(("127.0.0.1", port))
            made.sendall(beginning)
            made.setblocking(False)
            # The deaf ones are watched for nothing: they would wake us all the time.
            selector.register(made, selectors.EVENT_READ if drips else selectors.EVENT_WRITE, (beginning, drips))
            attacked.opened += 1

        for _ in range(CONNECTIONS):
            open_one(*next(beginnings))
        while not stop.wait(DRIP_SECONDS):
            for key in list(selector.get_map().values()):
                made, (beginning, drips) = key.fileobj, key.data
                try:
                    if drips:
                        made.send(b"x")
                        ended = _has_ended(made)
                    else:
                        # A reset shows up as an error of the socket; an answer that is not read does not.
                        ended = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
                except OSError:
                    ended = True
                if ended:
                    selector.unregister(made)
                    made.close()
                    attacked.closed += 1
                    open_one(beginning, drips)
        for key in list(selector.get_map().values()):
            key.fileobj.close()


def _has_ended(made: socket.socket) -> bool:
    try:
        return made.recv(65_536, socket.MSG_PEEK) == b"" or made.recv(65_536) != b""
    except BlockingIOError:
        return False
