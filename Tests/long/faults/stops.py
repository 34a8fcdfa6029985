"""SIGTERM under load: the server ends in time, with exit code 0, and keeps what it acknowledged."""

from __future__ import annotations

import random

from book import Receipt
from stage import Stage, pause
from table import Findings, Row
from trial import Trial, rounds

NAME, COUNT = "SIGTERM", 20


def missing() -> str | None:
    return None


def inject(stage: Stage, row: Row, count: int) -> None:
    rig = stage.rig()
    rig.start()
    for numbers in rounds(count):
        trial = Trial(rig)
        for number in numbers:
            # `stop` asserts that it took no longer than ten seconds, and the exit code.
            if number % 4 == 0:
                with trial.load(), rig.without_store():
                    pause(random.uniform(0.3, 0.8))
                    rig.stop()
                    row.injected += 1
            else:
                with trial.load():
                    pause(random.uniform(0.1, 0.6))
                    rig.stop()
                    row.injected += 1
            rig.restart()
            row.findings.add(trial.settle())
        trial.count(row)


def control(stage: Stage) -> Findings:
    """An acknowledgement is written down for an entry that the server was never given."""
    rig = stage.rig()
    rig.start()
    trial = Trial(rig)
    with trial.load():
        pause(0.3)
        rig.stop()
    withheld = trial.book.draw(0, trial.writers[0].conversation)
    trial.book.note(withheld, Receipt("01a20fe1-ebf0-768b-9e3c-a8a6fda149ed", False, "stored"))
    rig.restart()
    return trial.judged()
