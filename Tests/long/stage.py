"""Where one experiment takes place: fresh directories, servers and disks, all gone afterwards."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from types import FrameType

from disks import Disk
from rig import Rig, built
from table import Row
from trial import Trial, rounds

HERE = Path(__file__).resolve().parent


class Stage:
    """The place of one experiment; use it as a context."""

    def __init__(self, directory: Path, keep: bool = False) -> None:
        """Prepares the place; with `keep` the files of an experiment that raises stay, for whoever looks into it."""
        self.directory = directory
        self._keep = keep
        self._stack = ExitStack()
        self._names = 0

    def __enter__(self) -> Stage:
        self.directory.mkdir(parents=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stack.close()
        if kind is None or not self._keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def new(self, name: str) -> Path:
        """Returns a path that nothing has yet."""
        self._names += 1
        return self.directory / f"{name}-{self._names}"

    def disk(self, megabytes: int) -> Disk:
        """Returns a disk of its own."""
        disk = Disk(self.new("disk"), megabytes)
        self._stack.callback(disk.remove)
        return disk

    def rig(self, directory: Path | None = None, **places: Path) -> Rig:
        """Returns a server that is to be started, under a new directory; see `Rig` for what can lie elsewhere."""
        directory = directory or self.new("server")
        directory.mkdir()
        rig = Rig(directory, **places)
        self._stack.callback(rig.clean_up)
        return rig

    def library(self, source: str) -> Path:
        """Returns one of our libraries that are preloaded, compiled."""
        return built(HERE / source, self.directory)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises `TimeoutError` in the body when it takes longer; for the main thread."""

    def end(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"took longer than {seconds:.0f} s")

    former = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def acknowledged_and_deleted(trial: Trial, count: int) -> None:
    """Breaks the promise by hand, for a control: acknowledged rows are taken out of the stopped store."""
    victims = list(trial.book.acknowledged.values())[:count]
    with closing(sqlite3.connect(trial.rig.store)) as database, database:
        for victim in victims:
            deleted = database.execute(
                "DELETE FROM pam_messages WHERE id = ?", (bytes.fromhex(victim.replace("-", "")),))
            assert deleted.rowcount == 1


def taken_out_of_the_spool(rig: Rig, count: int) -> None:
    """Breaks the promise by hand, for a control: records are taken out of the ended server's spool.

    They come from the middle: the first ones may have reached the store although nobody could know.
    """
    with closing(sqlite3.connect(rig.spool)) as database, database:
        some = "(SELECT sequence FROM records ORDER BY sequence LIMIT ? OFFSET (SELECT count(*) / 2 FROM records))"
        messages = database.execute(f"DELETE FROM messages WHERE sequence IN {some}", (count,))
        records = database.execute(f"DELETE FROM records WHERE sequence IN {some}", (count,))
        assert messages.rowcount == records.rowcount == count


def pause(seconds: float) -> None:
    """Lets what runs go on for a while."""
    time.sleep(seconds)


def end_under_load(stage: Stage, row: Row, count: int, end: Callable[[Rig], None]) -> None:
    """Ends a server so many times while all write, starts it again, and judges each time."""
    rig = stage.rig()
    rig.start()
    for numbers in rounds(count):
        trial = Trial(rig)
        for number in numbers:
            # Every third one hits a server whose store is gone, so that what was spooled must survive, too.
            outage = rig.without_store() if number % 3 == 0 else nullcontext()
            with trial.load(), outage:
                pause(random.uniform(0.2, 0.9))
                end(rig)
                row.injected += 1
            rig.restart()
            row.findings.add(trial.settle())
        trial.count(row)
