"""kill -9 under load: the process ends at any moment, in the middle of whatever it does."""

from __future__ import annotations

from rig import Rig
from stage import Stage, acknowledged_and_deleted, end_under_load, pause
from table import Findings, Row
from trial import Trial

NAME, COUNT = "kill -9", 40


def missing() -> str | None:
    return None


def inject(stage: Stage, row: Row, count: int) -> None:
    end_under_load(stage, row, count, Rig.kill9)


def control(stage: Stage) -> Findings:
    """Three acknowledged rows are taken out of the store between the kill and the restart."""
    rig = stage.rig()
    rig.start()
    trial = Trial(rig)
    with trial.load():
        pause(0.5)
        rig.kill9()
    acknowledged_and_deleted(trial, 3)
    rig.restart()
    return trial.judged()
