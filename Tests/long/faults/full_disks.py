"""Full disks: of the store, of the spool while the store is down, of both, and of the log.

The server goes on answering. What the spool can take is acknowledged, and nothing else; once there is room again it
recovers by itself.
"""

from __future__ import annotations

import disks
from book import wait_for
from harness import Native, poll
from stage import Stage, pause, taken_out_of_the_spool
from table import Findings, Row
from trial import Trial

NAME, COUNT = "full disk", 12
_MEGABYTES = 64
"""Room for a log of its greatest size, for what a checkpoint makes of it, and for what the writers add meanwhile: a disk that
is full of these needs more room, and not only its ballast away."""
_FULL_SECONDS = 1.5


def missing() -> str | None:
    return disks.missing()


def inject(stage: Stage, row: Row, count: int) -> None:
    for number in range(count):
        (_store, _spool, _log, _both)[number % 4](stage, row)


def _store(stage: Stage, row: Row) -> None:
    """With the store's disk full, messages go into the spool, and from there into the store."""
    disk = stage.disk(_MEGABYTES)
    rig = stage.rig(store=disk.path)
    rig.start()
    trial = Trial(rig)
    with trial.load():
        pause(0.3)
        with disk.full():
            row.injected += 1
            wait_for(trial.book, "spooled", 100)
            pause(_FULL_SECONDS)
        rig.wait_until_well()
        wait_for(trial.book, "stored", 100)
    row.findings.add(trial.settle())
    trial.count(row)
    rig.stop()


def _spool(stage: Stage, row: Row) -> None:
    """With the store away and the spool's disk full nothing is acknowledged, but the server answers."""
    disk = stage.disk(_MEGABYTES)
    rig = stage.rig(spool=disk.path)
    rig.start()
    trial = Trial(rig)
    with trial.load():
        with rig.without_store():
            wait_for(trial.book, "spooled", 100)
            with disk.full():
                row.injected += 1
                _refuses_everything(trial)
            wait_for(trial.book, "spooled", 100)
        rig.wait_until_well()
    row.findings.add(trial.settle())
    trial.count(row)
    rig.stop()


def _both(stage: Stage, row: Row) -> None:
    """The same with store and spool on one disk."""
    disk = stage.disk(_MEGABYTES)
    rig = stage.rig(store=disk.path, spool=disk.path)
    rig.start()
    trial = Trial(rig)
    with trial.load():
        pause(0.3)
        with disk.full():
            row.injected += 1
            _refuses_everything(trial)
        wait_for(trial.book, "stored", 100)
        rig.wait_until_well()
    row.findings.add(trial.settle())
    trial.count(row)
    rig.stop()


def _refuses_everything(trial: Trial) -> None:
    """Asserts that the server acknowledges nothing, says that it takes nothing, and answers."""
    # The blocks that the files have already still take some.
    poll(lambda: _refuses(trial), 30.0, "a refusal of every message")
    acknowledged = trial.book.answered
    pause(_FULL_SECONDS)
    assert trial.book.answered == acknowledged, "something was acknowledged that had no room"
    with Native(trial.rig, trial.rig.service_key) as anybody:
        ready = anybody.ask("GET", "/readyz")
        assert ready.status == 503, ready
        assert anybody.ask("GET", "/healthz").status == 200
        page = anybody.page(trial.writers[0].conversation, limit=5)
        assert page["data"], "what is stored cannot be read"


def _refuses(trial: Trial) -> bool:
    """Tells whether for a while nothing was acknowledged, and every writer was refused."""
    before, refused = trial.book.answered, trial.book.unanswered
    pause(0.5)
    return trial.book.answered == before and trial.book.unanswered > refused


def _log(stage: Stage, row: Row) -> None:
    """With the log's disk full lines are lost, and nothing else."""
    disk = stage.disk(_MEGABYTES)
    rig = stage.rig(log=disk.path)
    rig.settings["PARLEY_LOG_LEVEL"] = "trace"
    rig.start()
    trial = Trial(rig)
    with trial.load():
        with disk.full():
            row.injected += 1
            wait_for(trial.book, "stored", 100)
            # An outage has something to say.
            with rig.without_store():
                wait_for(trial.book, "spooled", 100)
            rig.wait_until_well()
            wait_for(trial.book, "stored", 100)
        wait_for(trial.book, "stored", 100)
    row.findings.add(trial.settle())
    trial.count(row)
    rig.stop()


def control(stage: Stage) -> Findings:
    """On a full disk, some records are taken out of the spool by hand."""
    disk = stage.disk(_MEGABYTES)
    rig = stage.rig(store=disk.path)
    rig.start()
    trial = Trial(rig)
    with trial.load(), disk.full():
        wait_for(trial.book, "spooled", 100)
        rig.kill9()
    taken_out_of_the_spool(rig, 5)
    rig.restart()
    rig.wait_until_well()
    return trial.judged()
