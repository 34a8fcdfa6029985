"""A program of Parley's on a pseudoterminal, and what its screen shows."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Self

import pexpect
import pyte

from harness import binary

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """A command of Parley's in a terminal of its own."""

    def __init__(self, *arguments: str, rows: int = 36, columns: int = 120, **names: str) -> None:
        self.written = b""
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8", **names}
        self.child = pexpect.spawn(binary(), list(arguments), env=environment, dimensions=(rows, columns), timeout=10)
        self.child.delaybeforesend = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.child.close(force=True)

    @property
    def text(self) -> str:
        rows = (self.screen.buffer[row] for row in range(self.screen.lines))
        return "\n".join("".join(row[column].data for column in range(self.screen.columns)) for row in rows)

    def shows(self, text: str, seconds: float = 15) -> None:
        """Reads until the screen shows the text."""
        deadline = time.monotonic() + seconds
        while text not in self.text:
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.text}"
            try:
                self.read(0.2)
            except pexpect.TIMEOUT:
                continue

    def gone(self, text: str, seconds: float = 15) -> None:
        """Reads until the screen shows the text no more."""
        deadline = time.monotonic() + seconds
        while text in self.text:
            assert time.monotonic() < deadline, f"{text!r} still in:\n{self.text}"
            # Not until it is quiet: a busy screen is so for seconds, and what was gone may be back by then.
            try:
                self.read(0.2)
            except pexpect.TIMEOUT:
                continue

    def settle(self, seconds: float = 0.1) -> None:
        """Reads until nothing more comes for a moment."""
        while True:
            try:
                self.read(seconds)
            except pexpect.TIMEOUT:
                return

    def read(self, seconds: float) -> None:
        came = self.child.read_nonblocking(65_536, timeout=seconds)
        self.written += came
        self._stream.feed(came)

    def press(self, keys: str) -> None:
        self.child.send(keys)

    def ended(self) -> int:
        """Reads to the end; returns the exit code, or minus the signal."""
        deadline = time.monotonic() + 30
        while True:
            assert time.monotonic() < deadline, f"it goes on:\n{self.text}"
            try:
                self.read(10)
            except pexpect.EOF:
                break
        self.child.wait()
        return self.child.exitstatus if self.child.signalstatus is None else -self.child.signalstatus

    def left_clean(self) -> bool:
        tail = self.written[self.written.rindex(LEAVE):]
        return self.written.count(ENTER) == self.written.count(LEAVE) == 1 and b"\x1b[?25l" not in tail
