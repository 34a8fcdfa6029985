"""I/O errors: the kernel refuses reads, writes and syncs of the store's files, and in part of the spool's.

strace joins the running server for a while and lets a part of its calls fail. It counts per thread, and the store has
one thread that writes.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import poll
from rig import Rig
from stage import Stage, acknowledged_and_deleted, pause
from table import Findings, Row
from trial import Trial

NAME, COUNT = "I/O error", 200
_BURST_SECONDS = 1.5
_PATIENCE = 20
"""Bursts that may bring too few errors one after the other."""

# Which calls fail, with what, and which of them: all, or the first behind so many and then every so many-th.
_KINDS = [
    ("fdatasync", "error=EIO", "1+"), ("pwrite64", "error=EIO", "1+"), ("pwrite64", "error=ENOSPC", "1+"),
    ("fdatasync", "error=EIO", "2+3"), ("pwrite64", "error=EIO", "3+7"), ("fdatasync,openat", "error=EIO", "1+"),
    ("pwrite64", "error=ENOSPC", "2+5"), ("fdatasync", "error=ENOSPC", "1+2"), ("pread64", "error=EIO", "1+"),
    ("pwrite64", "error=EIO", "5+11"), ("fdatasync,openat", "error=ENOSPC", "1+2"), ("ftruncate", "error=EIO", "1+"),
]


def missing() -> str | None:
    if shutil.which("strace") is None:
        return "needs strace"
    sleeper = subprocess.Popen(["sleep", "10"])
    tried = subprocess.Popen(["strace", "-p", str(sleeper.pid)], stderr=subprocess.PIPE, text=True)
    try:
        assert tried.stderr is not None
        return None if "attached" in tried.stderr.readline() else "needs the right to trace processes"
    finally:
        tried.terminate()
        tried.wait()
        sleeper.kill()
        sleeper.wait()


@contextmanager
def failing(rig: Rig, files: list[Path], kind: tuple[str, str, str], output: Path) -> Iterator[None]:
    """Lets calls on the files fail while the body runs; strace writes down which."""
    call, what, which = kind
    paths = [argument for file in files for argument in ("-P", str(file))]
    command = ["strace", "-f", "-q", "-o", str(output), *paths, "-e", f"trace={call}",
               "-e", f"inject={call}:{what}:when={which}", "-p", str(rig.pid)]
    tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        poll(lambda: _is_traced(rig.pid, tracer.pid), 10.0, "strace's arrival")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10.0)


def _is_traced(pid: int, tracer: int) -> bool:
    try:
        statuses = [Path(f"/proc/{pid}/task/{thread}/status").read_text() for thread in os.listdir(f"/proc/{pid}/task")]
    except FileNotFoundError:
        # A thread that has just ended.
        return False
    return all(f"TracerPid:\t{tracer}\n" in status for status in statuses)


def injected(output: Path) -> int:
    """Counts the errors that strace has injected."""
    return len(re.findall(r"\(INJECTED\)", output.read_text(errors="replace")))


def files(database: Path) -> list[Path]:
    """Returns the files of a database: itself, its log, and the index of the log."""
    return [database, *(database.with_name(database.name + suffix) for suffix in ("-wal", "-shm"))]


def inject(stage: Stage, row: Row, count: int) -> None:
    rig = stage.rig()
    rig.start()
    burst = patience = 0
    errors: dict[str, int] = {}
    while row.injected < count:
        trial = Trial(rig)
        for _ in range(6):
            kind = _KINDS[burst % len(_KINDS)]
            # In every fifth burst the spool's files fail, too: then nothing can be acknowledged for a while.
            targets = files(rig.store) + (files(rig.spool) if burst % 5 == 3 else [])
            output = stage.new("strace")
            with trial.load():
                with failing(rig, targets, kind, output):
                    pause(_BURST_SECONDS)
                rig.wait_until_well()
            found = injected(output)
            errors[kind[0]] = errors.get(kind[0], 0) + found
            row.injected += found
            patience = 0 if found else patience + 1
            assert patience < _PATIENCE, "strace injects nothing"
            burst += 1
            row.findings.add(trial.settle())
            if row.injected >= count:
                break
        trial.count(row)
    row.notes.append("errors by call: " + ", ".join(f"{call} {number}" for call, number in sorted(errors.items())))


def control(stage: Stage) -> Findings:
    """Two rows that were acknowledged under failing syncs are taken out of the store."""
    rig = stage.rig()
    rig.start()
    trial = Trial(rig)
    with trial.load():
        with failing(rig, files(rig.store), ("fdatasync", "error=EIO", "2+2"), stage.new("strace")):
            pause(_BURST_SECONDS)
        rig.wait_until_well()
    rig.stop()
    acknowledged_and_deleted(trial, 2)
    rig.restart()
    return trial.judged()
