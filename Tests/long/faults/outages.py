"""Store outages: a chat goes on out of the spool, and afterwards every message is in the store, once and in order.

The store goes away by its file being moved, by a disk that is full, by syncs that fail, and by syncs that take longer
than anybody waits; the spool lies on a healthy path. In some outages the server is killed or stopped and starts again
with its store still down, or sessions are opened and talked in that the store has never heard of.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import disks
from book import wait_for
from faults import io_errors
from faults.store_file import gone
from harness import Native, new_user
from rig import Rig
from stage import Stage, pause, taken_out_of_the_spool
from table import Findings, Row
from trial import Trial, rounds

NAME, COUNT = "store outage", 40
_MEGABYTES = 192
_SPOOLED = 30
_HANG_MICROSECONDS = 4_000_000


def missing() -> str | None:
    return None


class _Outages:
    """The ways in which the store can go away here; those that this machine does not allow are named."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._disk = stage.disk(_MEGABYTES) if disks.missing() is None else None
        self._can_trace = io_errors.missing() is None
        self.rig = stage.rig(**({"store": self._disk.path} if self._disk else {}), spool=stage.new("spool"))
        self.skipped = [*(["full disk"] if self._disk is None else []), *([] if self._can_trace else ["failing syncs"])]

    @contextmanager
    def number(self, number: int) -> Iterator[None]:
        """Takes the store away in one of the ways while the body runs; the server must be running."""
        if number % 4 == 1 and self._disk is not None:
            with self._disk.full():
                yield
        elif number % 4 == 3 and self._can_trace:
            # The commits that hang are made later all the same, when their messages have been spooled.
            kind = ("fdatasync", "error=EIO" if number % 8 == 3 else f"delay_enter={_HANG_MICROSECONDS}", "1+")
            with io_errors.failing(self.rig, io_errors.files(self.rig.store), kind, self._stage.new("strace")):
                yield
        else:
            with gone(self.rig):
                yield


def inject(stage: Stage, row: Row, count: int) -> None:
    outages = _Outages(stage)
    rig = outages.rig
    rig.start()
    for numbers in rounds(count):
        trial = Trial(rig)
        for number in numbers:
            row.findings.add(_one(outages, trial, number))
            row.injected += 1
        trial.count(row)
    if outages.skipped:
        row.notes.append(f"SKIPPED here: {', '.join(outages.skipped)}")


def _one(outages: _Outages, trial: Trial, number: int) -> Findings:
    rig = outages.rig
    fresh = None
    with trial.load():
        pause(random.uniform(0.0, 0.3))
        with outages.number(number):
            wait_for(trial.book, "spooled", _SPOOLED)
            pause(random.uniform(0.0, 1.0))
            if number % 4 == 0:
                fresh = _Fresh(rig)
            if number % 8 == 2:
                rig.kill9()
                rig.restart()
                wait_for(trial.book, "spooled", _SPOOLED)
            elif number % 8 == 6:
                rig.stop()
                rig.restart()
                wait_for(trial.book, "spooled", _SPOOLED)
        if number % 5 == 2:
            # In the middle of the handing over, or shortly before or after it.
            pause(random.uniform(0.0, 0.8))
            rig.kill9()
            rig.restart()
        # The load goes on while the spool drains: new messages must not overtake those that wait.
        rig.wait_until_well()
        wait_for(trial.book, "stored", _SPOOLED)
    findings = trial.settle()
    if fresh is not None:
        findings.add(fresh.judged())
    return findings


class _Fresh:
    """A session that is opened while the store is down, and what is said in it then."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._user = new_user()
        with Native(rig, rig.service_key) as native:
            opened = native.ask("POST", "/v1/conversations", {"user_id": self._user, "session_id": "new"})
            assert opened.status == 202 and opened.json["version"] is None, opened
            self._id = opened.json["conversation"]["id"]
            self._said: list[tuple[str, str]] = []
            for number in range(5):
                body = {"role": "user", "content": f"{number}", "client_id": f"fresh-{number}"}
                answer = native.append(self._id, body)
                assert answer.status == 202, answer
                self._said.append((answer.json["message"]["id"], f"{number}"))

    def judged(self) -> Findings:
        """Looks for the session and its messages under the ids that were acknowledged."""
        findings = Findings()
        with Native(self._rig, self._rig.service_key) as native:
            found = native.ask("POST", "/v1/conversations", {"user_id": self._user, "session_id": "new"})
            if found.status != 200 or found.json["conversation"]["id"] != self._id:
                findings.lost.add(f"session {self._id}")
                return findings
            stored = [(row["id"], row["content"]) for row in native.messages(self._id)]
        if stored != self._said:
            findings.lost.update(f"{each} of the fresh session {self._id}" for each in set(self._said) - set(stored))
            findings.doubled.update(f"{each} of {self._id}" for each in stored if stored.count(each) > 1)
            if not findings:
                findings.reordered.add(f"the fresh session {self._id}")
        return findings


def control(stage: Stage) -> Findings:
    """Three records that were acknowledged are taken out of the spool during an outage."""
    outages = _Outages(stage)
    rig = outages.rig
    rig.start()
    trial = Trial(rig)
    with trial.load(), gone(rig):
        wait_for(trial.book, "spooled", _SPOOLED)
        rig.kill9()
    taken_out_of_the_spool(rig, 3)
    rig.restart()
    rig.wait_until_well()
    return trial.judged()
