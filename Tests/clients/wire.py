"""HTTP/1.1 as bytes: requests that no library would send, and what came back."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass

ANSWER_SECONDS = 5.0
CLOSE_SECONDS = 5.0


@dataclass(frozen=True)
class Reply:
    """One final HTTP answer: its status, its header lines with lower-case names, its body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Returns the value of the first header line of that lower-case name."""
        return next((value for each, value in self.headers if each == name), None)


@dataclass(frozen=True)
class Exchange:
    """What one connection brought: the final answers in order, and whether the server closed it."""

    replies: tuple[Reply, ...]
    closed: bool
    seconds: float


def request(method: str, target: str | bytes, headers: Iterable[tuple[str, str | bytes]], body: bytes | None) -> bytes:
    """Returns the bytes of one request; the length of the body is added unless a header frames it."""
    lines = [method.encode() + b" " + as_bytes(target) + b" HTTP/1.1"]
    pairs = list(headers)
    if body is not None and not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in pairs):
        pairs.append(("Content-Length", str(len(body))))
    lines += [name.encode() + b": " + as_bytes(value) for name, value in pairs]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def exchange(
    port: int, sent: bytes, *, replies: int = 1, to_end: bool = False, head_only: bool = False,
    seconds: float = ANSWER_SECONDS,
) -> Exchange:
    """Sends the bytes on a connection of its own and returns what came back within so many seconds.

    It returns after so many `replies`, or with `to_end` closes its own side and reads until the server has closed
    the other. `head_only` is for answers to HEAD.
    """
    started = time.monotonic()
    deadline = started + seconds
    received = bytearray()
    closed = False
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        try:
            connection.sendall(sent)
            if to_end:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            # The server answered and closed before it had read everything; the answer may still be there.
            pass
        while True:
            # Looking at a long body again and again, while it comes in, would take longer than the server does.
            found = parse(bytes(received), closed, head_only) if closed or head_only or not _is_cut(received) else []
            if closed or (len(found) >= replies and not to_end):
                break
            left = deadline - time.monotonic()
            if left <= 0:
                break
            connection.settimeout(left)
            try:
                part = connection.recv(65_536)
            except TimeoutError:
                break
            except OSError:
                part = b""
            received += part
            closed = not part
    return Exchange(tuple(found), closed, time.monotonic() - started)


def closes(connection: socket.socket, seconds: float = CLOSE_SECONDS) -> bool:
    """Tells whether the server closes the connection within so many seconds, whatever it sends before."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def parse(received: bytes, closed: bool, head_only: bool = False) -> list[Reply]:
    """Returns the final answers that the bytes hold in full; interim ones (1xx) are left out."""
    replies: list[Reply] = []
    rest = received
    while (end := rest.find(b"\r\n\r\n")) >= 0:
        lines = rest[:end].decode("latin-1").split("\r\n")
        if not re.fullmatch(r"HTTP/1\.[01] [1-5][0-9]{2} .*", lines[0]):
            break
        headers = tuple(
            (name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:]))
        status = int(lines[0].split(" ")[1])
        rest = rest[end + 4:]
        if 100 <= status < 200:
            continue
        fields = dict(headers)
        if head_only or status in (204, 304):
            body: bytes | None = b""
        elif fields.get("transfer-encoding") == "chunked":
            body, rest = _chunked(rest)
        elif "content-length" in fields:
            length = int(fields["content-length"])
            body, rest = (rest[:length], rest[length:]) if len(rest) >= length else (None, rest)
        else:
            body, rest = (rest, b"") if closed else (None, rest)
        if body is None:
            break
        replies.append(Reply(status, headers, body))
    return replies


def as_bytes(value: str | bytes) -> bytes:
    """Returns the UTF-8 bytes of a text, and bytes as they are."""
    return value.encode() if isinstance(value, str) else value


def _is_cut(received: bytearray) -> bool:
    """Tells whether what came in is the beginning of one answer, by the length it names or the end of its chunks."""
    end = received.find(b"\r\n\r\n")
    head = bytes(received[:end + 2]).lower()
    if b"\r\ntransfer-encoding: chunked\r\n" in head:
        return not received.endswith(b"\r\n0\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *([0-9]+)\r\n", head)
    return length is not None and len(received) < end + 4 + int(length[1])


def _chunked(rest: bytes) -> tuple[bytes | None, bytes]:
    body = bytearray()
    at = 0
    while (line_end := rest.find(b"\r\n", at)) >= 0:
        length = int(rest[at:line_end].split(b";")[0], 16)
        start = line_end + 2
        if len(rest) < start + length + 2:
            break
        body += rest[start:start + length]
        at = start + length + 2
        if length == 0:
            return bytes(body), rest[at:]
    return None, rest
