"""A WebSocket as bytes: a client that breaks off in the middle of a frame, or never reads, as no library would."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from typing import Any

from harness import Server

RECEIVED_AT_ONCE = 65_536


def upgrade(server: Server, token: str) -> bytes:
    """Returns the request that asks for a live socket."""
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    return (
        f"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: parley.v1\r\n"
        f"Authorization: Bearer {token}\r\n\r\n").encode()


def framed(type: str, **fields: Any) -> bytes:
    """Returns one text frame as clients send it, masked."""
    text = json.dumps({"type": type, **fields}).encode()
    assert len(text) < 65_536
    length = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0x80 | 126]) + struct.pack("!H", len(text))
    mask = os.urandom(4)
    return b"\x81" + length + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(text))


def ends_inside_character(text: bytes | bytearray) -> bool:
    """Tells whether UTF-8 breaks off behind the first bytes of a character."""
    for back, byte in enumerate(reversed(text[-3:]), start=1):
        if byte & 0xC0 != 0x80:
            return byte >= 0xC0 and back < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4)
    return False


class Cut(Exception):
    """The bytes that a connection was given to live are used up."""


class Line:
    """One connection that breaks off behind so many bytes sent or so many received, wherever that is."""

    def __init__(self, server: Server, bytes_out: float, bytes_in: float) -> None:
        self._port = server.port
        self._left = {"out": bytes_out, "in": bytes_in}
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._received = bytearray()
        self._is_inside = False

    async def connect(self) -> None:
        """Connects, without a word."""
        await asyncio.get_running_loop().sock_connect(self._socket, ("127.0.0.1", self._port))

    def drop(self, *, reset: bool) -> None:
        """Ends the connection without a word, with a reset or an ordinary end."""
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    async def say(self, whole: bytes) -> None:
        """Sends a frame or a request, or the beginning of it for which there are bytes left."""
        left = self._left["out"]
        part = whole if len(whole) <= left else whole[:int(left)]
        self._left["out"] -= len(part)
        await asyncio.get_running_loop().sock_sendall(self._socket, part)
        if len(part) < len(whole):
            self._is_inside = bool(part)
            raise Cut

    async def more(self) -> bytes:
        """Returns what comes next, up to the byte behind which the connection breaks off; nothing at its end."""
        if self._left["in"] < 1:
            raise Cut
        wanted = int(min(self._left["in"], RECEIVED_AT_ONCE))
        more = await asyncio.get_running_loop().sock_recv(self._socket, wanted)
        self._left["in"] -= len(more)
        self._received += more
        return more


class Wire(Line):
    """One live socket that breaks off behind so many bytes sent or so many received, wherever in a frame that is."""

    def __init__(self, server: Server, token: str, bytes_out: float, bytes_in: float) -> None:
        super().__init__(server, bytes_out, bytes_in)
        self._upgrade = upgrade(server, token)

    async def open(self) -> None:
        """Connects and asks for the socket."""
        await self.connect()
        await self.say(self._upgrade)
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            await self._more()
        assert self._received.startswith(b"HTTP/1.1 101 "), self._received
        del self._received[:end + 4]

    @property
    def is_inside(self) -> bool:
        """Tells whether part of a frame, or of the handshake, has gone or come whose rest has not."""
        return self._is_inside or bool(self._received)

    @property
    def is_inside_character(self) -> bool:
        """Tells whether the last byte that came is in the middle of a character."""
        return ends_inside_character(self._received[4:])

    async def hear(self) -> dict[str, Any]:
        """Returns the next message of the server."""
        while True:
            while (frame := self._taken()) is None:
                await self._more()
            opcode, body = frame
            assert opcode != 0x8, f"the server closed the socket: {body!r}"
            if opcode == 0x1:
                message: dict[str, Any] = json.loads(body)
                return message

    def _taken(self) -> tuple[int, bytes] | None:
        received = self._received
        if len(received) < 2:
            return None
        length, start = received[1], 2
        if length == 126:
            length, start = int.from_bytes(received[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(received[2:10], "big"), 10
        if len(received) < start + length:
            return None
        opcode, body = received[0] & 0xF, bytes(received[start:start + length])
        del received[:start + length]
        return opcode, body

    async def _more(self) -> None:
        assert await self.more(), "the server ended the connection"


class Deaf:
    """A client that attaches and then never reads; its inbox is as small as the system allows."""

    def __init__(self, server: Server, token: str, session: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._socket.connect(("127.0.0.1", server.port))
        self._socket.sendall(upgrade(server, token) + framed("attach", session_id=session))

    def bytes_to_the_end(self, seconds: float) -> int:
        """Reads at last, until the server's end, and returns how many bytes there were."""
        count = 0
        self._socket.settimeout(seconds)
        with self._socket:
            try:
                while more := self._socket.recv(RECEIVED_AT_ONCE):
                    count += len(more)
            except ConnectionResetError:
                pass
        return count
