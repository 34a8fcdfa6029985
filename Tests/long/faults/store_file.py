"""The file of the store: gone, read-only, replaced by another, while the server runs and works with it."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from book import wait_for
from rig import Rig
from stage import Stage, pause
from table import Findings, Row
from trial import Trial, rounds

NAME, COUNT = "store file gone, read-only, replaced", 30
_GET_FLAGS, _SET_FLAGS, _IMMUTABLE = 0x80086601, 0x40086602, 0x10
_SIDES = ("", "-wal", "-shm")


def missing() -> str | None:
    return None if os.geteuid() == 0 else "needs root, to make a file that even its owner cannot write"


def inject(stage: Stage, row: Row, count: int) -> None:
    rig = stage.rig()
    rig.start()
    empty = _empty_store(stage)
    for numbers in rounds(count):
        trial = Trial(rig)
        backup = stage.new("backup")
        _back_up(rig, backup)
        for number in numbers:
            damage: AbstractContextManager[None] = (
                gone(rig), gone(rig, with_its_log=True), read_only(rig), replaced(rig, empty), replaced(rig, backup),
            )[number % 5]
            with trial.load():
                pause(random.uniform(0.1, 0.4))
                with damage:
                    row.injected += 1
                    wait_for(trial.book, "spooled", 50)
                    pause(random.uniform(0.1, 1.0))
                rig.wait_until_well()
                wait_for(trial.book, "stored", 20)
            row.findings.add(trial.settle())
        trial.count(row)


@contextmanager
def gone(rig: Rig, with_its_log: bool = False) -> Iterator[None]:
    """Moves the file away, alone or with its log, and back again."""
    aside = rig.store.parent / "aside"
    aside.mkdir()
    moved = [file for file in _files(rig) if file.exists() and (with_its_log or file == rig.store)]
    for file in moved:
        file.rename(aside / file.name)
    try:
        yield
    finally:
        for file in reversed(moved):
            (aside / file.name).rename(file)
        aside.rmdir()


@contextmanager
def read_only(rig: Rig) -> Iterator[None]:
    """Makes the store and its log immutable, which stops also those who have them open.

    Not the index of the log: SQLite maps it, and Linux ends whoever writes to a mapped page of an immutable file.
    """
    changed = [file for file in _files(rig)[:2] if file.exists()]
    for file in changed:
        _set_immutable(file, True)
    try:
        yield
    finally:
        for file in changed:
            _set_immutable(file, False)


@contextmanager
def replaced(rig: Rig, other: Path) -> Iterator[None]:
    """Puts another store in the place of the right one, and the right one back."""
    aside, copy = rig.store.with_suffix(".aside"), rig.store.with_suffix(".copy")
    rig.store.rename(aside)
    shutil.copy(other, copy)
    copy.rename(rig.store)
    try:
        yield
    finally:
        aside.rename(rig.store)


def _files(rig: Rig) -> list[Path]:
    return [rig.store.with_name(rig.store.name + side) for side in _SIDES]


def _set_immutable(file: Path, wanted: bool) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        flags = struct.unpack("l", fcntl.ioctl(descriptor, _GET_FLAGS, struct.pack("l", 0)))[0]
        flags = flags | _IMMUTABLE if wanted else flags & ~_IMMUTABLE
        fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("l", flags))
    finally:
        os.close(descriptor)


def _back_up(rig: Rig, backup: Path) -> None:
    reader = sqlite3.connect(f"file:{rig.store}?mode=ro", uri=True)
    with closing(reader) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)


def _empty_store(stage: Stage) -> Path:
    """Returns a store of another server that nobody has used."""
    other = stage.rig()
    other.start()
    other.stop()
    return other.store


def control(stage: Stage) -> Findings:
    """The right file never comes back: the server is started on an older copy."""
    rig = stage.rig()
    rig.start()
    trial = Trial(rig)
    backup = stage.new("backup")
    _back_up(rig, backup)
    with trial.load():
        pause(0.3)
        rig.stop()
    shutil.copy(backup, rig.store)
    rig.restart()
    return trial.judged()
