"""kill -9 under load: the process ends at any moment, in the middle of whatever it does."""

from __future__ import annotations

import random

from stage import Stage, acknowledged_and_deleted, pause
from table import Findings, Row
from trial import Trial, rounds

NAME, COUNT = "kill -9", 40


def missing() -> str | None:
    return None


def inject(stage: Stage, row: Row, count: int) -> None:
    rig = stage.rig()
    rig.start()
    for numbers in rounds(count):
        trial = Trial(rig)
        for number in numbers:
            # Every third one hits a server whose store is gone, so that what was spooled must survive, too.
            if number % 3 == 0:
                with trial.load(), rig.without_store():
                    pause(random.uniform(0.3, 1.0))
                    rig.kill9()
                    row.injected += 1
            else:
                with trial.load():
                    pause(random.uniform(0.2, 0.8))
                    rig.kill9()
                    row.injected += 1
            rig.restart()
            row.findings.add(trial.settle())
        trial.count(row)


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
