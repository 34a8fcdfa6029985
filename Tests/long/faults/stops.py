"""SIGTERM under load: the server ends in time, with exit code 0, and keeps what it acknowledged."""

from __future__ import annotations

from book import Receipt
from rig import Rig
from stage import Stage, end_under_load, pause
from table import Findings, Row
from trial import Trial

NAME, COUNT = "SIGTERM", 20


def missing() -> str | None:
    return None


def inject(stage: Stage, row: Row, count: int) -> None:
    # `stop` asserts that it took no longer than ten seconds, and the exit code.
    end_under_load(stage, row, count, Rig.stop)


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
