"""A spool that lost its end or had bits flipped, with acknowledged records in it.

`parley check` must name the damage. The server then either refuses to start and leaves the file alone, so that its
intact records can still be had, or starts, stores every intact record, and keeps and counts those that it cannot read.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from book import wait_for
from harness import Native
from rig import Rig
from stage import Stage, pause, taken_out_of_the_spool
from table import Findings, Row
from trial import Trial

NAME, COUNT = "damaged spool", 40
_BAD_DATA = 65
_PAGE_BYTES, _INDEX_LEAF, _FEW_ENTRIES = 4_096, 0x0A, 10


def missing() -> str | None:
    return None


def inject(stage: Stage, row: Row, count: int) -> None:
    rig = stage.rig()
    rig.start()
    outcomes: Counter[str] = Counter()
    for number in range(count):
        # What a dead letter held is put back by hand, behind later messages: none of that may be judged again.
        trial = Trial(rig)
        with trial.load(), rig.without_store():
            wait_for(trial.book, "spooled", 60)
            pause(random.uniform(0.0, 0.2))
            rig.kill9()
        good = stage.new("good")
        _settle_log(rig.spool)
        shutil.copy(rig.spool, good)
        where = _damage(rig.spool, number)
        row.injected += 1
        outcomes[_judge_damage(rig, trial, row.findings, good, where)] += 1
        row.findings.add(trial.settle())
        trial.count(row)
    row.notes.append("outcomes: " + ", ".join(f"{name} {number}" for name, number in sorted(outcomes.items())))


def _judge_damage(rig: Rig, trial: Trial, findings: Findings, good: Path, where: str) -> str:
    """Starts on the damaged spool, judges, and leaves a running server that has all records again."""
    damaged = rig.spool.read_bytes()
    checked = rig.run("check")
    refused = rig.refusal()
    if refused is not None:
        if checked.returncode == 0:
            findings.corrupt.add(f"{where}: not named by parley check, but serve ends with {refused}")
        if refused != _BAD_DATA:
            findings.corrupt.add(f"{where}: serve ends with {refused}")
        if rig.spool.read_bytes() != damaged:
            findings.lost.add(f"{where}: serve refused the file, but changed it")
        _replace(rig.spool, good)
        rig.start()
        return "refused"

    if not rig.drains():
        # Nothing is lost then, but somebody has to be told: such a spool only grows.
        with Native(rig, "") as anybody:
            reasons = anybody.ask("GET", "/readyz").json["reasons"]
        if not reasons:
            findings.corrupt.add(f"{where}: the spool never drains, and nobody is told")
        _put_back(rig, good)
        return "stuck"
    dead = rig.status()["spool"]["dead_letters"]
    lost = _missing(trial)
    if len(lost) > dead:
        findings.lost.add(f"{where}: {len(lost)} lost, only {dead} of them kept as dead letters")
    if (lost or dead) and checked.returncode == 0:
        findings.corrupt.add(f"{where}: {len(lost)} records unreadable, not named by parley check")
    if not lost and not dead:
        return "harmless"
    order = trial.judged()
    findings.doubled.update(order.doubled)
    findings.reordered.update(order.reordered)
    # They are kept for a person, who in this story has the good file: what can be read must then be complete.
    _put_back(rig, good)
    rig.wait_until_well()
    findings.lost.update(_missing(trial))
    trial.forget()
    return "put aside"


def _missing(trial: Trial) -> set[str]:
    """Returns the ids that were acknowledged and are not in the store."""
    stored = {row["id"] for rows in trial.stored().values() for row in rows}
    with Native(trial.rig, trial.rig.service_key) as native:
        return {id for id in set(trial.book.acknowledged.values()) - stored
                if native.ask("GET", f"/v1/messages/{id}").status != 200}


def _settle_log(spool: Path) -> None:
    """Takes the log over into the file, so that the file alone holds everything."""
    with closing(sqlite3.connect(spool)) as database:
        assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def _put_back(rig: Rig, good: Path) -> None:
    rig.kill9()
    _replace(rig.spool, good)
    rig.start()


def _replace(spool: Path, good: Path) -> None:
    for side in ("-wal", "-shm"):
        spool.with_name(spool.name + side).unlink(missing_ok=True)
    shutil.copy(good, spool)


def _damage(spool: Path, number: int) -> str:
    """Damages the file in one of the ways, and says how."""
    image = bytearray(spool.read_bytes())
    match number % 4:
        case 0:
            end = random.randrange(512, len(image))
            spool.write_bytes(image[:end])
            return f"cut off behind {end} of {len(image)} bytes"
        case 1:
            place = random.randrange(len(image))
        case 2:
            # In an index: what is looked for by it seems not to be there, or to be there twice.
            place = random.choice(_index_pages(image)) * _PAGE_BYTES - random.randrange(1, _PAGE_BYTES // 2)
        case _:
            # In the middle of what a record says.
            texts = [place for place in range(0, len(image), 64) if b"quick brown" in image[place:place + 400]]
            place = random.choice(texts) + random.randrange(64)
    bit = random.randrange(8)
    image[place] ^= 1 << bit
    spool.write_bytes(image)
    return f"bit {bit} of byte {place} of {len(image)} flipped"


def _index_pages(image: bytearray) -> list[int]:
    """Returns the numbers of the pages that hold entries of an index, counted from 1."""
    return [place // _PAGE_BYTES + 1 for place in range(_PAGE_BYTES, len(image), _PAGE_BYTES)
            if image[place] == _INDEX_LEAF and int.from_bytes(image[place + 3:place + 5], "big") > _FEW_ENTRIES]


def control(stage: Stage) -> Findings:
    """Two records are taken out of the spool without a trace."""
    rig = stage.rig()
    rig.start()
    trial = Trial(rig)
    with trial.load(), rig.without_store():
        wait_for(trial.book, "spooled", 60)
        rig.kill9()
    taken_out_of_the_spool(rig, 2)
    rig.restart()
    rig.wait_until_well()
    return trial.judged()
