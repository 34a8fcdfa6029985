"""Clocks that jump by hours, forward and back, under load: order is the position, never a time."""

from __future__ import annotations

import random
from pathlib import Path

from book import wait_for
from ledger import judge
from rig import Rig
from stage import Stage, pause
from table import Findings, Row
from trial import Trial, rounds

NAME, COUNT = "clock jump", 20
_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
_HOURS = (5, -7, 26, -30, 1, -2, 48, -48)


def missing() -> str | None:
    return None if _LIBRARIES else "needs libfaketime"


class _Clock:
    """The wall clock of one server; what measures durations goes on as it does for everybody."""

    def __init__(self, rig: Rig, file: Path, timers: Path) -> None:
        self._file = file
        self.jump(0)
        rig.preload(
            timers, _LIBRARIES[0], FAKETIME_TIMESTAMP_FILE=str(file), FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1")

    def jump(self, hours: int) -> None:
        """Puts the clock that much before or behind the right time."""
        aside = self._file.with_suffix(".new")
        aside.write_text(f"{hours:+d}h\n")
        aside.rename(self._file)


def inject(stage: Stage, row: Row, count: int) -> None:
    rig = stage.rig()
    clock = _Clock(rig, stage.new("clock"), stage.library("timers.c"))
    rig.start()
    for numbers in rounds(count):
        # An opaque key does not expire, a token would.
        trial = Trial(rig, with_tokens=False)
        with trial.load():
            for number in numbers:
                clock.jump(_HOURS[number % len(_HOURS)])
                row.injected += 1
                wait_for(trial.book, "stored", 50)
                if number % 4 == 0:
                    # The clock jumps while messages wait in the spool, and they are stored at another time.
                    with rig.without_store():
                        wait_for(trial.book, "spooled", 30)
                        clock.jump(-_HOURS[number % len(_HOURS)])
                        row.injected += 1
                        wait_for(trial.book, "spooled", 30)
                    rig.wait_until_well()
                pause(random.uniform(0.1, 0.5))
        if numbers[0] % 2 == 1:
            # What was written under one clock is read under another by a new process.
            rig.stop()
            clock.jump(-3)
            rig.start()
        row.findings.add(trial.settle())
        trial.count(row)


def control(stage: Stage) -> Findings:
    """The same messages in the order of their times, as a server that trusts its clock would show them."""
    rig = stage.rig()
    clock = _Clock(rig, stage.new("clock"), stage.library("timers.c"))
    rig.start()
    trial = Trial(rig, with_tokens=False)
    with trial.load():
        for hours in (3, -4):
            clock.jump(hours)
            wait_for(trial.book, "stored", 100)
    shown = {conversation: sorted(rows, key=lambda message: message["created_at"])
             for conversation, rows in trial.stored().items()}
    verdict = judge(trial.book, shown)
    return Findings(reordered=set(verdict.reordered))
