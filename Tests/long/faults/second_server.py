"""A second server on the same directory, store or spool, under load: it must end with 75 and harm nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness import COMMAND_SECONDS, binary, environment, free_port
from rig import Rig
from stage import Stage, pause
from table import Findings, Row
from trial import Trial, rounds

NAME, COUNT = "second server", 20
_TRY_AGAIN = 75


def missing() -> str | None:
    return None


def _second(rig: Rig, data: Path, store: Path, spool: Path, seconds: float = COMMAND_SECONDS) -> int | None:
    """Starts another server and returns its exit code; `None` if it has not ended by itself."""
    command = [binary(), "serve", "--listen", f"127.0.0.1:{free_port()}", "--data", str(data),
               "--store", f"sqlite:{store}", "--spool", str(spool)]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        process.kill()
        process.wait()


def inject(stage: Stage, row: Row, count: int) -> None:
    rig = stage.rig()
    rig.start()
    link = stage.new("link")
    link.symlink_to(rig.data)
    for numbers in rounds(count):
        trial = Trial(rig)
        with trial.load():
            for number in numbers:
                own = stage.new("own")
                places = [
                    (rig.data, rig.store, rig.data),
                    # A directory of its own, and the same files by other names.
                    (own, rig.store, own),
                    (own, own / "parley.sqlite", rig.data),
                    (own, link / "parley.sqlite", own),
                    (link, link / "parley.sqlite", link),
                ][number % 5]
                code = _second(rig, *places)
                row.injected += 1
                if code != _TRY_AGAIN:
                    row.findings.corrupt.add(f"a second server on {places} ended with {code}")
        row.findings.add(trial.settle())
        trial.count(row)


def control(stage: Stage) -> Findings:
    """A second server that shares nothing: it must run on, and be told from one that was turned away."""
    rig = stage.rig()
    rig.start()
    trial = Trial(rig)
    own = stage.new("own")
    with trial.load():
        pause(0.2)
        code = _second(rig, own, own / "parley.sqlite", own, seconds=5.0)
    findings = trial.settle()
    if code != _TRY_AGAIN:
        findings.corrupt.add(f"it ended with {code}")
    return findings
