"""Power cuts under load: what was not synced is gone, in the store and in the spool.

Store and spool lie on two small disks. In every second cut the store's disk dies first, as a cable that comes off;
messages are then acknowledged out of the spool, and a moment later the other disk loses its power, too. Every fifth cut
hits a server that has just made everything that it has, its keys included.
"""

from __future__ import annotations

import random

import disks
from book import wait_for
from disks import Disk
from rig import Rig
from stage import Stage, pause
from table import Findings, Row
from trial import Trial, rounds

NAME, COUNT = "power cut", 30
_MEGABYTES = 192


def missing() -> str | None:
    return disks.missing()


def inject(stage: Stage, row: Row, count: int) -> None:
    main, other = stage.disk(_MEGABYTES), stage.disk(_MEGABYTES)
    rig = stage.rig(store=main.path, spool=other.path)
    rig.start()
    for numbers in rounds(count):
        trial = Trial(rig)
        for number in numbers:
            if number % 5 == 0:
                _first_minute(stage, row)
                continue
            with trial.load():
                pause(random.uniform(0.2, 1.0))
                _cut(rig, main)
                if number % 2 == 0:
                    wait_for(trial.book, "spooled", 50)
                    pause(random.uniform(0.0, 0.5))
                _cut(rig, other, ends=True)
            row.injected += 1
            _power_is_back(main, other)
            rig.restart()
            row.findings.add(trial.settle())
        trial.count(row)


def _first_minute(stage: Stage, row: Row) -> None:
    """Cuts the power of a server whose directory, keys and files are all new."""
    disk = stage.disk(_MEGABYTES)
    logs = stage.new("logs")
    logs.mkdir()
    rig = stage.rig(disk.path / "server", log=logs)
    # The directory that the server is given is there for good; what it makes in it is its own affair.
    disk.sync()
    rig.start()
    trial = Trial(rig)
    keys = (rig.service_key, rig.anon_key, rig.secret)
    with trial.load():
        pause(random.uniform(0.0, 0.2))
        _cut(rig, disk, ends=True)
    row.injected += 1
    _power_is_back(disk)
    rig.restart()
    if keys != (rig.service_key, rig.anon_key, rig.secret):
        row.findings.lost.add("the keys of a new server")
    row.findings.add(trial.settle())
    trial.count(row)
    rig.stop()


def _cut(rig: Rig, *disks_cut: Disk, ends: bool = False) -> None:
    """Takes the power from disks and, if it `ends`, from the machine.

    The server is held meanwhile: ext4 shuts down in some milliseconds, and a sync that runs just then can return
    success for what is thrown away. No power cut does that; a program then has no time left to tell anybody.
    """
    with rig.held():
        for disk in disks_cut:
            disk.cut()
        if ends:
            rig.kill9()


def _power_is_back(*cut: Disk) -> None:
    for disk in cut:
        disk.unmount()
        disk.mount()


def control(stage: Stage) -> Findings:
    """The same with a server whose syncs of its write-ahead logs do nothing, as under `synchronous=NORMAL`."""
    main, other = stage.disk(_MEGABYTES), stage.disk(_MEGABYTES)
    rig = stage.rig(store=main.path, spool=other.path)
    rig.start()
    trial = Trial(rig)
    rig.stop()
    rig.preload(stage.library("nosync.c"), NOSYNC_SUFFIX="-wal")
    rig.start()
    with trial.load():
        pause(0.5)
        _cut(rig, main, other, ends=True)
    _power_is_back(main, other)
    rig.restart()
    return trial.judged()
