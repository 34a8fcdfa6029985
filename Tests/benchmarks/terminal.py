"""A program on a pseudoterminal: what it writes and when, and the screen that a person would see."""

import fcntl
import os
import select
import struct
import termios
import time
from collections.abc import Callable, Sequence

from load import BenchmarkError

try:
    import pexpect
    import pyte
except ImportError:
    # Only two of the programs here need them, and say so.
    pexpect = pyte = None

CLEAR = b"\x1b[2J"
GIVE_UP_SECONDS = 10.0
FRAME_GAP_SECONDS = 0.008
"""Two writes that are further apart than this are two frames."""

Chunk = tuple[float, bytes]


def require() -> None:
    """Raise if a screen cannot be read here."""
    if pexpect is None or pyte is None:
        raise BenchmarkError("pexpect or pyte is missing: Config/install bench installs them.")


class Terminal:
    """A program with a terminal of its own. Nothing it writes is looked at before it was timed."""

    def __init__(
        self, command: Sequence[str], rows: int = 36, columns: int = 120, kind: str = "xterm-256color"
    ) -> None:
        require()
        self.screen = pyte.Screen(columns, rows)
        self.written = 0
        self.clears = 0
        self._stream = pyte.ByteStream(self.screen)
        environment = {"PATH": os.environ["PATH"], "TERM": kind, "LANG": "C.UTF-8"}
        self.started = time.perf_counter()
        self.child = pexpect.spawn(command[0], list(command[1:]), env=environment, dimensions=(rows, columns))
        self._descriptor = self.child.child_fd

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.child.close(force=True)

    @property
    def pid(self) -> int:
        """Return the id of the program."""
        return self.child.pid

    @property
    def lines(self) -> list[str]:
        """Return what each row shows."""
        rows = (self.screen.buffer[row] for row in range(self.screen.lines))
        return ["".join(row[column].data for column in range(self.screen.columns)) for row in rows]

    @property
    def body(self) -> list[tuple[str, bool]]:
        """Return each cell below the row with the clock, and whether it is selected."""
        rows = (self.screen.buffer[row] for row in range(1, self.screen.lines))
        return [(row[column].data, row[column].reverse) for row in rows for column in range(self.screen.columns)]

    def shows(self, text: str) -> bool:
        """Return whether some row holds the text."""
        return any(text in line for line in self.lines)

    def send(self, keys: str) -> float:
        """Press keys; return when."""
        now = time.perf_counter()
        os.write(self._descriptor, keys.encode())
        return now

    def resize(self, rows: int, columns: int) -> float:
        """Change the size of the terminal; return when."""
        self.screen.resize(rows, columns)
        now = time.perf_counter()
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        return now

    def gather(self, quiet: float = 0.03, least: int = 1, longest: float = GIVE_UP_SECONDS) -> list[Chunk]:
        """Read until `least` pieces came and then nothing for a while, or for so long at most; look at nothing."""
        chunks: list[Chunk] = []
        end = time.perf_counter() + longest
        while (left := end - time.perf_counter()) > 0:
            ready, _, _ = select.select([self._descriptor], [], [], left if len(chunks) < least else min(left, quiet))
            if not ready:
                break
            try:
                chunks.append((time.perf_counter(), os.read(self._descriptor, 65_536)))
            except OSError:
                raise BenchmarkError("The dashboard has ended:\n" + "\n".join(self.lines)) from None
        return chunks

    def feed(self, chunks: Sequence[Chunk]) -> None:
        """Show pieces on the screen."""
        for _, piece in chunks:
            self.written += len(piece)
            self.clears += piece.count(CLEAR)
            self._stream.feed(piece)

    def settle(self, quiet: float = 0.15) -> None:
        """Show everything that comes until nothing does."""
        self.feed(self.gather(quiet, least=0, longest=GIVE_UP_SECONDS))

    def settle_for(self, seconds: float) -> None:
        """Show everything that comes in so many seconds."""
        self.feed(self.gather(seconds, least=1_000_000, longest=seconds))

    def time_of(self, chunks: Sequence[Chunk], holds: Callable[[], bool]) -> float | None:
        """Show pieces one by one; return when the one came after which the condition held first."""
        found = None
        for chunk in chunks:
            self.feed([chunk])
            if found is None and holds():
                found = chunk[0]
        return found

    def until(self, holds: Callable[[], bool], what: str, longest: float = GIVE_UP_SECONDS) -> float:
        """Show what comes until the condition holds; return when the piece came that did it."""
        end = time.perf_counter() + longest
        while time.perf_counter() < end:
            found = self.time_of(self.gather(0.01, longest=max(0.01, end - time.perf_counter())), holds)
            if found is not None:
                return found
        raise BenchmarkError(f"{what} did not happen within {longest:.0f} s:\n" + "\n".join(self.lines))


def frames(chunks: Sequence[Chunk]) -> list[tuple[float, int]]:
    """Return the frames that pieces make up: when each began, and its bytes."""
    found: list[tuple[float, int]] = []
    last = float("-inf")
    for moment, piece in chunks:
        if moment - last > FRAME_GAP_SECONDS:
            found.append((moment, len(piece)))
        else:
            found[-1] = (found[-1][0], found[-1][1] + len(piece))
        last = moment
    return found


def busy_nanoseconds(pid: int) -> int:
    """Return the processor time of a process so far, of threads that have ended too; finer than the ticks of `stat`."""
    # The kernel's own number for the clock of another process.
    return time.clock_gettime_ns((~pid << 3) | 2)
